//! The server: its routes, its thread, its address.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use abeyance_web::Names;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower_http::compression::CompressionLayer;

use abeyance_record::ALL;

use crate::answers::{self, Answer, failure};
use crate::guard::{self, Guard};
use crate::runs::{Runs, ShownRun};
use crate::{Error, events, graph, page};

/// A drawn digit of 28 by 28 numbers takes 16 kB; this allows images of four times the sides.
const MOST_BODY: usize = 256 << 10;
/// Points of a curve, if the page does not say.
const POINTS: usize = 2_000;
/// The most points of a curve in an answer.
const MOST_POINTS: usize = 100_000;
/// The time that somebody who wants to save waits for the end of a step.
const SAVE_TIMEOUT: Duration = Duration::from_secs(60);

/// A server on a thread of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct App {
    runs: Runs,
    /// Tells this start of the server from others.
    boot: String,
    token: String,
}

impl Server {
    /// Serves runs on an address: `127.0.0.1:6006`, `localhost:0` for a port that is free, `6006`
    /// for that port on this machine alone. `hosts` are names by which browsers may call the
    /// machine besides its numbers and `localhost`.
    ///
    /// # Errors
    /// The address is none, or its port is taken.
    pub fn start(runs: Runs, addr: &str, hosts: &[String]) -> Result<Self, Error> {
        let listener = abeyance_web::listen(addr)?;
        let failed = |source| Error::Start { source };
        let addr = listener.local_addr().map_err(failed)?;
        let secret = |bytes| abeyance_web::secret(bytes).map_err(failed);
        let app = Arc::new(App { runs, boot: secret(4)?, token: secret(16)? });
        let names = Names::new(hosts.iter().cloned());
        let guard = Guard { token: app.token.clone(), names };
        let router = router(app, guard);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .thread_name("dashboard")
            .build()
            .map_err(|source| Error::Start { source })?;
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let server = axum::serve(listener, router).into_future();
                // Streams have no end of their own: they are cut off.
                tokio::select! {
                    _ = server => {}
                    _ = stopped => {}
                }
            });
            // Whoever waits for a step to end waits in vain.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new()
            .name("dashboard".to_owned())
            .spawn(serve)
            .map_err(|source| Error::Start { source })?;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address to open in a browser.
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// Waits until the thread ends, which it does not by itself.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn router(app: Arc<App>, guard: Guard) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/{file}", get(file))
        .route("/api/runs", get(runs))
        .route("/api/runs/{run}/curves", get(curves))
        .route("/api/runs/{run}/bands", get(bands))
        .route("/api/runs/{run}/batches", get(batches))
        .route("/api/runs/{run}/batch/{step}", get(batch))
        .route("/api/runs/{run}/tests", get(tests))
        .route("/api/runs/{run}/test/{step}", get(test))
        .route("/api/runs/{run}/sprite", get(sprite))
        .route("/api/runs/{run}/graph", get(graph_of))
        .route("/api/runs/{run}/traces", get(traces))
        .route("/api/runs/{run}/trace/{step}", get(trace))
        .route("/api/runs/{run}/texts", get(texts))
        .route("/api/runs/{run}/images", get(images))
        .route("/api/runs/{run}/image/{tag}/{step}/{index}", get(image))
        .route("/api/runs/{run}/predict", post(predict))
        .route("/api/control", post(control))
        .fallback(|| async { failure(StatusCode::NOT_FOUND, "there is nothing of that name") })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(CompressionLayer::new())
        // Not compressed: what is new goes out at once.
        .route("/api/events", get(stream))
        .layer(middleware::from_fn_with_state(Arc::new(guard), guard::check))
        .with_state(app)
}

async fn index(State(app): State<Arc<App>>) -> Html<String> {
    Html(page::served(&app.token))
}

async fn file(Path(name): Path<String>) -> Response {
    match page::file(&name) {
        Some(file) => {
            let kind = HeaderValue::from_static(file.kind);
            ([(header::CONTENT_TYPE, kind)], file.text).into_response()
        }
        None => failure(StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}

/// Answers about a run, on a thread where it may take its time.
async fn run_answer(
    app: Arc<App>,
    id: String,
    ask: impl FnOnce(&ShownRun) -> Option<String> + Send + 'static,
) -> Response {
    let Some(shown) = app.runs.get(&id) else {
        return failure(StatusCode::NOT_FOUND, format!("there is no run `{id}`")).into_response();
    };
    let answer = tokio::task::spawn_blocking(move || ask(&shown)).await;
    match answer.ok().flatten() {
        Some(json) => {
            let kind = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, kind)], json).into_response()
        }
        None => {
            let why = format!("run `{id}` has nothing of that kind");
            failure(StatusCode::NOT_FOUND, why).into_response()
        }
    }
}

/// The parameters behind an address's `?`.
struct Query {
    points: usize,
    steps: RangeInclusive<i64>,
    tags: Vec<String>,
}

impl Query {
    /// Numbers that are none are as if not said.
    fn of(query: Option<&str>) -> Self {
        let mut found = Self { points: POINTS, steps: ALL, tags: Vec::new() };
        let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        for (name, value) in pairs {
            let (from, to) = (*found.steps.start(), *found.steps.end());
            match name {
                "points" => found.points = value.parse().unwrap_or(POINTS).clamp(2, MOST_POINTS),
                "from" => found.steps = value.parse().unwrap_or(from)..=to,
                "to" => found.steps = from..=value.parse().unwrap_or(to),
                "tag" => found.tags.push(decode(value)),
                _ => {}
            }
        }
        found
    }
}

/// `a%2Fb` as `a/b`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: u8| (byte as char).to_digit(16);
        let pair = rest.clone().next().and_then(hex).zip(rest.clone().nth(1).and_then(hex));
        match (byte, pair) {
            (b'%', Some((high, low))) => {
                bytes.push((high * 16 + low) as u8);
                rest.nth(1);
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn runs(State(app): State<Arc<App>>) -> Json<Value> {
    let has_controls = app.runs.list().iter().any(|shown| shown.controls.is_some());
    Json(answers::runs(&app.runs, &app.boot, has_controls))
}

async fn curves(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Query::of(query.as_deref());
    run_answer(app, id, move |shown| {
        answers::text(&shown.run.curves(&query.tags, query.steps, query.points))
    })
    .await
}

async fn bands(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Query::of(query.as_deref());
    run_answer(app, id, move |shown| answers::text(&shown.run.bands(query.steps, query.points)))
        .await
}

async fn batches(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    run_answer(app, id, |shown| answers::text(&json!({ "steps": shown.run.batches() }))).await
}

async fn batch(State(app): State<Arc<App>>, Path((id, step)): Path<(String, i64)>) -> Response {
    run_answer(app, id, move |shown| answers::text(&answers::batch(&shown.run, step)?)).await
}

async fn tests(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    run_answer(app, id, |shown| answers::text(&answers::tests(&shown.run)?)).await
}

async fn test(State(app): State<Arc<App>>, Path((id, step)): Path<(String, i64)>) -> Response {
    run_answer(app, id, move |shown| answers::text(&answers::test(&shown.run, step)?)).await
}

async fn graph_of(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    run_answer(app, id, |shown| answers::text(&graph::graph(&shown.run)?)).await
}

async fn traces(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    run_answer(app, id, |shown| answers::text(&json!({ "traces": shown.run.traces() }))).await
}

async fn trace(State(app): State<Arc<App>>, Path((id, step)): Path<(String, i64)>) -> Response {
    run_answer(app, id, move |shown| answers::text(&graph::trace(&shown.run, step)?)).await
}

async fn texts(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    run_answer(app, id, |shown| answers::text(&shown.run.texts())).await
}

async fn images(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    run_answer(app, id, |shown| answers::text(&shown.run.images())).await
}

/// Sends an image, which is read on a thread where that may take its time.
async fn image_answer(
    app: Arc<App>,
    id: String,
    ask: impl FnOnce(&ShownRun) -> Option<Vec<u8>> + Send + 'static,
) -> Response {
    let missing =
        || failure(StatusCode::NOT_FOUND, format!("run `{id}` has no such image")).into_response();
    let Some(shown) = app.runs.get(&id) else { return missing() };
    match tokio::task::spawn_blocking(move || ask(&shown)).await.ok().flatten() {
        Some(image) => {
            let kind = HeaderValue::from_static(answers::kind(&image));
            ([(header::CONTENT_TYPE, kind)], image).into_response()
        }
        None => missing(),
    }
}

async fn sprite(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    image_answer(app, id, |shown| shown.run.tests().map(|tests| tests.png)).await
}

async fn image(
    State(app): State<Arc<App>>,
    Path((id, tag, step, index)): Path<(String, String, i64, usize)>,
) -> Response {
    image_answer(app, id, move |shown| shown.run.image(&tag, step, index)).await
}

async fn stream(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let stream = events::stream(app.runs.clone(), app.boot.clone(), last);
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

#[derive(Deserialize)]
struct Drawn {
    pixels: Vec<f32>,
}

async fn predict(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    drawn: Result<Json<Drawn>, axum::extract::rejection::JsonRejection>,
) -> Answer {
    let Json(drawn) = drawn.map_err(|error| failure(error.status(), error.body_text()))?;
    let predictor = app.runs.get(&id).and_then(|shown| shown.predictor);
    let Some(predictor) = predictor else {
        let why = format!("run `{id}` has no weights here to classify with");
        return Err(failure(StatusCode::CONFLICT, why));
    };
    let answer = tokio::task::spawn_blocking(move || predictor.predict(&drawn.pixels)).await;
    match answer {
        Ok(Ok(prediction)) => Ok(Json(json!(prediction))),
        Ok(Err(why)) => Err(failure(StatusCode::CONFLICT, why)),
        Err(_) => Err(failure(StatusCode::INTERNAL_SERVER_ERROR, "the classifier failed")),
    }
}

#[derive(Deserialize)]
struct Control {
    run: String,
    r#do: String,
}

async fn control(
    State(app): State<Arc<App>>,
    control: Result<Json<Control>, axum::extract::rejection::JsonRejection>,
) -> Answer {
    let Json(control) = control.map_err(|error| failure(error.status(), error.body_text()))?;
    let controls = app.runs.get(&control.run).and_then(|shown| shown.controls);
    let Some(controls) = controls else {
        let why = format!("run `{}` does not train here", control.run);
        return Err(failure(StatusCode::CONFLICT, why));
    };
    let said = match control.r#do.as_str() {
        "pause" => {
            controls.pause();
            "pausing".to_owned()
        }
        "resume" => {
            controls.resume();
            "going on".to_owned()
        }
        "stop" => {
            controls.stop();
            "stopping".to_owned()
        }
        "save" => {
            let answer = controls.save();
            match tokio::task::spawn_blocking(move || answer.recv_timeout(SAVE_TIMEOUT)).await {
                Ok(Ok(Ok(said))) => said,
                Ok(Ok(Err(why))) => return Err(failure(StatusCode::CONFLICT, why)),
                _ => {
                    let why = "nothing was saved: the training has ended, or its step takes long";
                    return Err(failure(StatusCode::CONFLICT, why));
                }
            }
        }
        other => {
            let why = format!("`{other}`: pause, resume, stop and save are known");
            return Err(failure(StatusCode::BAD_REQUEST, why));
        }
    };
    Ok(Json(json!({ "ok": true, "message": said })))
}
