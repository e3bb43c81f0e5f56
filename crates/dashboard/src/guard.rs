//! Who may ask: requests that a foreign page, or a foreign name for this machine, makes a browser send are refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::answers::failure;

/// The header that controls are sent with.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-abeyance-token");

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is asked of a request.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) token: String,
    /// Names by which the machine may be called, besides its numbers and `localhost`.
    pub(crate) hosts: Vec<String>,
}

/// Checks a request, and says in its answer what a browser may do with it.
pub(crate) async fn check(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match guard.refuses(request.method(), request.headers()) {
        Some(why) => failure(StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    let say = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in say {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Guard {
    /// Why a request is refused.
    fn refuses(&self, method: &Method, headers: &HeaderMap) -> Option<String> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST).unwrap_or_default();
        if !self.knows(host) {
            let name = shorten(host);
            return Some(format!(
                "this dashboard is not known as `{name}`: open it by its number or as localhost, or name it with `--dashboard-host`"
            ));
        }
        if let Some(origin) = text(header::ORIGIN)
            && origin.split_once("://").is_none_or(|(_, origin)| !origin.eq_ignore_ascii_case(host))
        {
            return Some(format!("a page of `{}` may not use this dashboard", shorten(origin)));
        }
        if method == Method::POST {
            let token = headers.get(TOKEN).map_or(&b""[..], HeaderValue::as_bytes);
            if !is_same(token, self.token.as_bytes()) {
                return Some(
                    "the token is missing or of an earlier start: load the page again".to_owned(),
                );
            }
        }
        None
    }

    /// Whether the machine may be called so. Numbers cannot be made to mean another machine than they did; names can.
    fn knows(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // `[::1]` and `[::1]:80`: the number ends with a bracket.
            Some((name, port)) if !port.ends_with(']') => name,
            _ => host,
        };
        let number = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        number.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Compares in a time that tells nothing of where the difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

fn shorten(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(method: Method, headers: &[(HeaderName, &str)]) -> Option<String> {
        let guard = Guard { token: "secret".to_owned(), hosts: vec!["box.lan".to_owned()] };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, HeaderValue::from_str(value).unwrap());
        }
        guard.refuses(&method, &map)
    }

    #[test]
    fn numbers_localhost_and_names_given_are_known() {
        for host in [
            "127.0.0.1:6006",
            "localhost:8",
            "LOCALHOST",
            "[::1]:6006",
            "[::1]",
            "10.0.0.7",
            "box.lan:1",
        ] {
            assert_eq!(refusal(Method::GET, &[(header::HOST, host)]), None, "{host}");
        }
        for host in
            ["", "evil.example", "127.0.0.1.evil.example:6006", "localhost.evil.example", "[::1"]
        {
            assert!(refusal(Method::GET, &[(header::HOST, host)]).is_some(), "{host}");
        }
    }

    #[test]
    fn a_foreign_page_is_refused() {
        let host = (header::HOST, "localhost:6006");
        let from = |origin| refusal(Method::GET, &[host.clone(), (header::ORIGIN, origin)]);
        assert_eq!(from("http://localhost:6006"), None);
        for origin in ["http://evil.example", "http://localhost:7000", "null"] {
            assert!(from(origin).is_some(), "{origin}");
        }
    }

    #[test]
    fn controls_need_the_token() {
        let host = (header::HOST, "localhost:6006");
        assert!(refusal(Method::POST, std::slice::from_ref(&host)).is_some());
        assert!(refusal(Method::POST, &[host.clone(), (TOKEN, "secreT")]).is_some());
        assert_eq!(refusal(Method::POST, &[host, (TOKEN, "secret")]), None);
    }
}
