//! Connections: accepted up to a limit, with TLS or without, given to HTTP/1.1 or HTTP/2, ended
//! gracefully.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// The protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// gRPC, over HTTP/2 from the first byte on.
    Grpc,
}

/// The longest head of a request, all its headers together.
const LONGEST_HEAD: usize = 64 << 10;
/// Streams of one HTTP/2 connection at a time.
const STREAMS: u32 = 256;
/// The time that a port that stops waits for one more connection that was there before.
const LAST: Duration = Duration::from_millis(2);
/// The time that a connection that was just accepted may take to send its request when the port
/// stops.
const SETTLE: Duration = Duration::from_millis(200);
/// The HTTP answer to a client for which there is no room.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n\
    Connection: close\r\nContent-Length: 61\r\n\r\n{\"error\":\"as many connections are open as may be: try again\"}";

/// The options of a port: its protocol, its limits and its times.
#[derive(Clone)]
pub(crate) struct PortOptions {
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) max_connections: usize,
    /// The time that a client may take for a request's head, or between requests.
    pub(crate) slow: Duration,
    /// The time that requests that run may take when the server stops.
    pub(crate) grace: Duration,
}

/// Accepts connections until `stop` says so; then what runs is finished, for as long as `grace`
/// says.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    port: PortOptions,
    service: S,
    mut stop: watch::Receiver<bool>,
) where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = std::convert::Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let graceful = GracefulShutdown::new();
    let mut stopping = false;
    while let Some((stream, client)) = next_connection(&listener, &mut stop, &mut stopping).await {
        let Some(open) = OpenConnection::new(&port) else {
            tokio::spawn(answer_full(stream, port.protocol));
            continue;
        };
        // Answers are small and whole: waiting for more to send along helps nobody.
        let _ = stream.set_nodelay(true);
        let watcher = graceful.watcher();
        let (port, service) = (port.clone(), service.clone());
        tokio::spawn(async move {
            let _open = open;
            serve_connection(stream, client, port, service, watcher).await;
        });
    }
    drop(listener);
    // What was accepted last may not have been read yet.
    tokio::time::sleep(SETTLE).await;
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(port.grace) => {
            tracing::warn!("some requests did not end in time and are cut off");
        }
    }
}

/// Waits for the next connection. `None` once the port stops and nobody is left who connected
/// before.
async fn next_connection(
    listener: &TcpListener,
    stop: &mut watch::Receiver<bool>,
    stopping: &mut bool,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = if *stopping {
            // Who has connected before is still answered.
            tokio::time::timeout(LAST, listener.accept()).await.ok()?
        } else {
            tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.changed() => {
                    *stopping = true;
                    continue;
                }
            }
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) => {
                // Too many open files, for one: others may be closed meanwhile.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// A connection counted as long as it lives.
struct OpenConnection(Arc<AtomicUsize>);

impl OpenConnection {
    fn new(port: &PortOptions) -> Option<Self> {
        let before = port.connections.fetch_add(1, Ordering::Relaxed);
        let open = Self(port.connections.clone());
        (before < port.max_connections).then_some(open)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn answer_full(mut stream: TcpStream, protocol: Protocol) {
    if protocol == Protocol::Http {
        // It may have gone away already.
        let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
    }
}

async fn serve_connection<S, B>(
    stream: TcpStream,
    client: SocketAddr,
    port: PortOptions,
    service: S,
    watcher: Watcher,
) where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = std::convert::Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = match &port.tls {
        None => Stream::Plain(stream),
        Some(tls) => match tokio::time::timeout(port.slow, tls.accept(stream)).await {
            Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
            // Whoever speaks no TLS, or too slowly, is told nothing.
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let stream = TokioIo::new(stream);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        service.clone().oneshot(request)
    });
    // What goes wrong with a connection is the client's matter, or the network's.
    match port.protocol {
        Protocol::Http => {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(port.slow)
                .max_buf_size(LONGEST_HEAD)
                .serve_connection(stream, service);
            let _ = watcher.watch(connection).await;
        }
        Protocol::Grpc => {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(LONGEST_HEAD as u32)
                .keep_alive_interval(port.slow)
                .keep_alive_timeout(port.slow)
                .serve_connection(stream, service);
            let _ = watcher.watch(connection).await;
        }
    }
}

/// A connection's bytes.
enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Stream::Tls($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, buffers))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
