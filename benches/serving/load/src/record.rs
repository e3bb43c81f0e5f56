//! The results that are printed in the end.

use serde_json::{Value, json};

use crate::load::Seen;
use crate::options::Options;

/// Measured latencies and counts.
pub struct Record {
    json: Value,
}

impl Record {
    pub fn new(options: &Options, seen: &Seen) -> Self {
        let seconds = options.seconds.as_secs_f64();
        let latencies = &seen.latencies;
        let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        let measured = latencies.len();
        let latency = (measured > 0).then(|| {
            json!({"mean": latencies.mean() / 1e3, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99),
                "p999": at(0.999), "max": latencies.max() as f64 / 1e3})
        });
        let checked = options.check.then_some(seen.checked);
        let json = json!({
            "server": options.server.0, "protocol": options.protocol.name(),
            "connections": options.connections, "idle": options.idle, "threads": options.threads,
            "seconds": seconds, "images": options.images,
            "requests": measured, "per_second": measured as f64 / seconds, "latency_us": latency,
            "answered": seen.answered, "failed": seen.failures.values().sum::<u64>(),
            "failures": seen.failures, "first_failure": seen.first_failure,
            "checked": checked, "wrong": options.check.then_some(seen.wrong), "first_wrong": seen.first_wrong,
            "reconnected": seen.reconnected, "idle_closed": seen.idle_closed,
        });
        Self { json }
    }

    pub fn json(&self) -> String {
        self.json.to_string()
    }

    /// The results as a table for a person.
    pub fn table(&self) -> String {
        let json = &self.json;
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        let mut text = format!(
            "{} over {} connections for {} s: {} requests, {:.0} a second\n",
            json["protocol"].as_str().unwrap_or_default(),
            json["connections"],
            number(&json["seconds"]),
            json["requests"],
            number(&json["per_second"]),
        );
        if json["latency_us"].is_object() {
            let shown = ["mean", "p50", "p90", "p99", "p999", "max"]
                .map(|name| format!("{name} {:.0}", number(&json["latency_us"][name])));
            text += &format!("latency in us: {}\n", shown.join(", "));
        }
        if !json["checked"].is_null() {
            text += &format!("checked {} answers, wrong {}\n", json["checked"], json["wrong"]);
        }
        for (kind, count) in json["failures"].as_object().into_iter().flatten() {
            text += &format!("failed: {count} x {kind}\n");
        }
        for (what, value) in
            [("failure", &json["first_failure"]), ("wrong answer", &json["first_wrong"])]
        {
            if let Some(words) = value.as_str() {
                text += &format!("the first {what}: {words}\n");
            }
        }
        if json["reconnected"] != 0 || json["idle_closed"] != 0 {
            let (again, idle) = (&json["reconnected"], &json["idle_closed"]);
            text +=
                &format!("connections made again {again}, idle ones closed by the server {idle}\n");
        }
        text
    }
}
