//! Who may ask: requests that a foreign page, or a foreign name for this machine, makes a browser
//! send are refused.

use std::sync::Arc;

use abeyance_web::{Names, is_same};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::answers::failure;

/// The header that controls are sent with.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-abeyance-token");

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Checks whether a request is meant for this server.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) token: String,
    pub(crate) names: Names,
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
    /// The reason why a request is refused, if it is.
    fn refuses(&self, method: &Method, headers: &HeaderMap) -> Option<String> {
        if let Some(why) = self.names.refuse(headers, "dashboard", "--dashboard-host") {
            return Some(why);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(method: Method, headers: &[(HeaderName, &str)]) -> Option<String> {
        let guard = Guard { token: "secret".to_owned(), names: Names::default() };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, HeaderValue::from_str(value).unwrap());
        }
        guard.refuses(&method, &map)
    }

    #[test]
    fn controls_need_the_token() {
        let host = (header::HOST, "localhost:6006");
        assert!(refusal(Method::POST, std::slice::from_ref(&host)).is_some());
        assert!(refusal(Method::POST, &[host.clone(), (TOKEN, "secreT")]).is_some());
        assert_eq!(refusal(Method::POST, &[host, (TOKEN, "secret")]), None);
    }
}
