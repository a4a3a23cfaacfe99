//! Answers that break after every token and are finished by another target, whatever it makes of being asked to go on: what
//! the official SDKs put together of them.

use anyhow::ensure;
use futures::future::try_join_all;
use penstock_tests::fake::{Answer, At, Break, Dialect, Fakes, How, Script};
use penstock_tests::gateway::Gateway;

use crate::wall::fault::{Client, no_prefill};
use crate::wall::resources::{SECRET, provider, route};
use crate::wall::sdk::{self, Sdks};
use crate::wall::settlement::{self, Settlement};

/// One without repetitions, so that even what starts over can be told from what goes on, and two of little else.
const PLAIN: &str = "Hello there, how are you today? I am well, and so is everybody else.";
const LAUGHTER: &str = "ha ha ha ha ha ha ha ha ha ha";
const INDENTED: &str = "for x in y:\n  log(x)\n  log(x)\n  log(x)\n";
/// One that reasons not, and continues what an assistant began.
const SECOND: &str = "claude-sonnet-4-5";
/// Of the first target: no healthy one of this machine pauses so long.
const IDLE: &str = "  timeouts: {idle: 1s}\n";

/// What the second target does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Second {
    GoesOn,
    /// It does not take the beginning of an answer, and goes on when it is told to.
    Refuses,
    StartsOver,
}

/// One client's requests for one answer, each of which breaks somewhere else. They come one after the other.
#[derive(Clone, Copy, Debug)]
struct Group {
    client: Client,
    whole: &'static str,
    second: Second,
}

/// Where and how an answer breaks.
struct Broken {
    /// After so many tokens.
    at: usize,
    how: How,
}

#[tokio::test]
async fn an_answer_that_breaks_after_any_token_is_whole_to_every_sdk_whoever_finishes_it() -> anyhow::Result<()> {
    let _turn = crate::TURN.lock().await;
    let groups: Vec<Group> = Group::all().collect();
    let fakes = fakes(&groups)?;
    for group in &groups {
        let models = group.models();
        let models: Vec<&str> = models.iter().map(String::as_str).collect();
        fakes.set_models(&group.first(), &models)?;
        group.scripts().into_iter().for_each(|script| fakes.script(script));
    }
    let resources: String = groups.iter().map(|group| group.resources(&fakes)).collect();
    let gateway = Gateway::start_with(&[SECRET, &resources].concat(), &["--auth", "open"]).await?;
    let sdks = Sdks::start()?;
    let answers = try_join_all(groups.iter().map(|group| group.ask(&sdks, &gateway))).await?;
    let settlements = settlement::read(&gateway)?;
    let mut problems = Vec::new();
    for (group, answers) in groups.iter().zip(&answers) {
        for (broken, answer) in group.breaks().zip(answers) {
            let model = group.model(&broken);
            let settled = settlements.get(&model).map_or(&[][..], Vec::as_slice);
            let checked = group.check(&broken, answer, settled);
            problems.extend(checked.err().map(|why| format!("{model}: {why}: {answer:?} {settled:?}")));
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// Two for each group.
fn fakes(groups: &[Group]) -> anyhow::Result<Fakes> {
    let both = |group: &Group| [(group.first(), group.dialect()), (group.last(), Dialect::Anthropic)];
    let names: Vec<(String, Dialect)> = groups.iter().flat_map(both).collect();
    let fakes: Vec<(&str, Dialect)> = names.iter().map(|(name, dialect)| (name.as_str(), *dialect)).collect();
    Fakes::start_with(&fakes, ([127, 0, 0, 1], 0).into())
}

impl Group {
    fn all() -> impl Iterator<Item = Self> {
        let of = |client| {
            let every = move |second| move |whole| Self { client, whole, second };
            let repetitive = [Second::GoesOn, Second::Refuses]
                .into_iter()
                .flat_map(move |second| [PLAIN, LAUGHTER, INDENTED].map(every(second)));
            // What repeats itself from its first word on may start over or go on: nobody can tell.
            repetitive.chain([every(Second::StartsOver)(PLAIN)])
        };
        Client::ALL.into_iter().flat_map(of)
    }

    fn name(&self) -> String {
        let whole = match self.whole {
            PLAIN => "plain",
            LAUGHTER => "laughter",
            _ => "indented",
        };
        format!("{}-{whole}-{:?}", self.client.name(), self.second).to_lowercase()
    }

    fn first(&self) -> String {
        self.name() + "-first"
    }

    fn last(&self) -> String {
        self.name() + "-last"
    }

    /// The first target speaks as the client does.
    fn dialect(&self) -> Dialect {
        match self.client {
            Client::OpenAI => Dialect::OpenAI,
            Client::Anthropic => Dialect::Anthropic,
            Client::Gemini => Dialect::Gemini,
        }
    }

    /// The tokens of the answer, as a fake sends them.
    fn tokens(&self) -> Vec<&'static str> {
        self.whole.split_inclusive(' ').collect()
    }

    fn breaks(&self) -> impl Iterator<Item = Broken> {
        (1..=self.tokens().len()).flat_map(|at| [How::Close, How::Stall].map(|how| Broken { at, how }))
    }

    /// Of each break its own, since one that breaks so often is not asked any longer.
    fn model(&self, broken: &Broken) -> String {
        format!("{}-{:?}-{}", self.name(), broken.how, broken.at).to_lowercase()
    }

    fn models(&self) -> Vec<String> {
        self.breaks().map(|broken| self.model(&broken)).collect()
    }

    fn resources(&self, fakes: &Fakes) -> String {
        let models = self.models();
        let named =
            models.iter().map(|model| format!("{{name: {model}, exposed: false}}")).collect::<Vec<_>>().join(", ");
        let (first, last) = (self.first(), self.last());
        let providers = [
            provider(&first, self.dialect(), &fakes.url(&first), &named),
            IDLE.to_owned(),
            provider(&last, Dialect::Anthropic, &fakes.url(&last), &format!("{{name: {SECOND}, exposed: false}}")),
        ];
        let routes = models.iter().map(|model| {
            let first = format!("{{provider: {first}, model: {model}, priority: 1}}");
            let targets = format!("{first}, {{provider: {last}, model: {SECOND}, priority: 2}}");
            route(model, model, &targets, ", onStreamBreak: Continue")
        });
        providers.into_iter().chain(routes).collect()
    }

    /// What the client has of the answer when it breaks.
    fn sent(&self, broken: &Broken) -> String {
        self.tokens()[..broken.at].concat()
    }

    /// What a target says that goes on. It was not shown white space at the end of what was sent.
    fn rest(&self, broken: &Broken) -> &'static str {
        &self.whole[self.sent(broken).trim_end().len()..]
    }

    fn scripts(&self) -> [Script; 2] {
        let both = [Script::on(&self.first()), Script::on(&self.last())];
        self.breaks().fold(both, |[first, last], broken| {
            let says = |text: &str| Answer { text: Some(text.to_owned()), ..Answer::default() };
            let at = Some(Break { at: At::Content(broken.at), how: broken.how.clone() });
            let first = first.once(Answer { broken: at, ..says(self.whole) });
            let last = match self.second {
                Second::GoesOn => last.once(says(self.rest(&broken))),
                Second::Refuses => last.once(no_prefill()).once(says(self.rest(&broken))),
                Second::StartsOver => last.once(says(self.whole)),
            };
            [first, last]
        })
    }

    async fn ask(&self, sdks: &Sdks, gateway: &Gateway) -> anyhow::Result<Vec<sdk::Answer>> {
        let mut answers = Vec::new();
        for broken in self.breaks() {
            answers.push(sdks.ask(self.client, &gateway.url(), &self.model(&broken), true).await?);
        }
        Ok(answers)
    }

    /// One answer, as from one target that did not break, and the client pays for what it is told.
    fn check(&self, broken: &Broken, answer: &sdk::Answer, settled: &[Settlement]) -> anyhow::Result<()> {
        ensure!(answer.text == self.whole, "not the answer");
        ensure!(answer.ids.len() == 1, "not one id");
        let ends: &[&str] = match self.client {
            Client::OpenAI => &["stop"],
            Client::Anthropic => &["end_turn"],
            Client::Gemini => &["STOP"],
        };
        ensure!(answer.ends == ends, "not one finish reason");
        let [usage] = answer.usages[..] else { anyhow::bail!("not one usage") };
        ensure!(usage.input + usage.output == usage.total, "it does not add up");
        // The fakes count words. What was sent before, and what of it was repeated, is estimated by its letters.
        let words = |text: &str| text.split_whitespace().count() as u64;
        let least = words(self.rest(broken)).max(words(self.whole) / 2);
        let all = least..=self.whole.len() as u64 / 3;
        ensure!(usage.input > 0 && all.contains(&usage.output), "not what was seen, which is {all:?}");
        let [settled] = settled else { anyhow::bail!("not settled once") };
        ensure!(
            (settled.input_tokens, settled.output_tokens) == (Some(usage.input), Some(usage.output)),
            "the client pays for something else"
        );
        ensure!(settled.continued_from == Some(format!("default/{}", self.first())), "who began is not said");
        ensure!(settled.provider == Some(format!("default/{}", self.last())), "who finished is not said");
        Ok(())
    }
}
