//! Other people's clients against the server: tritonclient and kserve over HTTP and gRPC,
//! TensorFlow Serving's REST, and schemathesis, which searches the server for answers that its
//! OpenAPI document does not tell of. The scripts beside this file hold what is checked.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use abeyance_serve::{Models, Server, ServerOptions};

/// A server of all models in tests/data, and what runs a script against it; nothing where there is
/// no Python with the clients.
fn run(script: &str) {
    let Ok(python) = std::env::var("ABEYANCE_SERVING_PYTHON") else {
        println!(
            "left out: ABEYANCE_SERVING_PYTHON names no Python with the clients (.ci/serving-python)"
        );
        return;
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let options = ServerOptions::new().http("127.0.0.1:0").grpc("127.0.0.1:0").versions(2);
    let server = Server::start(Models::folder(tests.join("data/models")), options).unwrap();
    while !server.is_ready() {
        thread::sleep(Duration::from_millis(20));
    }
    let output = Command::new(python)
        .arg("-B")
        .arg(tests.join("clients").join(script))
        .args([server.http().unwrap().to_string(), server.grpc().unwrap().to_string()])
        .arg(tests.join("data/cases.json"))
        .output()
        .unwrap();
    let (told, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let failed: Vec<&str> = told.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(output.status.success(), "{script}:\n{}\n{errors}", failed.join("\n"));
    assert!(told.contains("ok "), "{script} checked nothing:\n{told}\n{errors}");
}

#[test]
fn tritons_client_for_http() {
    run("triton_http.py");
}

#[test]
fn tritons_asynchronous_client_for_http() {
    run("triton_http_aio.py");
}

#[test]
fn tritons_clients_for_grpc() {
    run("triton_grpc.py");
}

#[test]
fn kserves_client_for_http() {
    run("kserve_rest.py");
}

#[test]
fn kserves_client_for_grpc() {
    run("kserve_grpc.py");
}

#[test]
fn tensorflow_servings_rest() {
    run("tensorflow_rest.py");
}

#[test]
fn schemathesis_finds_nothing() {
    run("openapi.py");
}
