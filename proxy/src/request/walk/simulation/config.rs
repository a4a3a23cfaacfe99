//! What is configured in a simulated world: drawn by chance, changed by chance, and written as the resources of users.

use std::{sync::Arc, time::Duration};

use penstock_config::{
    Meta, ObjectRef, Resource, Secret, SecretState, Settings, Snapshot, World, compile, outbound::Outbound,
};
use penstock_crds::{Balance, FallbackOn};
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};

#[derive(Clone)]
pub(in super::super) struct Config {
    pub(super) providers: Vec<Provider>,
    pub(super) routes: Vec<Route>,
    /// Part of an object that no request comes by.
    beside: u32,
}

#[derive(Clone)]
pub(in super::super) struct Provider {
    /// How often it was pointed elsewhere.
    pub(super) moves: u32,
    /// In order of preference; none: it wants no key. No value ever comes back.
    pub(super) keys: Vec<String>,
    pub(super) attempts: u32,
    pub(super) wait_up_to: Duration,
    /// `firstToken` and `answer`.
    patience: [Duration; 2],
    pub(super) request: Duration,
    /// Dollars for a million tokens.
    pub(super) price: u32,
}

#[derive(Clone)]
pub(super) struct Route {
    /// Providers by their numbers, each once.
    pub(super) targets: Vec<Target>,
    pub(super) fallback_on: Vec<FallbackOn>,
    pub(super) balance: Balance,
}

#[derive(Clone)]
pub(super) struct Target {
    pub(super) provider: usize,
    pub(super) priority: u32,
    weight: u32,
}

impl Config {
    pub(super) fn draw(chance: &mut StdRng) -> Self {
        let providers: Vec<_> = (0..chance.random_range(3..=5)).map(|number| Provider::draw(number, chance)).collect();
        let routes = (0..5).map(|_| Route::draw(providers.len(), chance)).collect();
        Self { providers, routes, beside: 0 }
    }

    /// One route over all of these, in their order.
    pub(in super::super) fn chain(providers: Vec<Provider>, fallback_on: &[FallbackOn]) -> Self {
        let target = |provider| Target { provider, priority: provider as u32 + 1, weight: 1 };
        let targets = (0..providers.len()).map(target).collect();
        let route = Route { targets, fallback_on: fallback_on.to_vec(), balance: Balance::Weighted };
        Self { providers, routes: vec![route], beside: 0 }
    }

    /// The same with one thing changed. `number` is of the change.
    pub(super) fn changed(&self, number: usize, chance: &mut StdRng) -> Self {
        let mut next = self.clone();
        let which = chance.random_range(0..next.providers.len());
        let provider = &mut next.providers[which];
        match chance.random_range(0..7) {
            0 => next.beside += 1,
            1 => provider.attempts = chance.random_range(0..=3),
            2 => provider.moves += 1,
            3 if provider.keys.len() > 1 => drop(provider.keys.remove(0)),
            4 if (1..6).contains(&provider.keys.len()) => provider.keys.push(format!("sk-{which}-more-{number}")),
            _ if !provider.keys.is_empty() => {
                let key = chance.random_range(0..provider.keys.len());
                provider.keys[key] = format!("sk-{which}-new-{number}");
            }
            _ => next.routes[0].fallback_on.clear(),
        }
        next
    }

    /// As `compile` gives it.
    pub(in super::super) fn snapshot(&self) -> Snapshot {
        let mut world = World::new(Settings {
            gateway: "default".into(),
            platform_namespaces: ["default".into()].into(),
            outbound: Outbound::default(),
        });
        for (number, provider) in self.providers.iter().enumerate() {
            let (meta, at) = named(&format!("p{number}"));
            world.providers.insert(at.clone(), Arc::new(Resource::new(meta, spec(provider.spec(number)))));
            // Each key of the Secret is named like its value, so that an order can change and the keys stay the same.
            let data = provider.keys.iter().map(|key| (key.clone(), Secret::new(key))).collect();
            world.secrets.insert(at, SecretState::Found { resource_version: "1".into(), data });
        }
        for (number, route) in self.routes.iter().enumerate() {
            let (meta, at) = named(&format!("r{number}"));
            world.routes.insert(at, Arc::new(Resource::new(meta, spec(route.spec(number)))));
        }
        let (meta, at) = named("beside");
        let beside =
            json!({"models": [format!("beside-{}", self.beside)], "targets": [{"provider": "p0", "model": "m"}]});
        world.routes.insert(at, Arc::new(Resource::new(meta, spec(beside))));
        compile(&world).0
    }
}

fn named(name: &str) -> (Meta, ObjectRef) {
    let meta = Meta { namespace: "default".into(), name: name.into(), ..Meta::default() };
    (meta, ObjectRef::new("default", name))
}

fn spec<S: serde::de::DeserializeOwned>(spec: Value) -> S {
    serde_json::from_value(spec).expect("must be a spec of its kind")
}

fn written(time: Duration) -> String {
    format!("{}s{}ms", time.as_secs(), time.subsec_millis())
}

/// A whole number of milliseconds.
pub(super) fn millis(chance: &mut StdRng, from: u64, to: u64) -> Duration {
    Duration::from_millis(chance.random_range(from..=to))
}

impl Provider {
    pub(in super::super) fn new(number: usize, keys: usize) -> Self {
        Self {
            moves: 0,
            keys: (0..keys).map(|key| format!("sk-{number}-{key}")).collect(),
            attempts: 2,
            wait_up_to: Duration::from_secs(2),
            patience: [Duration::from_secs(10), Duration::from_secs(120)],
            request: Duration::from_secs(60),
            price: 1,
        }
    }

    fn draw(number: usize, chance: &mut StdRng) -> Self {
        let keys = if number == 0 { 0 } else { chance.random_range(1..=3) };
        Self {
            attempts: chance.random_range(0..=3),
            wait_up_to: millis(chance, 300, 3_000),
            patience: [millis(chance, 500, 4_000), millis(chance, 2_000, 9_000)],
            request: millis(chance, 3_000, 20_000),
            price: chance.random_range(1..=9),
            ..Self::new(number, keys)
        }
    }

    pub(super) fn patience(&self, stream: bool) -> Duration {
        self.patience[usize::from(!stream)]
    }

    fn spec(&self, number: usize) -> Value {
        let keys = self.keys.iter().map(|key| json!({"secretRef": {"name": format!("p{number}"), "key": key}}));
        let price = self.price.to_string();
        json!({
            "type": "OpenAI",
            "baseURL": format!("https://p{number}-{}.example.com/v1", self.moves),
            "credentials": keys.collect::<Vec<_>>(),
            "models": [{"name": "m", "exposed": false, "pricing": {"input": price, "output": price}}],
            "retries": {"attempts": self.attempts, "waitUpTo": written(self.wait_up_to)},
            "timeouts": {
                "firstToken": written(self.patience(true)),
                "answer": written(self.patience(false)),
                "request": written(self.request),
            },
        })
    }
}

impl Route {
    fn draw(providers: usize, chance: &mut StdRng) -> Self {
        let mut numbers: Vec<usize> = (0..providers).collect();
        numbers.shuffle(chance);
        numbers.truncate(chance.random_range(1..=4));
        let mut target =
            |provider| Target { provider, priority: chance.random_range(1..=2), weight: chance.random_range(1..=3) };
        let targets = numbers.into_iter().map(&mut target).collect();
        let fallback_on = match chance.random_range(0..6) {
            0 => FallbackOn::ALL.to_vec(),
            1 => FallbackOn::ALL.into_iter().filter(|_| chance.random_bool(0.5)).collect(),
            _ => FallbackOn::DEFAULT.to_vec(),
        };
        let balances = [Balance::Weighted, Balance::LeastLatency, Balance::LeastBusy, Balance::LowestCost];
        Self { targets, fallback_on, balance: balances[chance.random_range(0..balances.len())] }
    }

    fn spec(&self, number: usize) -> Value {
        let target = |target: &Target| {
            json!({
                "provider": format!("p{}", target.provider),
                "model": "m",
                "priority": target.priority,
                "weight": target.weight,
            })
        };
        json!({
            "models": [format!("r{number}")],
            "targets": self.targets.iter().map(target).collect::<Vec<_>>(),
            "fallbackOn": self.fallback_on,
            "balance": self.balance,
        })
    }
}
