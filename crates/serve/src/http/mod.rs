//! HTTP: routes, and what is asked of every request.

mod answers;
mod body;
mod elements;
#[cfg(test)]
mod fuzz;
mod guard;
mod oip;
mod oip_request;
mod openapi;
mod page;
mod status;
mod tensorflow;
mod tensorflow_request;

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

pub(crate) use elements::{byte_count, from_bytes, shape, to_bytes};

use crate::app::App;
use crate::request_error::{ErrorKind, RequestError};

/// Answers that are shorter are not worth compressing.
const SHORT: u64 = 1 << 10;

/// Everything that is answered.
pub(crate) fn router(app: Arc<App>) -> Router {
    // Only what was asked for: clients take errors and statistics as they come, whatever encodings
    // they say that they take.
    let is_answer =
        |status: StatusCode, _: Version, _: &HeaderMap, _: &Extensions| status == StatusCode::OK;
    let answers_long = CompressionLayer::new().compress_when(SizeAbove::new(SHORT).and(is_answer));
    Router::new()
        .route("/", get(page::index))
        .route("/page/{file}", get(page::file))
        .route("/api/status", get(status::status))
        .route("/openapi.json", get(openapi::document))
        .route("/metrics", get(metrics))
        .route("/v2", get(oip::server))
        .route("/v2/health/live", get(oip::live))
        .route("/v2/health/ready", get(oip::ready))
        .route("/v2/models/stats", get(oip::all_statistics))
        .route("/v2/models/{model}", get(oip::model))
        .route("/v2/models/{model}/versions/{version}", get(oip::model))
        .route("/v2/models/{model}/ready", get(oip::model_ready))
        .route("/v2/models/{model}/versions/{version}/ready", get(oip::model_ready))
        .route("/v2/models/{model}/stats", get(oip::statistics))
        .route("/v2/models/{model}/versions/{version}/stats", get(oip::statistics))
        .route("/v2/models/{model}/infer", post(oip::infer).layer(answers_long.clone()))
        .route(
            "/v2/models/{model}/versions/{version}/infer",
            post(oip::infer).layer(answers_long.clone()),
        )
        .route("/v2/repository/index", post(oip::index))
        .route(
            "/v1/models/{model}",
            get(tensorflow::status).post(tensorflow::predict).layer(answers_long.clone()),
        )
        .route(
            "/v1/models/{model}/versions/{version}",
            get(tensorflow::status).post(tensorflow::predict).layer(answers_long),
        )
        .route("/v1/models/{model}/metadata", get(tensorflow::metadata))
        .route("/v1/models/{model}/versions/{version}/metadata", get(tensorflow::metadata))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), guard::check))
        .with_state(app)
}

async fn not_found() -> RequestError {
    RequestError::new(
        ErrorKind::NotFound,
        "there is nothing at this path: `/openapi.json` lists what there is",
    )
}

async fn method_not_allowed() -> RequestError {
    RequestError::new(
        ErrorKind::MethodNotAllowed,
        "this path does not take that method: `/openapi.json` lists what it takes",
    )
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    answers::bytes(StatusCode::OK, HeaderValue::from_static(kind), app.metrics_text().into_bytes())
}

/// The model and the version that a path names.
#[derive(Debug)]
pub(crate) struct ModelPath {
    pub(crate) model: String,
    pub(crate) version: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ModelPath {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RequestError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params =
            params.map_err(|_| RequestError::invalid("the path holds what is not UTF-8"))?;
        let get = |wanted: &str| {
            let mut params = params.iter();
            params.find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
        };
        Ok(Self { model: get("model").unwrap_or_default(), version: get("version") })
    }
}

/// The route that a request took, for counting.
fn route(matched: Option<&MatchedPath>) -> &str {
    matched.map_or("none", MatchedPath::as_str)
}

/// Does what takes long away from the threads that answer, and what does not right here.
async fn offload_if<T: Send + 'static>(
    is_long: bool,
    work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
) -> Result<T, RequestError> {
    if is_long {
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
            Err(RequestError::new(ErrorKind::Internal, "internal: the request panicked"))
        })
    } else {
        work()
    }
}
