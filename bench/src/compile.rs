//! Compilation: 1,000 routes at once, and one change among 10,000 objects.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use penstock_config::{Compiler, Meta, ObjectRef, Resource, Secret, SecretState, Settings, World, outbound::Outbound};
use serde_json::json;

use crate::report;

const RUNS: usize = 21;

pub(crate) fn run() {
    let world = world(1_000, 1_000);
    let all = median((0..RUNS).map(|_| {
        let start = Instant::now();
        std::hint::black_box(penstock_config::compile(&world));
        start.elapsed()
    }));
    report::line("compile 1,000 routes over 1,000 providers", millis(all), "ms", 100.0);

    let mut world = self::world(5_000, 5_000);
    let mut compiler = Compiler::default();
    let (mut before, _) = compiler.compile(&world);
    let one = median((0..RUNS).map(|run| {
        let start = Instant::now();
        world.providers.insert(ObjectRef::new("platform", "p7"), provider(7, run + 1));
        let (after, _) = compiler.compile(&world);
        let delta = after.since(&before);
        let took = start.elapsed();
        assert!(!delta.upsert.is_empty(), "the change must show");
        before = after;
        took
    }));
    report::line("one change among 10,000 objects, with delta", millis(one), "ms", 50.0);
}

fn world(providers: usize, routes: usize) -> World {
    let mut world = World::new(Settings {
        gateway: "default".to_owned(),
        platform_namespaces: ["platform".to_owned()].into(),
        outbound: Outbound::default(),
    });
    let data = [("key".to_owned(), Secret::new("sk-some-key-of-a-provider"))];
    let keys = SecretState::Found { resource_version: "1".to_owned(), data: data.into() };
    world.secrets.insert(ObjectRef::new("platform", "keys"), keys);
    for index in 0..providers {
        world.providers.insert(ObjectRef::new("platform", format!("p{index}")), provider(index, 0));
    }
    for index in 0..routes {
        let spec = json!({
            "models": [format!("route-{index}")],
            "targets": [
                {"provider": format!("p{}", index % providers), "model": "gpt-4o", "priority": 1},
                {"provider": format!("p{}", (index + 1) % providers), "model": "gpt-4o-mini", "priority": 2},
            ],
            "timeouts": {"firstToken": "5s"},
        });
        let name = format!("r{index}");
        world.routes.insert(ObjectRef::new("platform", &name), resource(&name, spec));
    }
    world
}

/// Differs from run to run in a URL.
fn provider<S: serde::de::DeserializeOwned + penstock_crds::Spec>(index: usize, run: usize) -> Arc<Resource<S>> {
    let spec = json!({
        "type": "OpenAI",
        "baseURL": format!("https://eu{run}.example.com/v1"),
        "credentials": [{"secretRef": {"name": "keys", "key": "key"}}],
        "models": [{"name": "gpt-4o", "exposed": false}, {"name": "gpt-4o-mini", "exposed": false}],
    });
    resource(&format!("p{index}"), spec)
}

fn resource<S: serde::de::DeserializeOwned + penstock_crds::Spec>(
    name: &str,
    spec: serde_json::Value,
) -> Arc<Resource<S>> {
    let meta = Meta { namespace: "platform".to_owned(), name: name.to_owned(), ..Meta::default() };
    Arc::new(Resource::new(meta, serde_json::from_value(spec).expect("must be a spec")))
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
