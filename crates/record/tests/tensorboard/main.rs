//! TensorBoard shows what was recorded: its own reader and its server's answers, with both of its
//! loaders. In the Python that `ABEYANCE_TENSORBOARD_PYTHON` names, or else `python3`.

#[path = "../network/mod.rs"]
mod network;

use std::path::{Path, PathBuf};
use std::process::Command;

use abeyance_graph::Graph;
use abeyance_record::{ALL, Run};
use abeyance_session::{RunOptions, Session, Trace};
use network::{batch, network, recorded, run_of};
use serde_json::{Value as Json, json};

fn python() -> PathBuf {
    std::env::var_os("ABEYANCE_TENSORBOARD_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

/// True if there is a Python with TensorBoard. Says so where there is none.
fn is_there() -> bool {
    let program = "import tensorboard; assert tensorboard.__version__ == '2.21.0'";
    let asked = Command::new(python()).args(["-c", program]).output();
    let found = asked.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!(
            "SKIPPED: reading recordings with TensorBoard, as {} has not got tensorboard 2.21.0; set ABEYANCE_TENSORBOARD_PYTHON",
            python().display()
        );
    }
    found
}

/// The answers of TensorBoard about the run `small` in a folder.
fn tensorboard(folder: &Path) -> Json {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tensorboard/read.py");
    let output = Command::new(python()).arg(script).arg(folder).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

/// The run `small` in a folder of its own: 61 steps, of which the last 21 were trained again from
/// step 40 on, and a traced step.
fn write(g: &Graph, folder: &Path) {
    let network = network(g);
    let run = folder.join("small");
    let (session, recorder) = recorded(g, &network, &run, 61, |options| options);
    traced(&session, &network, &recorder);
    recorder.finish().unwrap();
    let session = network::session(g);
    let recorder =
        abeyance_record::Recorder::new(&session).folder(&run).resume(39).start().unwrap();
    for step in 39..61 {
        let fetches = (network.loss, network.step);
        recorder.run(&session, fetches, network.feeds(&batch(step))).unwrap();
    }
    recorder.scalars(60, [("test/loss", 0.25)]);
    recorder.finish().unwrap();
}

fn traced(session: &Session, network: &network::Network<'_>, recorder: &abeyance_record::Recorder) {
    let mut trace = Trace::new();
    let options = RunOptions::new().trace(&mut trace);
    session.run_with(options, (network.loss, network.step), network.feeds(&batch(3))).unwrap();
    recorder.trace(3, &trace);
}

/// Steps and losses as we read them.
fn losses(run: &Run) -> Vec<(i64, f32)> {
    let curves = run.curves(&[], ALL, 1000);
    let loss = &curves.tags["train/loss"];
    loss.step.iter().copied().zip(loss.value.iter().copied()).collect()
}

fn check_buckets(found: &Json, count: f64) {
    let rows = found.as_array().unwrap();
    assert_eq!(rows.len(), 30);
    let total: f64 = rows.iter().map(|row| row[2].as_f64().unwrap()).sum();
    assert_eq!(total, count);
    for pair in rows.windows(2) {
        assert_eq!(pair[0][1], pair[1][0]);
        assert!(pair[0][0].as_f64() < pair[0][1].as_f64());
    }
}

/// The elements of all weights.
const WEIGHTS: f64 = 16.0 * 12.0 + 12.0 * 4.0;
/// The steps that are recorded.
const STEPS: [i64; 4] = [0, 20, 40, 60];

/// Checks what the EventAccumulator says of the graph's recording. Gives the number of nodes that
/// ran in the traced step.
fn check_accumulator(accumulator: &Json, g: &Graph, losses: &[Json]) -> usize {
    assert_eq!(accumulator["scalars"]["train/loss"], json!(losses));
    assert_eq!(accumulator["scalars"]["test/loss"], json!([[60, 0.25]]));
    let histograms = accumulator["histograms"]["weights"].as_array().unwrap();
    assert!(histograms.iter().map(|entry| &entry[0]).eq(&json!(STEPS).as_array().unwrap()[..]));
    histograms.iter().for_each(|entry| check_buckets(&entry[1], WEIGHTS));
    let sizes = &accumulator["sizes"];
    assert_eq!(sizes["digits"][0], json!([0, [5]]));
    assert_eq!(sizes["abeyance/percentiles/weights"][1], json!([20, [9]]));
    assert_eq!(sizes["abeyance/batch"][0], json!([0, [5]]));
    assert_eq!(accumulator["plugins"]["abeyance/settings"], "abeyance");
    let ir = g.ir();
    let nodes = accumulator["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), ir.len());
    for ((_, node), found) in ir.iter().zip(nodes) {
        assert_eq!(
            (&found[0], &found[1]),
            (&json!(*node.name), &json!(node.operator.signature().name))
        );
    }
    let ran = accumulator["run_metadata"]["step 3"].as_array().unwrap();
    assert!(ran.len() > 5 && ran.iter().all(|name| ir.find(name.as_str().unwrap()).is_some()));
    ran.len()
}

#[test]
fn tensorboard_shows_what_was_recorded() {
    if !is_there() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tensorboard");
    let _ = std::fs::remove_dir_all(&folder);
    let g = Graph::named("small");
    write(&g, &folder);
    let run = run_of(&folder.join("small"));
    let expected: Vec<Json> =
        losses(&run).into_iter().map(|(step, loss)| json!([step, f64::from(loss)])).collect();
    assert_eq!(expected.len(), 4);
    let said = tensorboard(&folder);

    let ran = check_accumulator(&said["accumulator"], &g, &expected);

    for loader in ["fast", "slow"] {
        let server = &said[loader];
        assert_eq!(server["scalar_tags"], json!(["test/loss", "train/accuracy", "train/loss"]));
        let loss: Vec<Json> = (server["loss"].as_array().unwrap().iter())
            .map(|point| json!([point[1], point[2]]))
            .collect();
        assert_eq!(loss, expected, "{loader}");
        assert_eq!(server["histogram_tags"], json!(["a/w", "biases", "weights"]));
        let found = server["weights"].as_array().unwrap();
        assert!(found.iter().map(|entry| &entry[1]).eq(&json!(STEPS).as_array().unwrap()[..]));
        found.iter().for_each(|entry| check_buckets(&entry[2], WEIGHTS));
        assert_eq!(
            (&server["images"], &server["image"]),
            (&json!(STEPS), &json!("89504e470d0a1a0a"))
        );
        let text = server["texts"][0].as_str().unwrap();
        assert!(text.starts_with("<pre><code>graph small {"), "{text}");
        let graph = server["graph"].as_str().unwrap();
        assert_eq!(graph.matches("node {").count(), g.ir().len());
        for word in ["name: \"a/matmul\"", "_output_shapes", "_role", "input: \"^"] {
            assert!(graph.contains(word), "{loader}: no {word}");
        }
        assert_eq!(server["graph_info"]["run_graph"], true);
        assert_eq!(server["graph_info"]["tags"]["step 3"]["profile"], true);
        let metadata = server["run_metadata"].as_str().unwrap();
        assert_eq!(metadata.matches("node_stats {").count(), ran);
    }
}

#[test]
fn a_tensorboard_that_looks_on_follows_a_run_that_is_resumed() {
    use std::io::{BufRead, BufReader, Write};
    if !is_there() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tensorboard_watch");
    let _ = std::fs::remove_dir_all(&folder);
    let g = Graph::named("small");
    let network = network(&g);
    let run = folder.join("small");
    recorded(&g, &network, &run, 101, |options| options).1.finish().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tensorboard/watch.py");
    let mut watch = Command::new(python())
        .arg(script)
        .arg(&folder)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut ask, answers) = (watch.stdin.take().unwrap(), watch.stdout.take().unwrap());
    let mut answers = BufReader::new(answers).lines();
    let mut points = |step: i64| -> Vec<(i64, f32)> {
        writeln!(ask, "{step}").unwrap();
        let points = serde_json::from_str(&answers.next().unwrap().unwrap());
        points.unwrap()
    };
    assert_eq!(points(100), losses(&run_of(&run)));
    // From step 50 on another training, which ends later.
    let session = network::session(&g);
    let recorder = abeyance_record::Recorder::new(&session).folder(&run).resume(50);
    let recorder = recorder.start().unwrap();
    for step in 50..141 {
        let fetches = (network.loss, network.step);
        recorder.run(&session, fetches, network.feeds(&batch(step))).unwrap();
    }
    recorder.finish().unwrap();
    let found = points(140);
    let expected = losses(&run_of(&run));
    assert_eq!(expected.len(), 8);
    assert_eq!(found, expected);
    drop(ask);
    assert!(watch.wait().unwrap().success());
}
