//! What Prometheus sees of the operator. Handles are made once; no label comes from an object's text.

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
    exponential_buckets,
};

/// All of the operator's metrics.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) compiles: IntCounter,
    pub(crate) compile_seconds: Histogram,
    pub(crate) published: IntCounter,
    pub(crate) connected_proxies: IntGauge,
    pub(crate) snapshot_bytes: IntGauge,
    pub(crate) ack_lag_seconds: Histogram,
    pub(crate) is_leader: IntGauge,
    /// By kind: how many objects compile refused, and how many a proxy did.
    pub(crate) refused_objects: IntGaugeVec,
    pub(crate) proxy_refused_objects: IntGauge,
    pub(crate) status_writes: IntCounter,
    pub(crate) snapshot_not_stored: IntCounter,
    pub(crate) events_dropped: IntCounter,
    pub(crate) issuer_failures: IntCounter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let seconds = |start, factor, count| exponential_buckets(start, factor, count).expect("must be rising");
        Self {
            compiles: counter(&registry, "compiles_total", "Compilations of all resources."),
            compile_seconds: histogram(
                &registry,
                "compile_seconds",
                "Time of one compilation.",
                seconds(0.0001, 4.0, 8),
            ),
            published: counter(&registry, "snapshots_published_total", "Snapshots that were new and sent to proxies."),
            connected_proxies: gauge(&registry, "connected_proxies", "Proxies with an open stream."),
            snapshot_bytes: gauge(&registry, "snapshot_bytes", "Size of the published snapshot, as sent whole."),
            ack_lag_seconds: histogram(
                &registry,
                "ack_lag_seconds",
                "Time from publishing a snapshot to a proxy's ACK of it.",
                seconds(0.001, 4.0, 9),
            ),
            is_leader: gauge(&registry, "is_leader", "1 on the replica that leads, else 0."),
            refused_objects: {
                let name = "penstock_operator_refused_objects";
                let opts = Opts::new(name, "Objects that were refused when resources were compiled.");
                register(&registry, IntGaugeVec::new(opts, &["kind"]).expect("must be valid metrics"))
            },
            proxy_refused_objects: gauge(
                &registry,
                "proxy_refused_objects",
                "Objects that at least one proxy could not build.",
            ),
            status_writes: counter(&registry, "status_writes_total", "Status of objects written to the API server."),
            snapshot_not_stored: counter(
                &registry,
                "snapshot_not_stored_total",
                "Snapshots that were too large for the stored copy.",
            ),
            issuer_failures: counter(
                &registry,
                "issuer_failures_total",
                "Times that the API server did not say who signs the tokens of ServiceAccounts.",
            ),
            events_dropped: counter(&registry, "events_dropped_total", "Events that nobody could be told of in time."),
            registry,
        }
    }

    /// The text form.
    pub(crate) fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("must encode into memory");
        text
    }
}

fn register<M: Collector + Clone + 'static>(registry: &Registry, metric: M) -> M {
    registry.register(Box::new(metric.clone())).expect("must not be registered twice");
    metric
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    let metric = IntCounter::new(format!("penstock_operator_{name}"), help);
    register(registry, metric.expect("must be a valid metric"))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    let metric = IntGauge::new(format!("penstock_operator_{name}"), help);
    register(registry, metric.expect("must be a valid metric"))
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: Vec<f64>) -> Histogram {
    let opts = HistogramOpts::new(format!("penstock_operator_{name}"), help).buckets(buckets);
    register(registry, Histogram::with_opts(opts).expect("must be a valid metric"))
}
