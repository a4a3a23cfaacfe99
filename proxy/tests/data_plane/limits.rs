//! RateLimits: what passes, what is refused and how, and what is charged.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    bed::{Bed, Got, PATH, Resources, question},
    provider::{Act, DONE, Provider, ROLE, STOP, USAGE, answer, end, says, stream, text},
};

/// Slow enough that nothing comes in while a test runs.
fn a_day(limit: u64) -> Value {
    json!({"limit": limit, "window": "24h"})
}

async fn limited(provider: &Provider, spec: Value) -> anyhow::Result<Bed> {
    let mut resources = Resources::new();
    resources.provider("a", provider, json!({}))?.limit("few", spec)?;
    Bed::start(&resources)
}

fn number(got: &Got, header: &str) -> anyhow::Result<u64> {
    anyhow::Context::with_context(got.header(header).parse(), || format!("{header} of {got:?}"))
}

#[tokio::test]
async fn what_is_above_a_limit_is_refused_before_any_provider_is_asked_and_all_are_told_what_is_left()
-> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = limited(&provider, json!({"requests": {"limit": 2, "window": "24h"}})).await?;
    for left in ["1", "0"] {
        let got = bed.unary().await?;
        assert_eq!((got.status, got.header("x-ratelimit-limit-requests")), (200, "2"));
        assert_eq!(got.header("x-ratelimit-remaining-requests"), left);
    }
    let refused = bed.unary().await?;
    let (of_type, code) = refused.error()?;
    assert_eq!((refused.status, of_type.as_str(), code.as_str()), (429, "rate_limit_error", "rate_limit_exceeded"));
    assert!(refused.body.contains("RateLimit default/few allows 2 requests in 1day"), "{}", refused.body);
    assert!((43_000..=43_200).contains(&number(&refused, "retry-after")?), "half a day");
    assert_eq!(refused.header("x-should-retry"), "");
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
    assert!(refused.header("x-ratelimit-reset-requests").starts_with("23h59m"), "{refused:?}");
    assert_eq!(provider.calls(), 2);
    bed.metric_is("penstock_limited_requests_total{limit=\"default/few\"} 1").await
}

#[tokio::test]
async fn each_dialect_is_refused_in_its_own_words() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = limited(&provider, json!({"requests": a_day(1), "tokens": a_day(100_000)})).await?;
    assert_eq!(bed.unary().await?.status, 200);
    let mut body = question(false);
    body["max_tokens"] = 9.into();
    let ask = async |path: &str| Got::read(bed.client.post(bed.url(path)).body(body.to_string())).await;
    let anthropic = ask("/v1/messages").await?;
    assert!(anthropic.status == 429 && anthropic.body.contains("\"type\":\"rate_limit_error\""), "{anthropic:?}");
    for unit in ["requests", "tokens"] {
        number(&anthropic, &format!("anthropic-ratelimit-{unit}-limit"))?;
        number(&anthropic, &format!("anthropic-ratelimit-{unit}-remaining"))?;
        let reset = anthropic.header(&format!("anthropic-ratelimit-{unit}-reset"));
        assert!(reset.ends_with('Z') && reset.contains('T'), "{reset}");
    }
    assert_eq!(anthropic.header("x-ratelimit-limit-requests"), "");
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let url = bed.url("/v1beta/models/m:generateContent");
    let gemini = Got::read(bed.client.post(url).body(contents.to_string())).await?;
    assert!(gemini.status == 429 && gemini.body.contains("RESOURCE_EXHAUSTED"), "{gemini:?}");
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_larger_than_the_whole_limit_is_a_400_that_names_it() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = limited(&provider, json!({"tokens": a_day(500)})).await?;
    let got = bed.unary().await?;
    assert_eq!((got.status, got.error()?.1.as_str()), (400, "request_exceeds_limit"));
    assert!(got.body.contains("RateLimit default/few allows 500 tokens"), "{}", got.body);
    let mut short = question(false);
    short["max_tokens"] = 100.into();
    assert_eq!(bed.ask(short).await?.status, 200, "a shorter answer was asked for");
    assert_eq!(provider.calls(), 1);
    Ok(())
}

/// What a request was charged: the next one finds as much less.
struct Charged {
    bed: Bed,
    _provider: Provider,
}

impl Charged {
    /// The second request is a good one.
    async fn new(acts: Vec<Act>) -> anyhow::Result<Self> {
        let provider = Provider::start(move |n| if n == 0 { acts.clone() } else { says("hi") }).await?;
        let mut resources = Resources::new();
        let priced = json!({"models": [{"name": "m", "pricing": {"input": "1", "output": "2"}}]});
        let spec = json!({"requests": a_day(100), "tokens": a_day(100_000), "cost": {"limit": "1", "window": "24h"}});
        resources.provider("a", &provider, priced)?.limit("few", spec)?;
        Ok(Self { bed: Bed::start(&resources)?, _provider: provider })
    }

    /// Requests and tokens, of the request that had this answer.
    async fn of(&self, got: &Got) -> anyhow::Result<[u64; 2]> {
        self.bed.metric_is("penstock_requests_in_flight 0").await?;
        let next = self.bed.unary().await?;
        let less = |unit: &str| -> anyhow::Result<u64> {
            let header = format!("x-ratelimit-remaining-{unit}");
            Ok(number(got, &header)? - number(&next, &header)?)
        };
        Ok([less("requests")?, less("tokens")?])
    }
}

#[tokio::test]
async fn each_end_of_a_request_is_charged_as_it_should_be() -> anyhow::Result<()> {
    let whole = [stream(&[ROLE, &text("hi"), STOP, USAGE, DONE]), vec![end()]].concat();
    let long = "word ".repeat(40);
    let broken = [stream(&[ROLE, &text(&long)]), vec![Act::Close]].concat();
    let silent = [stream(&[ROLE]), vec![Act::Close]].concat();
    // What is reported is 3 tokens in and 2 out.
    for (name, acts, is_stream, charged) in [
        ("whole", says("hi"), false, (1, 5..=5)),
        ("whole", whole, true, (1, 5..=5)),
        ("failed", answer(500, "", "{}"), false, (0, 0..=0)),
        ("rejected", answer(400, "", "{}"), false, (0, 0..=0)),
        ("cut before its content", silent, true, (0, 0..=0)),
        ("cut after it", broken, true, (1, 41..=80)),
    ] {
        let case = Charged::new(acts).await?;
        let got = case.bed.ask(question(is_stream)).await?;
        let [requests, tokens] = case.of(&got).await?;
        assert!(charged.0 == requests && charged.1.contains(&tokens), "{name}: {requests} {tokens} {got:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_it_was_sent_and_holds_nothing_back() -> anyhow::Result<()> {
    let long = "word ".repeat(40);
    let case = Charged::new([stream(&[ROLE, &text(&long)]), vec![Act::Hang]].concat()).await?;
    let mut client = TcpStream::connect(case.bed.address).await?;
    let body = question(true).to_string();
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    client.write_all((head + &body).as_bytes()).await?;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("word") {
        anyhow::ensure!(client.read_buf(&mut seen).await? > 0, "closed too early");
    }
    drop(client);
    let head = String::from_utf8_lossy(&seen).into_owned();
    let remaining = |unit: &str| -> anyhow::Result<u64> {
        let name = format!("x-ratelimit-remaining-{unit}: ");
        let line = head.lines().find_map(|line| line.strip_prefix(&name));
        Ok(line.ok_or_else(|| anyhow::anyhow!("{name} must be in {head}"))?.parse()?)
    };
    case.bed.metric_is("penstock_requests_in_flight 0").await?;
    let next = case.bed.unary().await?;
    assert_eq!(remaining("requests")? - number(&next, "x-ratelimit-remaining-requests")?, 1);
    let tokens = remaining("tokens")? - number(&next, "x-ratelimit-remaining-tokens")?;
    assert!((41..=80).contains(&tokens), "{tokens}");
    Ok(())
}

#[tokio::test]
async fn dollars_are_limited_by_what_was_really_spent() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    // A dollar for a token of the answer, in effect: 2 of them are reported, at 500,000 for a million.
    let priced = json!({"models": [{"name": "m", "pricing": {"input": "0", "output": "500000"}}]});
    let limit = json!({"cost": {"limit": "3", "window": "24h"}});
    resources.provider("a", &provider, priced)?.limit("few", limit)?;
    let bed = Bed::start(&resources)?;
    let mut one = question(false);
    one["max_tokens"] = 4.into();
    let statuses: Vec<u16> = [bed.ask(one.clone()).await?, bed.ask(one).await?].map(|got| got.status).into();
    assert_eq!(statuses, [200, 200], "each may cost 2 dollars, and costs 1");
    let mut dear = question(false);
    dear["max_tokens"] = 100.into();
    let refused = bed.ask(dear).await?;
    assert_eq!(refused.status, 400);
    assert!(
        refused.body.contains("allows 3 US dollars in 1day") && refused.body.contains("may cost 50"),
        "{refused:?}"
    );
    let mut two = question(false);
    two["max_tokens"] = 3.into();
    assert_eq!(bed.ask(two).await?.status, 429, "one dollar is left");
    Ok(())
}

const KEY: &str = "a-key-of-twenty-characters";

/// Whether the user of this name may ask still.
async fn passes(bed: &Bed, key: Option<&str>, header: Option<&str>, body_user: Option<&str>) -> anyhow::Result<u16> {
    let mut body = question(false);
    if let Some(user) = body_user {
        body["user"] = user.into();
    }
    let mut request = bed.request(body);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    if let Some(user) = header {
        request = request.header("x-end-user", user);
    }
    Ok(Got::read(request).await?.status)
}

#[tokio::test]
async fn a_user_is_who_the_consumer_says_and_no_header_counts_that_it_does_not_name() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let spec = json!({"per": ["User"], "requests": a_day(1)});
    let bed = async |user_from: Value| -> anyhow::Result<Bed> {
        let mut resources = Resources::new();
        resources.provider("a", &provider, json!({}))?.limit("few", spec.clone())?;
        resources.consumer_with("c", KEY, json!({"userFrom": user_from}))?;
        Bed::start(&resources)
    };
    let by_header = bed(json!({"type": "Header", "header": "X-End-User"})).await?;
    let ask = async |user: Option<&str>| passes(&by_header, Some(KEY), user, Some("of the body")).await;
    assert_eq!([ask(Some("alice")).await?, ask(Some("alice")).await?, ask(Some("bob")).await?], [200, 429, 200]);
    assert_eq!([ask(None).await?, ask(None).await?], [200, 429], "the Consumer itself");
    assert_eq!(ask(Some(&"x".repeat(257))).await?, 400);

    let by_body = bed(json!({"type": "Body"})).await?;
    let ask = async |user: &str| passes(&by_body, Some(KEY), Some("of a header"), Some(user)).await;
    assert_eq!([ask("alice").await?, ask("alice").await?, ask("bob").await?], [200, 429, 200]);
    assert_eq!(ask(&"x".repeat(1 << 19)).await?, 400);

    let itself = bed(json!({"type": "Consumer"})).await?;
    assert_eq!(passes(&itself, Some(KEY), Some("alice"), Some("alice")).await?, 200);
    assert_eq!(passes(&itself, Some(KEY), Some("bob"), Some("bob")).await?, 429, "nobody asked who that is");
    Ok(())
}

#[tokio::test]
async fn without_a_consumer_a_user_is_what_the_request_says_or_an_address() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = limited(&provider, json!({"per": ["User"], "requests": a_day(1)})).await?;
    assert_eq!(passes(&bed, None, None, Some("alice")).await?, 200);
    assert_eq!(passes(&bed, None, None, Some("alice")).await?, 429);
    assert_eq!(passes(&bed, None, None, None).await?, 200);
    assert_eq!(passes(&bed, None, Some("spoofed"), None).await?, 429, "from the same address");
    assert_eq!(passes(&bed, None, None, Some("127.0.0.1")).await?, 429, "it is who it says");
    Ok(())
}

#[tokio::test]
async fn a_change_of_the_resources_fills_no_bucket_and_another_number_of_proxies_shares_it_anew() -> anyhow::Result<()>
{
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?.limit("few", json!({"requests": a_day(6)}))?;
    let bed = Bed::start(&resources)?;
    assert_eq!(bed.unary().await?.header("x-ratelimit-remaining-requests"), "5");
    resources.limit("another", json!({"requests": a_day(9)}))?;
    bed.live.apply(&resources.snapshot());
    assert_eq!(bed.unary().await?.header("x-ratelimit-remaining-requests"), "4");
    bed.live.share_limits_among(2);
    assert_eq!(bed.unary().await?.header("x-ratelimit-remaining-requests"), "2", "each of them takes two of six");
    assert_eq!([bed.unary().await?.status, bed.unary().await?.status], [200, 429]);
    Ok(())
}

#[tokio::test]
async fn a_provider_whose_limit_is_used_up_is_passed_by_and_the_client_told_when_no_other_is_left() -> anyhow::Result<()>
{
    let first = Provider::always(says("first")).await?;
    let second = Provider::always(says("second")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &first, json!({}))?.provider("b", &second, json!({}))?;
    resources.route(&["a", "b"], json!({"fallbackOn": []}))?;
    resources.limit("few", json!({"per": ["Provider"], "requests": a_day(2)}))?;
    let bed = Bed::start(&resources)?;
    for said in ["first", "first", "second", "second"] {
        let got = bed.unary().await?;
        assert!(got.status == 200 && got.body.contains(said), "{said}: {got:?}");
    }
    let refused = bed.unary().await?;
    assert_eq!((refused.status, refused.error()?.1.as_str()), (429, "rate_limit_exceeded"));
    assert!(refused.body.contains("RateLimit default/few"), "{}", refused.body);
    assert_eq!((first.calls(), second.calls()), (2, 2));
    Ok(())
}

#[tokio::test]
async fn a_provider_s_tokens_are_what_its_attempts_took_of_it() -> anyhow::Result<()> {
    let failing = Provider::always(answer(500, "", "{}")).await?;
    let good = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &failing, json!({}))?.provider("b", &good, json!({}))?;
    resources.route(&["a", "b"], json!({}))?;
    // An attempt may take some 1,030 tokens; a good one takes 5, a failed one none.
    resources.limit("few", json!({"per": ["Provider"], "tokens": a_day(1_060)}))?;
    let bed = Bed::start(&resources)?;
    let statuses: Vec<u16> = {
        let mut all = Vec::new();
        for _ in 0..9 {
            all.push(bed.unary().await?.status);
        }
        all
    };
    assert!(
        statuses.starts_with(&[200, 200]) && statuses.contains(&502),
        "until less is left than one may take: {statuses:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_fallback_that_may_cost_more_is_reserved_for_before_it_is_asked() -> anyhow::Result<()> {
    let cheap = Provider::start(|call| if call < 2 { answer(500, "", "{}") } else { says("hi") }).await?;
    let dear = Provider::always(says("hi")).await?;
    let price = |output: &str| json!({"models": [{"name": "m", "pricing": {"input": "0", "output": output}}]});
    let mut resources = Resources::new();
    resources.provider("a", &cheap, price("1000000"))?.provider("b", &dear, price("3000000"))?;
    resources.route(&["a", "b"], json!({}))?;
    resources.limit("dollars", json!({"cost": {"limit": "8", "window": "24h"}}))?;
    let bed = Bed::start(&resources)?;
    let ask = async || {
        let mut body = question(false);
        body["max_tokens"] = 2.into();
        bed.ask(body).await
    };
    // Two dollars are reserved for the first, four more for the second, which takes six.
    assert_eq!(ask().await?.status, 200);
    assert_eq!(ask().await?.status, 502, "two are left and not six, so nobody is asked in place of the first");
    assert_eq!((cheap.calls(), dear.calls()), (2, 1));
    assert_eq!(ask().await?.status, 200, "nothing of the refused one is kept");
    Ok(())
}
