//! The server's state, for the page.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::answers::json as answer;
use crate::app::App;
use crate::model::{TensorSpec, Version};
use crate::repository::{Model, Slot};

pub(super) async fn status(State(app): State<Arc<App>>) -> Response {
    let models: Vec<Value> =
        app.registry.models().iter().map(|(name, model)| of_model(name, model)).collect();
    let server = json!({
        "name": "abeyance",
        "version": env!("CARGO_PKG_VERSION"),
        "started": iso_8601(app.started.1),
        "uptime_s": seconds(app.started.0.elapsed()),
        "ready": app.is_ready(),
        "threads": app.executor.threads(),
        "queue": app.executor.waiting(),
        "queue_limit": app.executor.batching().queue,
        "max_batch": app.executor.batching().most,
        "connections": app.connections.load(Ordering::Relaxed),
        "http": app.http,
        "grpc": app.grpc,
        "tls": app.options.tls.is_some(),
        "token": app.options.token.is_some(),
    });
    answer(StatusCode::OK, &json!({ "server": server, "models": models }))
}

fn of_model(name: &str, model: &Model) -> Value {
    let default = model.iter().rev().find(|(_, slot)| slot.live.is_some());
    let versions: Vec<Value> =
        model.iter().rev().map(|(number, slot)| of_slot(*number, slot)).collect();
    json!({
        "name": name,
        "default_version": default.map(|(number, _)| number.to_string()),
        "versions": versions,
    })
}

fn of_slot(number: u64, slot: &Slot) -> Value {
    let mut told = json!({
        "version": number.to_string(),
        "state": slot.state.name(),
        "error": slot.error,
        "since": iso_8601(slot.since),
        "path": slot.path.display().to_string(),
    });
    if let (Some(version), Some(told)) = (&slot.live, told.as_object_mut()) {
        told.extend(of_version(version));
    }
    told
}

fn of_version(version: &Version) -> serde_json::Map<String, Value> {
    let specs =
        |specs: &[TensorSpec]| -> Vec<Value> { specs.iter().map(TensorSpec::metadata).collect() };
    let signatures: Vec<Value> = version
        .signatures
        .iter()
        .map(|served| {
            json!({
                "name": served.name,
                "inputs": specs(&served.inputs),
                "outputs": specs(&served.outputs),
                "batches": served.can_batch(),
                "mixes": served.mixes,
            })
        })
        .collect();
    let default = version.signatures.get(version.default);
    let (statistics, age) = (&version.statistics, version.statistics.age());
    let measured = statistics.measured();
    let sizes: serde_json::Map<String, Value> = measured
        .sizes
        .iter()
        .map(|&(rows, count, _)| (rows.to_string(), Value::from(count)))
        .collect();
    let memory = version.session.memory();
    let told = json!({
        "batches": default.is_some_and(|served| served.can_batch()),
        "mixes": default.and_then(|served| served.mixes.clone()),
        "cases": version.cases,
        "parameters": version.parameters,
        "bytes": memory.variable_bytes + memory.plan_bytes + memory.arena_bytes,
        "loaded": iso_8601(version.since),
        "default_signature": default.map(|served| &*served.name),
        "signatures": signatures,
        "statistics": {
            "requests": measured.requests,
            "rows": measured.rows,
            "failures": measured.failures,
            "batches": measured.batches,
            "last_s": measured.last.map(|last| seconds(age.saturating_sub(last))),
            "latency_us": statistics.latency.quantiles(age),
            "queue_us": statistics.queued.quantiles(age),
            "compute_us": statistics.computed.quantiles(age),
            "per_second": statistics.latency.per_second(age),
            "batch_sizes": sizes,
        },
    });
    match told {
        Value::Object(told) => told,
        _ => serde_json::Map::new(),
    }
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

/// A time as ISO 8601 writes it, to the second, in UTC.
fn iso_8601(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut rest, mut year) = (days, 1970);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if rest < length {
            break;
        }
        rest -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_iso_8601_has_them() {
        let at = |seconds| iso_8601(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
