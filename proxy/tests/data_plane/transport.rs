//! Connections to providers.

use crate::{
    bed::{Bed, Resources, question},
    provider::{Act, Provider, answer, completion, says, stream, text},
};
use serde_json::json;

async fn bed(provider: &Provider) -> anyhow::Result<Bed> {
    Bed::start(Resources::new().provider("a", provider, json!({}))?)
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = bed(&provider).await?;
    for _ in 0..3 {
        assert_eq!(bed.unary().await?.status, 200);
    }
    let connections: Vec<_> = provider.events().seen.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 0]);
    Ok(())
}

#[tokio::test]
async fn a_stream_read_to_its_end_gives_its_connection_back() -> anyhow::Result<()> {
    use crate::provider::{DONE, STOP, end};
    let mut acts = stream(&[&text("hi"), STOP, DONE]);
    acts.push(end());
    let provider = Provider::always(acts).await?;
    let bed = bed(&provider).await?;
    for _ in 0..2 {
        assert!(bed.stream().await?.body.ends_with(DONE));
    }
    assert_eq!(provider.events().seen[1].connection, 0);
    Ok(())
}

#[tokio::test]
async fn a_pooled_connection_that_its_peer_closed_is_noticed_before_it_is_used() -> anyhow::Result<()> {
    let provider = Provider::always([says("hi"), vec![Act::Close]].concat()).await?;
    let bed = bed(&provider).await?;
    for n in 1..=3 {
        assert_eq!(bed.unary().await?.header("x-penstock-attempts"), "1");
        provider.until(|events| events.closed.len() == n).await?;
    }
    assert_eq!(provider.calls(), 3, "nothing was sent into a closed connection");
    Ok(())
}

#[tokio::test]
async fn a_request_whose_pooled_connection_broke_before_any_answer_is_sent_again_on_a_fresh_one() -> anyhow::Result<()>
{
    let provider = Provider::start(|n| if n == 1 { vec![Act::Close] } else { says("hi") }).await?;
    let bed = bed(&provider).await?;
    bed.unary().await?;
    let second = bed.unary().await?;
    assert_eq!((second.status, second.header("x-penstock-attempts")), (200, "1"));
    let connections: Vec<_> = provider.events().seen.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
    Ok(())
}

#[tokio::test]
async fn a_request_of_whose_answer_one_byte_came_is_not_sent_again() -> anyhow::Result<()> {
    let cut = || vec![Act::Send("H".into()), Act::Close];
    let provider = Provider::start(move |n| if n == 1 { cut() } else { says("hi") }).await?;
    let bed = bed(&provider).await?;
    bed.unary().await?;
    assert_eq!(bed.unary().await?.status, 502);
    assert_eq!(provider.calls(), 2);
    Ok(())
}

#[tokio::test]
async fn a_fresh_connection_that_breaks_is_a_failure_and_not_a_stale_one() -> anyhow::Result<()> {
    let provider = Provider::always(vec![Act::Close]).await?;
    let bed = bed(&provider).await?;
    assert_eq!(bed.unary().await?.status, 502);
    assert_eq!(provider.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn a_peer_that_closes_right_after_its_answer_is_answered_and_not_pooled() -> anyhow::Result<()> {
    let body = completion("whole");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    let provider = Provider::always(vec![Act::Send(format!("{head}{body}")), Act::Close]).await?;
    let bed = bed(&provider).await?;
    for connection in 0..2 {
        assert_eq!(bed.unary().await?.body, body, "its end is where the connection ends");
        assert_eq!(provider.events().seen[connection].connection, connection);
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_closes_the_provider_s_connection() -> anyhow::Result<()> {
    let before = Provider::always(vec![Act::Hang]).await?;
    let bed = bed(&before).await?;
    let asked = tokio::spawn(bed.request(question(false)).send());
    before.until(|events| events.seen.len() == 1).await?;
    asked.abort();
    before.until(|events| events.closed == [0]).await?;

    let amid = Provider::always([stream(&[&text("hi")]), vec![Act::Hang]].concat()).await?;
    let bed = self::bed(&amid).await?;
    let mut response = bed.request(question(true)).send().await?;
    assert_eq!(response.chunk().await?.as_deref(), Some(text("hi").as_bytes()));
    drop(response);
    amid.until(|events| events.closed == [0]).await?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_provider_back() -> anyhow::Result<()> {
    let line = crate::provider::chunk(&text(&"x".repeat(10_000)));
    let provider = Provider::always([stream(&[]), vec![Act::Flood(line)]].concat()).await?;
    let bed = bed(&provider).await?;
    let response = bed.request(question(true)).send().await?;
    let events = provider.until(|events| events.stuck).await?;
    assert!(events.flooded < 64 << 20, "{} bytes are held somewhere", events.flooded);
    drop(response);
    provider.until(|events| events.closed == [0]).await?;
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_never_followed() -> anyhow::Result<()> {
    let elsewhere = Provider::always(says("no")).await?;
    let location = format!("location: http://{}/v1/chat/completions\r\n", elsewhere.address);
    let provider = Provider::always(answer(307, &location, "")).await?;
    assert_eq!(bed(&provider).await?.unary().await?.status, 502);
    assert_eq!(elsewhere.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn a_provider_that_leads_back_here_is_a_loop_that_ends() -> anyhow::Result<()> {
    let provider = Provider::always(says("unused")).await?;
    let bed = bed(&provider).await?;
    let mut resources = Resources::new();
    resources.provider_at("a", &bed.url("/v1"), &["a-key-0"], json!({}))?;
    bed.live.apply(&resources.snapshot());
    assert_eq!(bed.unary().await?.status, 502);
    Ok(())
}

#[tokio::test]
async fn only_what_a_provider_needs_reaches_it_and_only_what_a_client_needs_comes_back() -> anyhow::Result<()> {
    let down =
        "set-cookie: a=b\r\nopenai-organization: org\r\nx-ratelimit-remaining-requests: 3\r\nx-request-id: up-1\r\n";
    let provider = Provider::always(answer(200, down, &completion("hi"))).await?;
    let bed = bed(&provider).await?;
    let up = [
        ("authorization", "Bearer client-secret"),
        ("x-api-key", "client-secret"),
        ("cookie", "c=d"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("openai-organization", "org-client"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("openai-beta", "assistants=v2"),
    ];
    let request =
        up.into_iter().fold(bed.request(question(false)), |request, (name, value)| request.header(name, value));
    let got = crate::bed::Got::read(request).await?;
    let head = &provider.events().seen[0].head.to_ascii_lowercase();
    for absent in ["client-secret", "cookie", "forwarded", "organization"] {
        assert!(!head.contains(absent), "{absent} is in\n{head}");
    }
    for present in [
        "authorization: bearer a-key-0",
        "traceparent: 00-0af",
        "openai-beta: assistants=v2",
        "accept-encoding: identity",
    ] {
        assert!(head.contains(present), "{present} is not in\n{head}");
    }
    for absent in ["set-cookie", "openai-organization", "x-ratelimit-remaining-requests", "x-request-id"] {
        assert_eq!(got.header(absent), "", "{absent}");
    }
    assert_eq!(got.header("x-penstock-upstream-request-id"), "up-1");
    assert_eq!((got.header("x-penstock-provider"), got.header("x-penstock-model")), ("default/a", "m"));
    Ok(())
}

/// A TLS listener of `localhost` before a provider, and the PEM of the CA that vouches for it.
async fn behind_tls(provider: &Provider) -> anyhow::Result<(u16, String)> {
    use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = certified.signing_key.serialize_der().try_into().map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let (port, behind) = (listener.local_addr()?.port(), provider.address);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut tls = acceptor.accept(socket).await?;
                let mut plain = tokio::net::TcpStream::connect(behind).await?;
                tokio::io::copy_bidirectional(&mut tls, &mut plain).await
            });
        }
    });
    Ok((port, certified.cert.pem()))
}

#[tokio::test]
async fn a_provider_behind_tls_is_reached_if_a_known_ca_vouches_for_it() -> anyhow::Result<()> {
    use crate::provider::{DONE, STOP, end};
    let mut acts = stream(&[&text("over tls"), STOP, DONE]);
    acts.push(end());
    let provider = Provider::always(acts).await?;
    let (port, pem) = behind_tls(&provider).await?;
    let mut resources = Resources::new();
    resources.provider_at("a", &format!("https://localhost:{port}/v1"), &["a-key-0"], json!({}))?;
    let stranger = Bed::start(&resources)?;
    assert_eq!((stranger.stream().await?.status, provider.calls()), (502, 0));
    let roots = penstock_proxy::upstream::roots(Some(pem.as_bytes())).map_err(anyhow::Error::msg)?;
    let bed = Bed::start_with(&resources, |config| config.roots = roots)?;
    for _ in 0..2 {
        assert_eq!(bed.stream().await?.body, [&text("over tls"), STOP, DONE].concat());
    }
    let connections: Vec<_> = provider.events().seen.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0], "a TLS connection is pooled like any other");
    Ok(())
}
