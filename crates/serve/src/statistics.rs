//! Statistics and the list of versions, as Triton's extensions of the protocol have them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::Version;
use crate::repository::{Registry, State};

/// The names of the extensions of the Open Inference Protocol that are spoken here.
pub(crate) const EXTENSIONS: [&str; 3] = ["binary_tensor_data", "statistics", "model_repository"];

/// A version's statistics.
pub(crate) fn of(version: &Version) -> Value {
    let measured = version.statistics.measured();
    let took = |count: u64, ns: u64| json!({ "count": count, "ns": ns });
    let succeeded = measured.requests - measured.failures.min(measured.requests);
    let nothing = took(0, 0);
    let batches: Vec<Value> = measured
        .sizes
        .iter()
        .map(|&(rows, count, ns)| {
            json!({
                "batch_size": rows,
                "compute_input": nothing,
                "compute_infer": took(count, ns),
                "compute_output": nothing,
            })
        })
        .collect();
    json!({
        "name": &*version.model,
        "version": version.number.to_string(),
        "last_inference": last_ms(version),
        "inference_count": measured.rows,
        "execution_count": measured.batches,
        "inference_stats": {
            "success": took(succeeded, measured.success_ns),
            "fail": took(measured.failures, measured.fail_ns),
            "queue": took(measured.requests, measured.queue_ns),
            "compute_input": nothing,
            "compute_infer": took(measured.batches, measured.compute_ns),
            "compute_output": nothing,
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "batch_stats": batches,
    })
}

/// When the last request ended, in milliseconds since 1970; 0 if there was none.
pub(crate) fn last_ms(version: &Version) -> u64 {
    let Some(last) = version.statistics.measured().last else { return 0 };
    let ago = version.statistics.age().saturating_sub(last);
    let then = std::time::SystemTime::now().checked_sub(ago);
    let since = then.and_then(|then| then.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as u64)
}

/// A version in the list of all, by the words of that extension.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) state: &'static str,
    pub(crate) reason: String,
}

/// Every version of every model with its state.
pub(crate) fn index(registry: &Registry) -> Vec<Entry> {
    let mut all = Vec::new();
    for (name, model) in registry.models().iter() {
        for (number, slot) in model {
            let state = match (slot.live.is_some(), slot.state) {
                (true, _) => "READY",
                (false, State::Loading) => "LOADING",
                (false, _) => "UNAVAILABLE",
            };
            let reason = match slot.state {
                State::Retired => "a newer version is served",
                _ => slot.error.as_deref().unwrap_or_default(),
            };
            all.push(Entry {
                name: name.to_string(),
                version: number.to_string(),
                state,
                reason: reason.to_owned(),
            });
        }
    }
    all
}
