//! The state that all protocols share, and the path of a request through it: models, threads,
//! limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use abeyance_session::Value;

use crate::ServerOptions;
use crate::access::Access;
use crate::budget::Budget;
use crate::executor::{Executor, Job};
use crate::metrics::{Gauges, Metrics};
use crate::model::{Version, rows};
use crate::repository::Registry;
use crate::request_error::RequestError;

/// A server's state.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) registry: Arc<Registry>,
    pub(crate) executor: Executor,
    pub(crate) options: ServerOptions,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) access: Access,
    /// Tells this start of the server from others.
    pub(crate) boot: String,
    pub(crate) started: (Instant, SystemTime),
    pub(crate) stopping: AtomicBool,
    /// The addresses that are listened on, as they came out.
    pub(crate) http: Option<String>,
    pub(crate) grpc: Option<String>,
}

impl App {
    /// True if requests may be sent here.
    pub(crate) fn is_ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed) && self.registry.is_ready()
    }

    /// The metrics as they are now, in the text form of OpenMetrics.
    pub(crate) fn metrics_text(&self) -> String {
        self.metrics.text(&Gauges {
            waiting: self.executor.waiting(),
            connections: self.connections.load(Ordering::Relaxed),
            uptime: self.started.0.elapsed(),
            live: self.registry.live(),
        })
    }

    /// Has a signature of a version computed on values for its inputs, in their order; gives its
    /// outputs, in theirs.
    ///
    /// # Errors
    /// There is no room, the time is up, or the model refuses the values.
    pub(crate) async fn infer(
        &self,
        version: Arc<Version>,
        signature: usize,
        inputs: Vec<Value>,
        timeout: Option<Duration>,
    ) -> Result<Vec<Value>, RequestError> {
        let began = Instant::now();
        let rows = rows(&inputs);
        let timeout = timeout.map_or(self.options.timeout, |own| own.min(self.options.timeout));
        let deadline = began.checked_add(timeout);
        let job = Job { version: version.clone(), signature, inputs, deadline };
        let outcome = match self.executor.submit(job) {
            Err(error) => Err(error),
            Ok(receiver) => match tokio::time::timeout(timeout, receiver).await {
                Ok(Ok(outcome)) => outcome,
                // The thread drops what is too late; so does this.
                Ok(Err(_)) | Err(_) => Err(RequestError::deadline_exceeded()),
            },
        };
        version.statistics.request(began, rows, outcome.is_ok());
        self.metrics.inference(&version, began.elapsed(), rows, outcome.as_ref().err());
        outcome
    }
}
