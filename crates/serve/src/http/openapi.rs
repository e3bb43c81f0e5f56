//! The description of everything that HTTP answers, in OpenAPI's form.

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::answers::bytes;

/// Written by hand; `tests/clients/openapi.py` holds it against the routes.
const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn document() -> Response {
    let text = DOCUMENT.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    bytes(StatusCode::OK, HeaderValue::from_static("application/json"), text.into_bytes())
}
