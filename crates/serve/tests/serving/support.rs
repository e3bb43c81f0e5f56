//! Models made for a test, and requests to a server.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use abeyance_checkpoint::Checkpoint;
use abeyance_graph::{Graph, dims, truncated_normal};
use abeyance_package::{Case, Packing};
use abeyance_serve::{Models, Server, ServerOptions};
use abeyance_session::{Session, SessionOptions, Value};
use serde_json::{Value as Json, json};

/// A folder that goes when this does.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "abeyance-serving-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A small classifier with rows apart: 7 numbers in, 3 probabilities out.
pub fn classifier() -> Graph {
    let g = Graph::named("classifier");
    let x = g.placeholder::<f32>("x", dims![_, 7]);
    let w = g.variable("w", truncated_normal(dims![7, 5], 0.0, 1.0));
    let v = g.variable("v", truncated_normal(dims![5, 3], 0.0, 1.0));
    let y = x.matmul(w).tanh().matmul(v).softmax();
    g.signature("predict").input("x", x).output("y", y);
    g
}

/// A session of it with the values that a seed gives.
pub fn session(seed: u64) -> Session {
    Session::with_options(&classifier(), SessionOptions::new().seed(seed).threads(1)).unwrap()
}

/// Packs the classifier as a version, whole at once.
pub fn pack(folder: &Path, name: &str, version: u64, seed: u64) {
    let (graph, session) = (classifier(), session(seed));
    let checkpoint = Checkpoint::of(&session);
    let numbers = Value::from(ndarray::Array2::from_shape_fn((2, 7), |(r, c)| (r + c) as f32));
    let run = session.signature("predict").unwrap();
    let case = Case::record(&run, vec![("x".to_owned(), numbers)]).unwrap();
    let packing = Packing::new(name, &graph, "predict").checkpoint(&checkpoint).case(case);
    let target = folder.join(name).join(version.to_string());
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    abeyance_package::write(&target, &packing).unwrap();
}

/// Rows that are all different.
pub fn rows(count: usize, from: usize) -> Vec<f32> {
    (0..count * 7)
        .map(|i| (((from * 7 + i) * 2_654_435_761) % 2003) as f32 / 1000.0 - 1.0)
        .collect()
}

/// The outputs that a session computes for rows.
pub fn expected(session: &Session, rows: &[f32]) -> Vec<f32> {
    let x =
        Value::from(ndarray::Array2::from_shape_vec((rows.len() / 7, 7), rows.to_vec()).unwrap());
    let run = session.signature("predict").unwrap();
    match run.run([run.feed_value("x", &x).unwrap()]).unwrap().remove(0) {
        Value::F32(y) => y.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

/// A server of a folder, ready.
pub fn serve(folder: &Path, options: ServerOptions) -> Server {
    let options = options.http("127.0.0.1:0").poll(Duration::from_millis(20));
    let server = Server::start(Models::folder(folder), options).unwrap();
    wait("the server is ready", || server.is_ready());
    server
}

/// Waits until something is so.
pub fn wait(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within 30 seconds: {what}");
}

/// A client that keeps its connection.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

/// Sends a POST. Gives the status and the answer.
pub fn post(agent: &ureq::Agent, server: &str, path: &str, body: &Json) -> (u16, Json) {
    let mut answer = agent.post(format!("{server}{path}")).send_json(body).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
}

/// Sends a GET. Gives the status and the answer.
pub fn get(agent: &ureq::Agent, server: &str, path: &str) -> (u16, Json) {
    let mut answer = agent.get(format!("{server}{path}")).call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
}

/// A request for so many rows.
pub fn request(rows: &[f32]) -> Json {
    let input = json!({
        "name": "x", "shape": [rows.len() / 7, 7], "datatype": "FP32", "data": rows,
    });
    json!({ "inputs": [input] })
}

/// The numbers of an answer's first output.
pub fn numbers(answer: &Json) -> Vec<f32> {
    let data = answer["outputs"][0]["data"].as_array().unwrap();
    data.iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// The address without its last slash.
pub fn base(server: &Server) -> String {
    server.url().trim_end_matches('/').to_owned()
}
