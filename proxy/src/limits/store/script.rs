//! What `script.lua` is asked, and what it answers.

use std::sync::{Arc, LazyLock, Mutex};

use penstock_config::object::Rate;
use redis::{Cmd, RedisResult, Script, Value, from_redis_value};

use super::{
    super::{
        Amounts,
        bucket::News,
        table::{self, Buckets, Shares},
    },
    Connection,
};

pub(super) const SCRIPT: &str = include_str!("script.lua");

static LOADED: LazyLock<Script> = LazyLock::new(|| Script::new(SCRIPT));

/// A bucket there, and what the limit allows.
#[derive(Clone, Debug)]
pub(in super::super) struct Place {
    pub(in super::super) key: String,
    pub(in super::super) rates: Amounts<Option<Rate>>,
    /// Milliseconds after which it may be forgotten, whatever is spent; it is not before all has come back.
    pub(in super::super) keep: u64,
}

/// A place that something is to be taken of, and what the store is told of it.
pub(in super::super) struct Wanted {
    pub(in super::super) place: Place,
    pub(in super::super) news: Amounts<News>,
    /// Whose news it is, and how many proxies share them.
    pub(in super::super) buckets: Arc<Mutex<Buckets>>,
    pub(in super::super) among: u32,
}

impl Wanted {
    /// The store did not hear the news.
    pub(super) fn untell(&self) {
        table::lock(&self.buckets).untell(&Shares { rates: &self.place.rates, among: self.among }, &self.news);
    }
}

/// What it answers to a reservation.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Reply {
    pub(in super::super) is_taken: bool,
    /// When what was reserved expires, by its clock.
    pub(in super::super) until: u64,
    /// What is spent of each place now, in units times milliseconds of the window.
    pub(in super::super) spent: Vec<Amounts<Option<u128>>>,
}

/// What was reserved, and has been used.
#[derive(Clone, Debug)]
pub(in super::super) struct Settling {
    pub(in super::super) places: Vec<Place>,
    /// Of the reservation; 0 for what was taken elsewhere.
    pub(in super::super) until: u64,
    pub(in super::super) reserved: Amounts<u64>,
    pub(in super::super) used: Amounts<u64>,
}

/// Takes the amounts of all, or of none; an error after `latest` by the store's clock. What is taken expires after so many
/// milliseconds, unless it is settled.
pub(super) fn reserve(wanted: &[Wanted], amounts: &Amounts<u64>, wait: u64, latest: u64) -> Arguments {
    let mut arguments = Arguments::new("reserve", wanted.iter().map(|wanted| wanted.place.key.as_str()));
    arguments.number(wait);
    arguments.number(latest);
    for Wanted { place: Place { rates, keep, .. }, news, .. } in wanted {
        arguments.number(*keep);
        let each = rates.zip(*amounts).zip(*news);
        each.map(|((rate, amount), News { begin, more })| arguments.kind(rate, [amount.into(), begin, more]));
    }
    arguments
}

/// Sets right what was reserved.
pub(super) fn settle(settling: &Settling) -> Arguments {
    let Settling { places, until, reserved, used } = settling;
    let mut arguments = Arguments::new("settle", places.iter().map(|place| place.key.as_str()));
    for Place { rates, keep, .. } in places {
        arguments.number(*keep);
        arguments.number(*until);
        let each = rates.zip(*reserved).zip(*used);
        each.map(|((rate, reserved), used)| arguments.kind(rate, [reserved.into(), used.into()]));
    }
    arguments
}

/// Writes something, to see whether that can be. Answers the [`time`].
pub(super) fn probe(key: &str) -> Arguments {
    Arguments::new("probe", [key].into_iter())
}

/// Of a call, without the script.
pub(super) struct Arguments(Vec<Vec<u8>>);

impl Arguments {
    fn new<'a>(verb: &str, keys: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let mut arguments = vec![keys.len().to_string().into_bytes()];
        arguments.extend(keys.map(|key| key.as_bytes().to_vec()));
        arguments.push(verb.into());
        Self(arguments)
    }

    pub(super) fn number(&mut self, number: impl ToString) {
        self.0.push(number.to_string().into_bytes());
    }

    fn kind<const N: usize>(&mut self, rate: Option<Rate>, figures: [u128; N]) {
        let Some(rate) = rate else { return self.0.push(b"-".to_vec()) };
        self.number(rate.window_ms);
        self.number(rate.limit);
        self.number(u128::from(rate.burst) * u128::from(rate.window_ms));
        figures.into_iter().for_each(|figure| self.number(figure));
    }

    pub(super) fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script);
        for argument in &self.0 {
            command.arg(argument.as_slice());
        }
        command
    }
}

/// One round trip; two where the server does not know the script yet.
pub(super) async fn run(connection: &mut Connection, arguments: &Arguments) -> RedisResult<Vec<Value>> {
    match connection.query(&arguments.command("EVALSHA", LOADED.get_hash())).await {
        Err(error) if error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript) => {
            connection.query(&arguments.command("EVAL", SCRIPT)).await
        }
        answered => answered,
    }
}

/// The store's clock, in milliseconds.
pub(super) fn time(answered: Vec<Value>) -> RedisResult<u64> {
    from_redis_value(answered.into_iter().next().unwrap_or(Value::Nil)).map_err(Into::into)
}

impl Reply {
    /// Of a reservation.
    pub(super) fn read(values: Vec<Value>) -> RedisResult<Self> {
        let mut values = values.into_iter();
        let mut word = || from_redis_value::<Option<String>>(values.next().unwrap_or(Value::Nil));
        let number = |word: Option<String>| word.and_then(|word| word.parse().ok());
        let (taken, until) = (word()?, word()?);
        let mut spent = Vec::new();
        while let Some(requests) = word()? {
            let [requests, tokens, cost] = [Some(requests), word()?, word()?].map(number);
            spent.push(Amounts { requests, tokens, cost });
        }
        Ok(Self { is_taken: taken.as_deref() == Some("1"), until: number(until).unwrap_or(0) as u64, spent })
    }
}
