//! Calls of gRPC by their bytes, and bytes that are no HTTP/2.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::Value;
use tonic::Code;
use tonic::transport::Channel;
use tower::Service;

use crate::connection;
use crate::expected::{LONGEST_ERROR, named};
use crate::parts::{self, list, text};

/// How long a connection is read on which nothing comes.
const QUIET: Duration = Duration::from_millis(500);

/// Sends a line of grpc.jsonl.
///
/// # Errors
/// What is not as it must be.
pub async fn outlived(line: &Value, addr: SocketAddr) -> Result<(), String> {
    if line.get("raw").is_some() {
        let line = line.clone();
        let written = tokio::task::spawn_blocking(move || bytes_alone(&line, addr)).await;
        return written.map_err(|error| error.to_string())?;
    }
    let patience = Duration::from_secs(60);
    let (code, message) = match tokio::time::timeout(patience, call(line, addr)).await {
        Err(_) => return Err("no answer came in time".to_owned()),
        Ok(answer) => answer?,
    };
    let allowed: Vec<&str> = list(line, "code").iter().filter_map(Value::as_str).collect();
    if !allowed.contains(&code.as_str()) {
        return Err(format!("{code}, not one of {allowed:?}: {message}"));
    }
    if message.len() > LONGEST_ERROR {
        return Err(format!("{code} with a message of {} bytes", message.len()));
    }
    if code == "OK" { Ok(()) } else { named(&message, list(line, "says")) }
}

/// Writes what is no call, and reads until it is closed or quiet.
fn bytes_alone(line: &Value, addr: SocketAddr) -> Result<(), String> {
    let mut connection = TcpStream::connect(addr).map_err(|error| error.to_string())?;
    let mut sending = connection.try_clone().map_err(|error| error.to_string())?;
    let sent = line.clone();
    thread::spawn(move || drop(connection::send(&sent, &addr.to_string(), &mut sending)));
    connection.set_read_timeout(Some(QUIET)).map_err(|error| error.to_string())?;
    let mut block = [0; 64 << 10];
    while connection.read(&mut block).is_ok_and(|count| count > 0) {}
    Ok(())
}

/// A code and a message; HTTP's status or CLOSED where there is no code.
async fn call(line: &Value, addr: SocketAddr) -> Result<(String, String), String> {
    let host = addr.to_string();
    let channel = Channel::from_shared(format!("http://{host}")).map_err(|e| e.to_string())?;
    let mut channel = channel.connect().await.map_err(|error| format!("no connection: {error}"))?;
    let mut request = http::Request::post(format!("http://{host}{}", text(line, "path")));
    let headers = list(line, "headers");
    for (name, value) in [("te", "trailers"), ("content-type", "application/grpc")] {
        if !headers.iter().any(|pair| pair[0] == name) {
            request = request.header(name, value);
        }
    }
    for pair in headers {
        request = request.header(pair[0].as_str().unwrap(), parts::value(&pair[1], &host));
    }
    let body = tonic::body::Body::new(Chunks(chunks(list(line, "body"), &host)));
    let request = request.body(body).map_err(|error| error.to_string())?;
    let ready = std::future::poll_fn(|cx| channel.poll_ready(cx)).await;
    let answer = match ready {
        Ok(()) => channel.call(request).await,
        Err(error) => Err(error),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Ok(("CLOSED".to_owned(), format!("{error:?}"))),
    };
    let status = answer.status();
    let (head, body) = answer.into_parts();
    let mut told = head.headers;
    match body.collect().await {
        Ok(whole) => told.extend(whole.trailers().cloned().unwrap_or_default()),
        // An error of a stream holds the code that its reset stands for: the stream is ended.
        Err(error) if !told.contains_key("grpc-status") => {
            return Ok(("CLOSED".to_owned(), error.to_string()));
        }
        Err(_) => {}
    }
    let Some(code) = told.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes())) else {
        return Ok((format!("HTTP_{}", status.as_u16()), String::new()));
    };
    let message = told.get("grpc-message").map(|message| decoded(message.as_bytes()));
    Ok((name(code).to_owned(), message.unwrap_or_default()))
}

/// A message without its escapes of %.
fn decoded(message: &[u8]) -> String {
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message;
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The bytes of parts in pieces; a repetition is the same piece again, and takes no memory.
fn chunks(parts: &[Value], host: &str) -> VecDeque<Bytes> {
    let mut chunks = VecDeque::new();
    for part in parts {
        match part.get("repeat").and_then(Value::as_array) {
            None => chunks.push_back(parts::bytes(std::slice::from_ref(part), host).into()),
            Some(once) => {
                let once = Bytes::from(parts::bytes(once, host));
                let times = part["times"].as_u64().unwrap() as usize;
                chunks.extend(std::iter::repeat_n(once, times));
            }
        }
    }
    chunks
}

/// A body in pieces.
struct Chunks(VecDeque<Bytes>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}
