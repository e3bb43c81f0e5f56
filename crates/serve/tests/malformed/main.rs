//! Requests that are wrong in every way that came to mind: each gets its answer, in words that name
//! what is wrong, and the next is served.

mod connection;
mod expected;
mod grpc;
mod parts;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use abeyance_serve::{Models, Server, ServerOptions};
use serde_json::Value;

use expected::{failure, next_is_served, report};

/// The most memory that the server may hold above what it held before, in MiB: four bodies of the
/// longest, and what reading them takes.
const MOST_MEMORY: u64 = 640;

fn server(options: ServerOptions) -> Server {
    let models = format!("{}/tests/data/models", env!("CARGO_MANIFEST_DIR"));
    let options = options.http("127.0.0.1:0").grpc("127.0.0.1:0").versions(2);
    let server = Server::start(Models::folder(models), options).unwrap();
    while !server.is_ready() || next_is_served(server.http().unwrap()).is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    server
}

/// The most memory that this process ever held, in MiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// One test at a time: what is in memory is this process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn is_slow(line: &Value) -> bool {
    line["slow"] == true
}

/// Lines of a file, whose names hold what ABEYANCE_MALFORMED says, if it says anything.
fn lines(file: &str) -> Vec<Value> {
    let part = std::env::var("ABEYANCE_MALFORMED").unwrap_or_default();
    let is_meant = |line: &Value| parts::text(line, "name").contains(&part);
    parts::lines(file).into_iter().filter(is_meant).collect()
}

#[test]
fn every_malformed_request_gets_its_answer_and_the_next_is_served() {
    let _alone = alone();
    let server = server(ServerOptions::new());
    let addr = server.http().unwrap();
    let before = most_memory();
    let lines = lines("http.jsonl");
    let mut failed = Vec::new();
    for line in lines.iter().filter(|line| !is_slow(line)) {
        let outcome = expected::http(line, addr, Duration::from_secs(60));
        if let Err(what) = outcome.and_then(|()| next_is_served(addr)) {
            failed.push(failure(line, what));
        }
    }
    report(lines.len(), &failed);
    let taken = most_memory().saturating_sub(before);
    assert!(taken < MOST_MEMORY, "{taken} MiB were taken");
}

#[test]
fn every_malformed_call_of_grpc_gets_its_answer_and_the_next_is_served() {
    let _alone = alone();
    let server = server(ServerOptions::new());
    let (addr, http) = (server.grpc().unwrap(), server.http().unwrap());
    let before = most_memory();
    let lines = lines("grpc.jsonl");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let mut failed = Vec::new();
    for line in &lines {
        let outcome = runtime.block_on(grpc::outlived(line, addr));
        if let Err(what) = outcome.and_then(|()| next_is_served(http)) {
            failed.push(failure(line, what));
        }
    }
    report(lines.len(), &failed);
    let taken = most_memory().saturating_sub(before);
    assert!(taken < MOST_MEMORY, "{taken} MiB were taken");
}

#[test]
fn slow_senders_are_given_up_and_hinder_nobody() {
    let _alone = alone();
    let server = server(ServerOptions::new().slow(Duration::from_secs(2)));
    let addr = server.http().unwrap();
    let lines: Vec<Value> = lines("http.jsonl").into_iter().filter(is_slow).collect();
    let failed = all_at_once(&lines, addr);
    report(lines.len(), &failed);
}

/// Each line on a connection of its own, at the same time; the server answers others meanwhile and
/// afterwards.
fn all_at_once(lines: &[Value], addr: SocketAddr) -> Vec<(String, String)> {
    thread::scope(|scope| {
        let run = |line| {
            let outcome = expected::http(line, addr, Duration::from_secs(60));
            outcome.and_then(|()| next_is_served(addr)).map_err(|what| failure(line, what))
        };
        let running: Vec<_> = lines.iter().map(|line| scope.spawn(move || run(line))).collect();
        next_is_served(addr).unwrap();
        running.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    })
}
