//! Checks of every request before it is answered, and the log of those that were.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::route;
use crate::access::{Access, is_allowed};
use crate::app::App;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE: HeaderName = HeaderName::from_static("traceparent");

/// Checks a request, counts its answer, and says in it what a browser may do with it.
pub(crate) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let note = LoggedRequest::of(&app, &request);
    // Whether the server lives is asked by who holds no token, and told to a page that does not
    // hold one yet is the page itself.
    let path = request.uri().path();
    let is_open = path.starts_with("/v2/health/") || path == "/" || path.starts_with("/page/");
    let access = if is_open {
        is_allowed(&Access { token: None, ..app.access.clone() }, request.headers())
    } else {
        is_allowed(&app.access, request.headers())
    };
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let allowed = allowed_methods(path);
    let is_page = path == "/" || path.starts_with("/page/");
    let mut response = match access {
        Err(error) => error.into_response(),
        Ok(()) => next.run(request).await,
    };
    let status = response.status();
    app.metrics.request("http", route(matched.as_ref()), status.as_str());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_page {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED
        && let Some(allow) = allowed
    {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if app.stopping.load(Ordering::Relaxed) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(id) = HeaderValue::from_str(&note.id) {
        headers.insert(REQUEST_ID, id);
    }
    if app.options.access_log {
        note.tell(status.as_u16(), began);
    }
    response
}

/// The methods that a path of TensorFlow Serving's takes. The action stands behind a colon in its
/// last part, which is one route with the model's own path.
fn allowed_methods(path: &str) -> Option<&'static str> {
    let last = path.strip_prefix("/v1/models/")?.rsplit('/').next()?;
    Some(if last.ends_with(":predict") { "POST" } else { "GET,HEAD" })
}

/// A request as the access log tells it.
struct LoggedRequest {
    id: String,
    line: Option<LogLine>,
}

struct LogLine {
    method: String,
    path: String,
    trace: Option<String>,
    client: Option<SocketAddr>,
}

impl LoggedRequest {
    fn of(app: &App, request: &Request) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let headers = request.headers();
        let text = |name: &HeaderName| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.filter(|value| value.len() <= 128)
        };
        let id = match text(&REQUEST_ID) {
            Some(id) => id.to_owned(),
            None => format!("{}-{:x}", app.boot, NEXT.fetch_add(1, Ordering::Relaxed)),
        };
        let line = app.options.access_log.then(|| LogLine {
            method: request.method().to_string(),
            path: crate::model::shortened(request.uri().path()),
            trace: text(&TRACE).and_then(trace_id).map(str::to_owned),
            client: request.extensions().get::<SocketAddr>().copied(),
        });
        Self { id, line }
    }

    fn tell(self, status: u16, began: Instant) {
        let Some(line) = self.line else { return };
        tracing::info!(
            target: "access",
            method = %line.method,
            path = %line.path,
            status,
            us = began.elapsed().as_micros() as u64,
            id = %self.id,
            trace = line.trace.as_deref().unwrap_or("-"),
            client = %line.client.map_or("-".to_owned(), |client| client.to_string()),
            "answered"
        );
    }
}

/// The trace of a `traceparent`: `VERSION-TRACE-PARENT-FLAGS` in hexadecimal digits, as the W3C's
/// recommendation has it.
pub(crate) fn trace_id(parent: &str) -> Option<&str> {
    let mut parts = parent.split('-');
    let is_hex = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_whole = is_hex(version, 2) && version != "ff" && is_hex(span, 16) && is_hex(flags, 2);
    let is_trace = is_hex(trace, 32) && trace.bytes().any(|byte| byte != b'0');
    (is_whole && is_trace).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_what_the_recommendation_says() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")), Some(trace));
        for wrong in [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace_id(wrong), None, "{wrong}");
        }
    }
}
