//! One wall: every case at once, with healthy requests beside them, and changes of the resources if they are wanted.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use penstock_tests::fake::{Dialect, Fakes, Record, Refusal, Script};
use penstock_tests::gateway::Gateway;
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep_until};

use crate::memory::Memory;

use super::fault::{Case, Client, Fault, Target};
use super::load::{HEALTHY, Load, Served};
use super::resources::{SECRET, another, resources};
use super::sdk::{Answer, Sdks};
use super::settlement::{self, Settlement};
use super::verdict::FLAPPING;

/// How often the resources change, where they do. No pace is too fast for that.
const CHANGE: Duration = Duration::from_millis(100);
/// Between the beginnings of two cases: what all of them ask at once is no fault of a provider.
const BETWEEN: Duration = Duration::from_millis(100);
/// Between two requests to a target that flaps, and so many requests long it is well, or is not.
const ASK: Duration = Duration::from_secs(1);
const FLAP: u64 = 5;
/// So many more changes are made when nobody asks any longer.
const CALM: usize = 100;

/// What happens in one.
pub(crate) struct Wall<'a> {
    pub(crate) sdks: &'a Sdks,
    /// The share that waits last of what they are.
    pub(crate) pace: f64,
    /// Whether the resources change all the time.
    pub(crate) changing: bool,
}

/// What came of one.
pub(crate) struct Outcome {
    pub(crate) cases: Vec<Ended>,
    pub(crate) served: Served,
    pub(crate) memory: Memory,
    /// Bytes before and after changes of the resources at the end, if there were any.
    pub(crate) calm: Option<[u64; 2]>,
    pub(crate) changes: usize,
}

/// What is known of a case that is over.
pub(crate) struct Ended {
    pub(crate) case: Case,
    /// One of each request.
    pub(crate) answers: Vec<Answer>,
    pub(crate) settlements: Vec<Settlement>,
    /// When each target was asked, from the first time on.
    pub(crate) calls: [Vec<Duration>; 2],
}

struct Running<'a> {
    wall: &'a Wall<'a>,
    fakes: Fakes,
    gateway: Gateway,
}

impl Wall<'_> {
    pub(crate) async fn run(&self) -> anyhow::Result<Outcome> {
        let fakes = fakes()?;
        let load = Load::start()?;
        let all = [SECRET.to_owned(), load.resources(), resources(&fakes)].concat();
        let gateway = Gateway::start_with(&all, &["--auth", "open", "--pace", &self.pace.to_string()]).await?;
        self.warm_up(&gateway).await?;
        let running = Running { wall: self, fakes, gateway };
        let (over, is_over) = watch::channel(false);
        let begun = Instant::now();
        let cases = async {
            let cases = Case::all().zip(0..).map(async |(case, place)| {
                sleep_until(begun + BETWEEN * place).await;
                running.case(case).await
            });
            let answers = try_join_all(cases).await;
            over.send_replace(true);
            answers
        };
        let (answers, served, memory, changes) = tokio::join!(
            cases,
            load.run(&running.gateway, is_over.clone()),
            Memory::watch(&running.gateway, is_over.clone()),
            running.change(is_over.clone()),
        );
        let cases = running.ended(answers?)?;
        let calm = if self.changing { Some(running.calm().await?) } else { None };
        Ok(Outcome { cases, served, memory: memory?, calm, changes: changes? })
    }
}

impl Wall<'_> {
    /// The first request of a process takes as long as some faults do.
    async fn warm_up(&self, gateway: &Gateway) -> anyhow::Result<()> {
        for client in Client::ALL {
            for stream in [false, true] {
                let answer = self.sdks.ask(client, &gateway.url(), HEALTHY, stream).await?;
                ensure!(answer.text.contains("You said: hello"), "{}: {answer:?}", client.name());
            }
        }
        Ok(())
    }
}

/// A fake of its own for each target of each case.
pub(crate) fn fakes() -> anyhow::Result<Fakes> {
    let names: Vec<(String, Dialect)> =
        Case::all().flat_map(|case| Target::BOTH.map(|target| (case.provider(target), case.dialect(target)))).collect();
    let names: Vec<(&str, Dialect)> = names.iter().map(|(name, dialect)| (name.as_str(), *dialect)).collect();
    Fakes::start_with(&names, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

impl Running<'_> {
    async fn case(&self, case: Case) -> anyhow::Result<(Case, Vec<Answer>)> {
        case.scripts(self.wall.pace).into_iter().for_each(|script| self.fakes.script(script));
        let answers = match case.fault {
            Fault::Flaps => self.flap(case).await?,
            Fault::RateLimit => vec![self.ask(case).await?, self.ask(case).await?],
            _ => vec![self.ask(case).await?],
        };
        Ok((case, answers))
    }

    async fn ask(&self, case: Case) -> anyhow::Result<Answer> {
        self.wall.sdks.ask(case.client, &self.gateway.url(), &case.name(), case.stream).await
    }

    /// For a minute the first target is asked every second, and fails every other five seconds.
    async fn flap(&self, case: Case) -> anyhow::Result<Vec<Answer>> {
        let mut ticks = interval(ASK.mul_f64(self.wall.pace));
        let mut answers = Vec::new();
        for number in 0..FLAPPING {
            ticks.tick().await;
            if number % FLAP == 0 {
                let first = Script::on(&case.provider(Target::First));
                self.fakes.replace_script(match number / FLAP % 2 {
                    0 => first.forever(Target::First.answer()),
                    _ => first.forever(Refusal::Unavailable),
                });
            }
            answers.push(self.ask(case).await?);
        }
        Ok(answers)
    }

    /// Bytes that the proxy occupies before and after many changes while nobody asks: what each left behind would show.
    async fn calm(&self) -> anyhow::Result<[u64; 2]> {
        let mut ticks = interval(CHANGE);
        let mut before = 0;
        for number in 0..CALM {
            ticks.tick().await;
            // The first ones tidy up after the requests.
            if number == CALM / 4 {
                before = self.gateway.resident()?;
            }
            self.gateway.write_resources("another.yaml", &another(number))?;
        }
        Ok([before, self.gateway.resident()?])
    }

    /// Writes the resources anew until it is over; returns how often.
    async fn change(&self, mut over: watch::Receiver<bool>) -> anyhow::Result<usize> {
        let mut ticks = interval(CHANGE);
        let mut count = 0;
        loop {
            tokio::select! {
                _ = ticks.tick(), if self.wall.changing => {
                    self.gateway.write_resources("another.yaml", &another(count))?;
                    count += 1;
                }
                _ = over.wait_for(|over| *over) => return Ok(count),
            }
        }
    }

    fn ended(&self, answers: Vec<(Case, Vec<Answer>)>) -> anyhow::Result<Vec<Ended>> {
        let settlements = settlement::read(&self.gateway)?;
        let mut records = HashMap::<String, Vec<Record>>::new();
        for record in self.fakes.requests() {
            records.entry(record.provider.clone()).or_default().push(record);
        }
        let end = |(case, answers): (Case, Vec<Answer>)| {
            let settlements = settlements.get(&case.name()).cloned().unwrap_or_default();
            let at = |target| records.get(&case.provider(target)).into_iter().flatten().map(|record| record.at_us);
            let first = Target::BOTH.into_iter().flat_map(at).min().unwrap_or_default();
            let calls = Target::BOTH.map(|target| at(target).map(|at| Duration::from_micros(at - first)).collect());
            Ended { case, answers, settlements, calls }
        };
        Ok(answers.into_iter().map(end).collect())
    }
}
