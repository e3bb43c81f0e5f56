//! How a server is started.

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;
use crate::model::LARGEST_BATCH;

/// How a [`Server`](crate::Server) listens, batches and limits.
///
/// ```
/// use abeyance_serve::ServerOptions;
/// let options = ServerOptions::new().http("127.0.0.1:0").max_batch(16);
/// ```
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub(crate) http: Option<String>,
    pub(crate) grpc: Option<String>,
    pub(crate) threads: usize,
    pub(crate) max_batch: usize,
    pub(crate) max_delay: Duration,
    pub(crate) queue: usize,
    pub(crate) timeout: Duration,
    pub(crate) slow: Duration,
    pub(crate) max_body: usize,
    pub(crate) max_connections: usize,
    pub(crate) token: Option<String>,
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) allow_public: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) versions: usize,
    pub(crate) poll: Duration,
    pub(crate) access_log: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            http: Some("127.0.0.1:8000".to_owned()),
            grpc: None,
            threads: 0,
            max_batch: 64,
            max_delay: Duration::ZERO,
            queue: 1000,
            timeout: Duration::from_secs(60),
            slow: Duration::from_secs(30),
            max_body: 64 << 20,
            max_connections: 4096,
            token: None,
            tls: None,
            allow_public: false,
            hosts: Vec::new(),
            versions: 1,
            poll: Duration::from_secs(1),
            access_log: false,
        }
    }
}

impl ServerOptions {
    /// HTTP on `127.0.0.1:8000`, no gRPC, batches of up to 64 rows without delay, a queue of 1,000
    /// requests, bodies of up to 64 MiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// The address for HTTP, `127.0.0.1:8000` unless said: `127.0.0.1:0` takes a port that is free.
    pub fn http(mut self, addr: impl Into<String>) -> Self {
        self.http = Some(addr.into());
        self
    }

    /// The address for gRPC; there is none unless said.
    pub fn grpc(mut self, addr: impl Into<String>) -> Self {
        self.grpc = Some(addr.into());
        self
    }

    /// Threads that compute, 0 for one on each core. They change no result.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The most rows of one run, from 1 to 1,024. Requests that wait at the same time are run
    /// together where the model treats rows apart, which changes no bit of any answer; 1 runs each
    /// alone.
    pub fn max_batch(mut self, rows: usize) -> Self {
        self.max_batch = rows;
        self
    }

    /// How long a request may wait for others to be run with; not at all unless said. What came
    /// while others were computed runs together anyway.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// The most requests that wait. Others are answered 503 with Retry-After.
    pub fn queue(mut self, requests: usize) -> Self {
        self.queue = requests;
        self
    }

    /// The longest that a request may take until its answer begins, its waiting included.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The longest that a client may take to send a request's head, and then its body.
    pub fn slow(mut self, patience: Duration) -> Self {
        self.slow = patience;
        self
    }

    /// The most bytes of a request's body, as sent and decompressed.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The most connections that are open at a time, over both protocols.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Asks each request for `Authorization: Bearer TOKEN`, but for the health of the server.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Speaks TLS with the certificates and the private key in these files (PEM), which are read
    /// again when they change.
    pub fn tls(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some((certificates.into(), key.into()));
        self
    }

    /// True if an address that other machines can reach may be served without a token.
    pub fn allow_public(mut self, allow: bool) -> Self {
        self.allow_public = allow;
        self
    }

    /// A name by which clients may call this machine, besides its numbers and `localhost`; with a
    /// token they may use any.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// How many of the newest versions of each model in a folder are served.
    pub fn versions(mut self, versions: usize) -> Self {
        self.versions = versions;
        self
    }

    /// How often a folder of models is looked at.
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// True if each answered request is logged, by `tracing` at level INFO with the target
    /// `access`.
    pub fn access_log(mut self, log: bool) -> Self {
        self.access_log = log;
        self
    }

    /// # Errors
    /// A number out of its range; no address; an address that others reach without a token.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |why: String| Err(Error::Options { why });
        if self.max_batch == 0 || self.max_batch > LARGEST_BATCH {
            return wrong(format!(
                "batches of {} rows: from 1 to {LARGEST_BATCH} are possible",
                self.max_batch
            ));
        }
        if self.queue == 0 || self.max_connections == 0 || self.versions == 0 || self.max_body == 0
        {
            return wrong(
                "the queue, the connections, the versions and the bytes of a body are at least 1"
                    .to_owned(),
            );
        }
        if self.threads > 1024 {
            return wrong(format!("{} threads: at most 1,024 are possible", self.threads));
        }
        let day = Duration::from_secs(24 * 60 * 60);
        if [self.max_delay, self.timeout, self.slow, self.poll].iter().any(|time| *time > day) {
            return wrong("no time may be longer than a day".to_owned());
        }
        if self.token.as_ref().is_some_and(|token| !is_token(token)) {
            return wrong(
                "a token is at least 16 letters, digits and signs of ASCII without spaces"
                    .to_owned(),
            );
        }
        for addr in [&self.http, &self.grpc].into_iter().flatten() {
            let is_public = !abeyance_web::is_loopback(addr)?;
            if is_public && self.token.is_none() && !self.allow_public {
                return Err(Error::Public { addr: addr.clone() });
            }
        }
        Ok(())
    }
}

fn is_token(token: &str) -> bool {
    token.len() >= 16 && token.bytes().all(|byte| byte.is_ascii_graphic())
}
