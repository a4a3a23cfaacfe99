//! The same as limits find it: what is missing in the buckets after each end of a request, against what the provider really wrote.

use std::ops::RangeInclusive;

use anyhow::{Context as _, ensure};

use super::*;
use crate::provider::{DONE, ROLE, STOP, USAGE, delta, says};

/// What the buckets hold, which takes a day to come in: a token in more than 20 seconds, so that none does while a test runs.
const REQUESTS: u64 = 100;
const TOKENS: u64 = 4_000;
/// In millionths of a dollar: as many as a token of a prompt costs one, and of an answer two.
const COST: u64 = 2_000;
const DAY: u64 = 86_400;
/// Of what a prompt of two letters may be taken for.
const SHORT: RangeInclusive<u64> = 1..=20;

/// How a request goes.
struct Row {
    name: &'static str,
    acts: Vec<Act>,
    /// How often the provider is asked again.
    retries: u32,
    asks: Asks,
    client: Client,
    pays: Pays,
}

#[derive(Clone, Copy)]
enum Asks {
    Whole,
    Stream,
    Thinking,
    ThreeChoices,
    Vectors,
}

enum Client {
    Stays,
    /// After so many words.
    Leaves(usize),
    /// As soon as the provider has its request.
    LeavesAtOnce,
}

/// What must be missing.
#[derive(Clone, Debug)]
struct Pays {
    requests: u64,
    input: RangeInclusive<u64>,
    output: RangeInclusive<u64>,
}

const NOTHING: Pays = Pays { requests: 0, input: 0..=0, output: 0..=0 };
const PROMPT: Pays = Pays { requests: 1, input: SHORT, output: 0..=0 };

impl Pays {
    fn exactly(input: u64, output: u64) -> Self {
        Self { requests: 1, input: input..=input, output: output..=output }
    }

    /// No less than what was written, and no more than its bytes.
    fn about(input: RangeInclusive<u64>, words: usize) -> Self {
        Self { requests: 1, input, output: some(words) }
    }
}

fn some(words: usize) -> RangeInclusive<u64> {
    words as u64..=words as u64 * 5
}

impl Row {
    fn stays(name: &'static str, asks: Asks, acts: Vec<Act>, pays: Pays) -> Self {
        Self { name, acts, retries: 0, asks, client: Client::Stays, pays }
    }
}

impl Asks {
    fn body(self) -> Value {
        let mut body = asks("m", !matches!(self, Self::Whole));
        body["max_tokens"] = 200.into();
        match self {
            Self::Whole | Self::Stream => {}
            Self::Thinking => body["reasoning_effort"] = "high".into(),
            Self::ThreeChoices => body["n"] = 3.into(),
            Self::Vectors => return json!({"model": "m", "input": "word ".repeat(WRITTEN)}),
        }
        body
    }
}

/// Limits of which the first request took something already. The second meets the acts of a row.
struct Limited {
    bed: Bed,
    provider: Provider,
}

impl Limited {
    async fn new(vendor: Vendor, row: &Row) -> anyhow::Result<Self> {
        let (good, acts) = (whole(vendor, true), row.acts.clone());
        let provider = Provider::start(move |n| if n == 1 { acts.clone() } else { good.clone() }).await?;
        let mut spec = priced("m", vendor);
        spec["retries"] = json!({"attempts": row.retries});
        let dear = json!({"name": "probe", "upstreamName": "real", "pricing": {"input": "0", "output": "1"}});
        spec["models"].as_array_mut().context("models")?.push(dear);
        let day = |limit: Value| json!({"limit": limit, "window": "24h"});
        let dollars = format!("0.{COST:06}");
        let limit =
            json!({"requests": day(REQUESTS.into()), "tokens": day(TOKENS.into()), "cost": day(dollars.into())});
        let probes = json!({"models": ["probe"], "targets": [{"provider": "a", "model": "probe"}],
            "expectedOutputTokens": COST});
        let mut resources = Resources::new();
        resources.provider("a", &provider, spec)?.limit("few", limit)?.route(&[], probes)?;
        let limited = Self { bed: Bed::start(&resources)?, provider };
        ensure!(Got::read(limited.ask(Asks::Stream)).await?.status == 200);
        Ok(limited)
    }

    fn ask(&self, asks: Asks) -> reqwest::RequestBuilder {
        match asks {
            Asks::Vectors => self.bed.client.post(self.bed.url("/v1/embeddings")).body(asks.body().to_string()),
            _ => self.bed.request(asks.body()),
        }
    }

    /// Requests, tokens and millionths of a dollar that are missing. Who asks for all the dollars that there ever are is refused,
    /// takes nothing, and is told when they will have come in.
    async fn missing(&self) -> anyhow::Result<[u64; 3]> {
        self.bed.metric_is("penstock_requests_in_flight 0").await?;
        let mut body = asks("probe", false);
        body["max_tokens"] = COST.into();
        let got = self.bed.ask(body).await?;
        ensure!(got.status == 429 && got.body.contains("US dollars"), "{got:?}");
        let number = |header: &str| got.header(header).parse::<u64>().with_context(|| format!("{header} of {got:?}"));
        let cost = (number("retry-after")? as f64 * COST as f64 / DAY as f64).round();
        let (requests, tokens) = (number("x-ratelimit-remaining-requests")?, number("x-ratelimit-remaining-tokens")?);
        Ok([REQUESTS - requests, TOKENS - tokens, cost as u64])
    }

    async fn run(&self, row: &Row) -> anyhow::Result<()> {
        match row.client {
            Client::Stays => drop(Got::read(self.ask(row.asks)).await?),
            Client::Leaves(words) => {
                let (mut response, mut got) = (self.ask(row.asks).send().await?, String::new());
                while got.matches("word ").count() < words {
                    got += std::str::from_utf8(&response.chunk().await?.context("must go on")?)?;
                }
            }
            Client::LeavesAtOnce => {
                let request = tokio::spawn(self.ask(row.asks).send());
                self.provider.until(|events| events.seen.len() == 2).await?;
                request.abort();
            }
        }
        Ok(())
    }
}

async fn check(vendor: Vendor, row: Row) -> anyhow::Result<()> {
    let limited = Limited::new(vendor, &row).await?;
    let before = limited.missing().await?;
    assert_eq!(before, [1, INPUT + WRITTEN as u64, INPUT + 2 * WRITTEN as u64], "what the first took");
    limited.run(&row).await?;
    let after = limited.missing().await?;
    let [requests, tokens, cost] = [0, 1, 2].map(|kind| after[kind].checked_sub(before[kind]));
    let case = format!("{} of {vendor:?}: {before:?}, then {after:?}, must be {:?}", row.name, row.pays);
    let (tokens, cost) = (tokens.expect(&case), cost.expect(&case));
    // A token of an answer costs twice what one of a prompt does.
    let (input, output) = ((2 * tokens).checked_sub(cost).expect(&case), cost.checked_sub(tokens).expect(&case));
    assert!(requests == Some(row.pays.requests), "{case}");
    assert!(row.pays.input.contains(&input) && row.pays.output.contains(&output), "{case}: {input} and {output}");
    Ok(())
}

#[tokio::test]
async fn what_is_missing_in_buckets_is_what_each_end_is_charged() -> anyhow::Result<()> {
    for vendor in Vendor::ALL {
        let cut = [events(&vendor.reports_early()), vec![Act::Close]].concat();
        let unreported = || Pays::about(SHORT, WRITTEN);
        let unary = || answer(200, "", &vendor.answer("word ", WRITTEN));
        // Of what broke, the prompt is as reported where that came before.
        let input = if vendor.reports_input_first() { INPUT..=INPUT } else { SHORT };
        let partly = || Pays::about(input.clone(), BROKEN);
        let breaks = |then| words(vendor, true, BROKEN, [then]);
        let rows = [
            Row::stays("reported", Asks::Stream, whole(vendor, true), Pays::exactly(INPUT, WRITTEN as u64)),
            Row::stays("not reported", Asks::Stream, whole(vendor, false), unreported()),
            Row::stays("whole, not reported", Asks::Whole, unary(), unreported()),
            Row::stays("failed", Asks::Whole, answer(500, "", "{}"), NOTHING),
            Row::stays("rejected", Asks::Stream, answer(400, "", "{}"), NOTHING),
            Row::stays("cut before its content", Asks::Stream, cut.clone(), NOTHING),
            Row {
                retries: 1,
                ..Row::stays("cut, then reported", Asks::Stream, cut, Pays::exactly(INPUT, WRITTEN as u64))
            },
            Row::stays("broken", Asks::Stream, breaks(Act::Close), partly()),
            Row { client: Client::Leaves(BROKEN), ..Row::stays("left", Asks::Stream, breaks(Act::Hang), partly()) },
            Row { client: Client::LeavesAtOnce, ..Row::stays("cancelled", Asks::Stream, vec![Act::Hang], PROMPT) },
        ];
        for row in rows {
            check(vendor, row).await?;
        }
    }
    Ok(())
}

/// Three answers of a third of the words each, in turn.
fn three(reports: bool) -> Vec<Act> {
    let of = |event: String, choice: usize| event.replace("\"index\":0", &format!("\"index\":{choice}"));
    let mut all: Vec<String> = (0..3).map(|choice| of(ROLE.to_owned(), choice)).collect();
    all.extend((0..WRITTEN).map(|n| of(delta("{\"content\":\"word \"}"), n % 3)));
    all.extend((0..3).map(|choice| of(STOP.to_owned(), choice)));
    all.extend(reports.then(|| USAGE.replace("\"completion_tokens\":2", &format!("\"completion_tokens\":{WRITTEN}"))));
    all.push(DONE.to_owned());
    [events(&all), vec![end()]].concat()
}

#[tokio::test]
async fn vectors_several_answers_and_unseen_thinking_are_missing_too() -> anyhow::Result<()> {
    let vendor = Vendor::OpenAI;
    let vector = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]}],"model":"real"}"#;
    let counted = vector.replace("\"model\"", r#""usage":{"prompt_tokens":61,"total_tokens":61},"model""#);
    let second = vec![Act::Wait(Duration::from_secs(1))];
    let thinks = [events(&vendor.begins(true)), second, words(vendor, true, 1, [Act::Hang]).split_off(2)].concat();
    let rows = [
        Row::stays("whole, reported", Asks::Whole, says("hi"), Pays::exactly(3, 2)),
        Row::stays("vectors", Asks::Vectors, answer(200, "", &counted), Pays::exactly(61, 0)),
        Row::stays(
            "vectors, not reported",
            Asks::Vectors,
            answer(200, "", vector),
            Pays { input: some(WRITTEN), ..PROMPT },
        ),
        Row::stays("three", Asks::ThreeChoices, three(true), Pays::exactly(3, WRITTEN as u64)),
        Row::stays("three, not reported", Asks::ThreeChoices, three(false), Pays::about(SHORT, WRITTEN)),
        Row {
            client: Client::Leaves(1),
            // 50 a second, and no more than the client allows.
            ..Row::stays("thinking, left", Asks::Thinking, thinks, Pays { output: 51..=205, ..PROMPT })
        },
    ];
    for row in rows {
        check(vendor, row).await?;
    }
    Ok(())
}
