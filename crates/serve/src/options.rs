//! The options of a server.

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;
use crate::model::LARGEST_BATCH;

/// The options of a [`Server`](crate::Server): addresses, batches, limits, access.
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
    /// The defaults: HTTP on `127.0.0.1:8000`, no gRPC, batches of up to 64 rows without delay, a
    /// queue of 1,000 requests, bodies of up to 64 MiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the address for HTTP. The default is `127.0.0.1:8000`; `127.0.0.1:0` takes a port that
    /// is free.
    pub fn http(mut self, addr: impl Into<String>) -> Self {
        self.http = Some(addr.into());
        self
    }

    /// Sets the address for gRPC. The default is none.
    pub fn grpc(mut self, addr: impl Into<String>) -> Self {
        self.grpc = Some(addr.into());
        self
    }

    /// Sets the number of threads that compute. The default, 0, is one on each core. They change no
    /// result.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the most rows of one run, from 1 to 1,024. The default is 64. Requests that wait at the
    /// same time are run together where the model treats rows apart, which changes no bit of any
    /// answer. 1 runs each alone.
    pub fn max_batch(mut self, rows: usize) -> Self {
        self.max_batch = rows;
        self
    }

    /// Sets the time that a request may wait for others to be run with. The default is 0. What came
    /// while others were computed runs together anyway.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets the most requests that wait. The default is 1,000. Others are answered 503 with
    /// Retry-After.
    pub fn queue(mut self, requests: usize) -> Self {
        self.queue = requests;
        self
    }

    /// Sets the longest time until the answer of a request begins, its waiting included. The
    /// default is 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the longest time that a client may take to send a request's head, and then its body.
    /// The default is 30 seconds.
    pub fn slow(mut self, patience: Duration) -> Self {
        self.slow = patience;
        self
    }

    /// Sets the most bytes of a request's body, as sent and decompressed. The default is 64 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the most connections that are open at a time, over both protocols. The default is
    /// 4,096.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Asks each request for `Authorization: Bearer TOKEN`, but for the health of the server. The
    /// default is no token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Speaks TLS with the certificates and the private key in these files (PEM), which are read
    /// again when they change. The default is no TLS.
    pub fn tls(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some((certificates.into(), key.into()));
        self
    }

    /// Allows an address that other machines can reach to be served without a token. The default is
    /// no.
    pub fn allow_public(mut self, allow: bool) -> Self {
        self.allow_public = allow;
        self
    }

    /// Adds a name by which clients may call this machine, besides its numbers and `localhost`.
    /// With a token they may use any.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Sets how many of the newest versions of each model in a folder are served. The default is 1.
    pub fn versions(mut self, versions: usize) -> Self {
        self.versions = versions;
        self
    }

    /// Sets the time between two looks at a folder of models. The default is one second.
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// Logs each answered request by `tracing`, at level INFO with the target `access`. The default
    /// is no.
    pub fn access_log(mut self, log: bool) -> Self {
        self.access_log = log;
        self
    }

    /// Checks that the options go together.
    ///
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
