//! `tract-peer MODEL.onnx PORT [inline]`: a model of ONNX by tract behind axum, as one writes it by
//! hand: `POST /predict` with JSON, `POST /predict_raw` with bytes, one image a request. The model
//! is optimised for a batch of one. It runs on the blocking threads, as many as there are cores;
//! with `inline`, on the thread that read the request.

use std::error::Error;
use std::sync::Arc;
use std::thread::available_parallelism;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tract_onnx::prelude::*;

type Model = Arc<TypedRunnableModel>;
type Refusal = (StatusCode, String);

const PIXELS: usize = 28 * 28;

#[derive(Clone)]
struct App {
    model: Model,
    is_inline: bool,
}

#[derive(Deserialize)]
struct Question {
    images: Vec<[[[f32; 1]; 28]; 28]>,
}

#[derive(Serialize)]
struct Answer {
    digit: Vec<i64>,
    probabilities: Vec<Vec<f32>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (path, port, is_inline) = match arguments.as_slice() {
        [path, port] => (path, port.parse()?, false),
        [path, port, word] if word == "inline" => (path, port.parse()?, true),
        _ => return Err("usage: tract-peer MODEL.onnx PORT [inline]".into()),
    };
    let model = tract_onnx::onnx()
        .model_for_path(path)?
        .with_input_fact(0, f32::fact([1, 28, 28, 1]).into())?
        .into_optimized()?
        .into_runnable()?;
    let threads = available_parallelism()?.get();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(threads)
        .enable_all()
        .build()?;
    runtime.block_on(serve(App { model, is_inline }, port))
}

async fn serve(app: App, port: u16) -> Result<(), Box<dyn Error>> {
    let router = Router::new()
        .route("/predict", post(json))
        .route("/predict_raw", post(raw))
        .layer(DefaultBodyLimit::max(64 << 20))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        }),
        router,
    )
    .await?;
    Ok(())
}

async fn json(
    State(app): State<App>,
    Json(question): Json<Question>,
) -> Result<Json<Answer>, Refusal> {
    let mut answer = Answer { digit: Vec::new(), probabilities: Vec::new() };
    for image in question.images {
        let pixels: Vec<f32> = image.into_iter().flatten().flatten().collect();
        let (digit, probabilities) = app.run(pixels).await?;
        answer.digit.push(digit);
        answer.probabilities.push(probabilities);
    }
    Ok(Json(answer))
}

async fn raw(State(app): State<App>, body: Bytes) -> Result<Vec<u8>, Refusal> {
    if body.len() != 4 * PIXELS {
        return Err((StatusCode::BAD_REQUEST, format!("an image is {} bytes", 4 * PIXELS)));
    }
    let pixels = body.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let (_, probabilities) = app.run(pixels).await?;
    Ok(probabilities.into_iter().flat_map(f32::to_le_bytes).collect())
}

impl App {
    async fn run(&self, pixels: Vec<f32>) -> Result<(i64, Vec<f32>), Refusal> {
        let failed = |error: String| (StatusCode::INTERNAL_SERVER_ERROR, error);
        let result = if self.is_inline {
            predict(&self.model, &pixels)
        } else {
            let model = self.model.clone();
            let task = tokio::task::spawn_blocking(move || predict(&model, &pixels));
            task.await.map_err(|error| failed(error.to_string()))?
        };
        result.map_err(|error| failed(error.to_string()))
    }
}

/// The class and the probabilities of one image.
fn predict(model: &Model, pixels: &[f32]) -> TractResult<(i64, Vec<f32>)> {
    let image = Tensor::from_shape(&[1, 28, 28, 1], pixels)?;
    let outputs = model.run(tvec!(image.into_tvalue()))?;
    let mut digit = 0;
    let mut probabilities = Vec::new();
    for output in outputs {
        if output.datum_type() == f32::datum_type() {
            probabilities = output.to_plain_array_view::<f32>()?.iter().copied().collect();
        } else {
            let class = output.cast_to::<i64>()?;
            digit = class.to_plain_array_view::<i64>()?.iter().copied().next().unwrap_or_default();
        }
    }
    Ok((digit, probabilities))
}
