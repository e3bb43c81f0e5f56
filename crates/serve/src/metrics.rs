//! Counters, gauges and histograms for Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::model::Version;
use crate::request_error::{ErrorKind, RequestError};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    protocol: &'static str,
    route: String,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    model: String,
    version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    model: String,
    version: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoadLabels {
    model: String,
    outcome: &'static str,
}

/// The state of a server that its gauges show.
pub(crate) struct Gauges {
    /// The number of requests that wait.
    pub(crate) waiting: usize,
    /// The number of connections that are open.
    pub(crate) connections: usize,
    /// The time since the server started.
    pub(crate) uptime: Duration,
    /// The versions that answer.
    pub(crate) live: Vec<Arc<Version>>,
}

/// Counters, gauges and histograms, and their text form.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    inferences: Family<OutcomeLabels, Counter>,
    rows: Family<ModelLabels, Counter>,
    duration: Family<ModelLabels, Histogram>,
    loads: Family<LoadLabels, Counter>,
    waiting: Gauge,
    connections: Gauge,
    uptime: Gauge<f64, AtomicU64>,
    ready: Family<ModelLabels, Gauge>,
    memory: Family<ModelLabels, Gauge>,
    batches: Family<ModelLabels, Gauge<i64, AtomicI64>>,
    queued: Family<ModelLabels, Gauge<f64, AtomicU64>>,
    computed: Family<ModelLabels, Gauge<f64, AtomicU64>>,
}

/// A histogram of durations from 0.1 ms to 10 s.
fn durations() -> Histogram {
    Histogram::new([
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        10.0,
    ])
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("abeyance"),
            requests: Family::default(),
            inferences: Family::default(),
            rows: Family::default(),
            duration: Family::new_with_constructor(durations),
            loads: Family::default(),
            waiting: Gauge::default(),
            connections: Gauge::default(),
            uptime: Gauge::default(),
            ready: Family::default(),
            memory: Family::default(),
            batches: Family::default(),
            queued: Family::default(),
            computed: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "requests",
            "Requests that were answered, by protocol, route and status",
            self.requests.clone(),
        );
        registry.register(
            "inference_requests",
            "Inferences, by what became of them",
            self.inferences.clone(),
        );
        registry.register("inference_rows", "Rows of inferences that succeeded", self.rows.clone());
        registry.register_with_unit(
            "inference_duration",
            "From a request being read to its outputs, waiting included",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register(
            "model_loads",
            "Versions that were loaded or could not be",
            self.loads.clone(),
        );
        registry.register("queue_length", "Requests that wait", self.waiting.clone());
        registry.register("connections", "Connections that are open", self.connections.clone());
        registry.register_with_unit(
            "uptime",
            "Since the server started",
            Unit::Seconds,
            self.uptime.clone(),
        );
        registry.register("model_ready", "1 for each version that answers", self.ready.clone());
        registry.register_with_unit(
            "model_memory",
            "Variables, plans and arenas of a version",
            Unit::Bytes,
            self.memory.clone(),
        );
        registry.register(
            "model_batches",
            "Runs of a version since it was loaded",
            self.batches.clone(),
        );
        registry.register_with_unit(
            "model_queue_time",
            "Time that requests of a version waited, summed up since it was loaded",
            Unit::Seconds,
            self.queued.clone(),
        );
        registry.register_with_unit(
            "model_compute_time",
            "Time that runs of a version took, summed up since it was loaded",
            Unit::Seconds,
            self.computed.clone(),
        );
    }

    /// A request was answered. `route` is one of the server's, never what a client made up.
    pub(crate) fn request(&self, protocol: &'static str, route: &str, code: &str) {
        let labels = RequestLabels { protocol, route: route.to_owned(), code: code.to_owned() };
        self.requests.get_or_create(&labels).inc();
    }

    /// An inference ended.
    pub(crate) fn inference(
        &self,
        version: &Version,
        took: Duration,
        rows: usize,
        error: Option<&RequestError>,
    ) {
        let outcome = match error.map(|error| error.kind) {
            None => "success",
            Some(ErrorKind::Busy) => "busy",
            Some(ErrorKind::DeadlineExceeded) => "late",
            Some(ErrorKind::Internal) => "failed",
            Some(_) => "refused",
        };
        let of = of_model(version);
        let labels =
            OutcomeLabels { model: of.model.clone(), version: of.version.clone(), outcome };
        self.inferences.get_or_create(&labels).inc();
        if error.is_none() {
            self.rows.get_or_create(&of).inc_by(rows as u64);
            self.duration.get_or_create(&of).observe(took.as_secs_f64());
        }
    }

    /// A version was loaded, or could not be.
    pub(crate) fn load(&self, model: &str, succeeded: bool) {
        let outcome = if succeeded { "success" } else { "failure" };
        self.loads.get_or_create(&LoadLabels { model: model.to_owned(), outcome }).inc();
    }

    /// All metrics with these gauges, in the text form of OpenMetrics.
    pub(crate) fn text(&self, gauges: &Gauges) -> String {
        self.waiting.set(i64::try_from(gauges.waiting).unwrap_or(i64::MAX));
        self.connections.set(i64::try_from(gauges.connections).unwrap_or(i64::MAX));
        self.uptime.set(gauges.uptime.as_secs_f64());
        for family in [&self.ready, &self.memory, &self.batches] {
            family.clear();
        }
        for family in [&self.queued, &self.computed] {
            family.clear();
        }
        for version in &gauges.live {
            let of = of_model(version);
            let measured = version.statistics.measured();
            let memory = version.session.memory();
            let bytes = memory.variable_bytes + memory.plan_bytes + memory.arena_bytes;
            self.ready.get_or_create(&of).set(1);
            self.memory.get_or_create(&of).set(i64::try_from(bytes).unwrap_or(i64::MAX));
            self.batches
                .get_or_create(&of)
                .set(i64::try_from(measured.batches).unwrap_or(i64::MAX));
            self.queued.get_or_create(&of).set(measured.queue_ns as f64 / 1e9);
            self.computed.get_or_create(&of).set(measured.compute_ns as f64 / 1e9);
        }
        let mut written = String::new();
        // Writing into a text does not fail.
        let _ = text::encode(&mut written, &self.registry);
        written
    }
}

fn of_model(version: &Version) -> ModelLabels {
    ModelLabels { model: version.model.to_string(), version: version.number.to_string() }
}
