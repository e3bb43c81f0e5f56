//! The server: its threads, its ports, its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use abeyance_graph::Graph;
use abeyance_session::{Session, SessionOptions};
use abeyance_web::Names;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::accept::{self, PortOptions, Protocol};
use crate::access::Access;
use crate::app::App;
use crate::budget::Budget;
use crate::executor::{Batching, Executor};
use crate::http;
use crate::metrics::Metrics;
use crate::repository::{Loader, Registry, Source, Watch};
use crate::{Error, ServerOptions, grpc, tls};

/// Threads that read requests and write answers.
const IO_THREADS: usize = 2;
/// Threads for what takes long and does not compute: long bodies.
const LONG_THREADS: usize = 8;
/// The time that requests that run may take when the server stops.
const GRACE: Duration = Duration::from_secs(30);
/// The time in which connections are told to close with their next answer, before they are closed.
/// A request that is sent on one just as it is closed would be lost.
const DRAIN: Duration = Duration::from_millis(300);
/// The time that sockets stay open for what is not sent yet, once all is computed.
const LINGER: Duration = Duration::from_secs(1);

/// The models that a server serves: one, or a folder of them.
#[derive(Clone, Debug)]
pub struct Models(Source);

impl Models {
    /// One model: a package, a graph or a model of ONNX. Its variables are in it, or in a
    /// checkpoint. It is called as its package or file is, unless this says otherwise.
    pub fn single(
        path: impl Into<PathBuf>,
        checkpoint: Option<PathBuf>,
        name: Option<String>,
    ) -> Self {
        Self(Source::Single { path: path.into(), checkpoint, name })
    }

    /// All models in a folder, and all versions of each: `NAME/VERSION/...`. What comes, changes
    /// and goes there is followed.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self(Source::Folder(path.into()))
    }
}

/// A server that answers until it is stopped or dropped.
///
/// ```no_run
/// use abeyance_serve::{Models, Server, ServerOptions};
/// let models = Models::single("graphs/mnist_softmax.graph", None, None);
/// let server = Server::start(models, ServerOptions::new().http("127.0.0.1:8000"))?;
/// println!("{}", server.url());
/// # Ok::<(), abeyance_serve::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    http: Option<SocketAddr>,
    grpc: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    ports: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
    loader: Option<Loader>,
    /// Holds the threads that all sessions share: made here, they do not step behind as the loader
    /// does.
    _threads: Session,
}

impl Server {
    /// Starts to serve. A single model is loaded, checked and warmed before this returns; those of
    /// a folder are then being loaded, and [`Server::is_ready`] tells when they are.
    ///
    /// # Errors
    /// Options that do not go together, an address that cannot be listened on, a single model that
    /// cannot be served, a folder that cannot be read.
    pub fn start(models: Models, options: ServerOptions) -> Result<Self, Error> {
        options.check()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if options.threads == 0 { cores } else { options.threads };
        // Addresses first: they are what is most often wrong, and models take long.
        let http = Endpoint::open(Protocol::Http, options.http.as_deref(), &options)?;
        let grpc = Endpoint::open(Protocol::Grpc, options.grpc.as_deref(), &options)?;
        let pool = Session::with_options(&Graph::new(), SessionOptions::new().threads(threads))
            .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        let batching =
            Batching { most: options.max_batch, delay: options.max_delay, queue: options.queue };
        let (registry, metrics) = (Arc::new(Registry::default()), Arc::new(Metrics::new()));
        let watch = Watch { threads, batching, versions: options.versions, poll: options.poll };
        let loader = Loader::start(models.0, registry.clone(), metrics.clone(), watch)?;
        let names = if options.token.is_none() && !options.allow_public {
            Some(Names::new(options.hosts.iter().cloned()))
        } else {
            None
        };
        let app = Arc::new(App {
            registry,
            executor: Executor::start(threads, batching).map_err(failed)?,
            metrics,
            budget: Budget::new(options.max_body.saturating_mul(4).max(256 << 20)),
            connections: Arc::new(AtomicUsize::new(0)),
            access: Access { token: options.token.clone(), names },
            boot: abeyance_web::secret(4).map_err(failed)?,
            started: (Instant::now(), SystemTime::now()),
            stopping: AtomicBool::new(false),
            http: http.as_ref().map(|endpoint| endpoint.addr.to_string()),
            grpc: grpc.as_ref().map(|endpoint| endpoint.addr.to_string()),
            options,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(IO_THREADS)
            .max_blocking_threads(LONG_THREADS)
            .thread_name("serve")
            .enable_all()
            .build()
            .map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let (http_addr, grpc_addr) = (addr(&http), addr(&grpc));
        let mut ports = Vec::new();
        for endpoint in [http, grpc].into_iter().flatten() {
            ports.push(endpoint.spawn(&runtime, &app, stopped.clone())?);
        }
        Ok(Self {
            app,
            http: http_addr,
            grpc: grpc_addr,
            stop,
            ports,
            runtime: Some(runtime),
            loader: Some(loader),
            _threads: pool,
        })
    }

    /// The address of HTTP, if it is spoken.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The address of gRPC, if it is spoken.
    pub fn grpc(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// The address to open in a browser. Empty where no HTTP is spoken.
    pub fn url(&self) -> String {
        let scheme = if self.app.options.tls.is_some() { "https" } else { "http" };
        self.http.map(|addr| format!("{scheme}://{addr}/")).unwrap_or_default()
    }

    /// True if models are loaded and answer.
    pub fn is_ready(&self) -> bool {
        self.app.is_ready()
    }

    /// Stops: takes no more connections, says that it is not ready, finishes the requests that are
    /// under way, for up to 30 seconds. Tells whether all of them were.
    pub fn stop(mut self) -> bool {
        self.end()
    }

    fn end(&mut self) -> bool {
        let Some(runtime) = self.runtime.take() else { return true };
        self.app.stopping.store(true, Ordering::Relaxed);
        // The loader first: it has no one to load for any more.
        drop(self.loader.take());
        if self.http.is_some() {
            std::thread::sleep(DRAIN);
        }
        let _ = self.stop.send(true);
        let ports = std::mem::take(&mut self.ports);
        runtime.block_on(async {
            for port in ports {
                // It ends by itself within the time it is given.
                let _ = port.await;
            }
        });
        let is_idle = self.app.executor.is_idle();
        runtime.shutdown_timeout(LINGER);
        is_idle
    }
}

fn failed(source: std::io::Error) -> Error {
    Error::Start { source }
}

/// An address that is listened on, and what is spoken there.
struct Endpoint {
    protocol: Protocol,
    listener: std::net::TcpListener,
    addr: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Endpoint {
    /// Listens on an address, if there is one.
    ///
    /// # Errors
    /// The address cannot be listened on, or the certificates cannot be used.
    fn open(
        protocol: Protocol,
        addr: Option<&str>,
        options: &ServerOptions,
    ) -> Result<Option<Self>, Error> {
        let Some(addr) = addr else { return Ok(None) };
        let listener = abeyance_web::listen(addr)?;
        let addr = listener.local_addr().map_err(failed)?;
        let name: &[u8] = match protocol {
            Protocol::Http => b"http/1.1",
            Protocol::Grpc => b"h2",
        };
        let tls = match &options.tls {
            Some((certificates, key)) => Some(tls::acceptor(certificates, key, &[name])?),
            None => None,
        };
        Ok(Some(Self { protocol, listener, addr, tls }))
    }

    /// Begins to accept connections, until `stopped` says so.
    fn spawn(
        self,
        runtime: &Runtime,
        app: &Arc<App>,
        stopped: watch::Receiver<bool>,
    ) -> Result<JoinHandle<()>, Error> {
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(failed)?;
        let port = PortOptions {
            protocol: self.protocol,
            tls: self.tls,
            connections: app.connections.clone(),
            max_connections: app.options.max_connections,
            slow: app.options.slow,
            grace: GRACE,
        };
        Ok(match self.protocol {
            Protocol::Http => {
                let router = http::router(app.clone());
                runtime.spawn(accept::serve(listener, port, router, stopped))
            }
            Protocol::Grpc => {
                let routes = grpc::routes(app.clone());
                runtime.spawn(accept::serve(listener, port, routes, stopped))
            }
        })
    }
}

fn addr(endpoint: &Option<Endpoint>) -> Option<SocketAddr> {
    endpoint.as_ref().map(|endpoint| endpoint.addr)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
