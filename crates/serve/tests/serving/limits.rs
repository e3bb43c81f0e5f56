//! Queues, deadlines, connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use abeyance_serve::ServerOptions;

use crate::support::{Folder, agent, base, get, numbers, pack, post, request, rows, serve, wait};

const PATH: &str = "/v2/models/classifier/infer";

/// A server in which requests wait for company for so long that a test sees them wait.
fn waiting(options: ServerOptions) -> (Folder, abeyance_serve::Server) {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 1);
    let server = serve(&folder.0, options.max_delay(Duration::from_secs(20)).max_batch(8));
    (folder, server)
}

#[test]
fn a_full_queue_is_told_with_when_to_try_again() {
    let (_folder, server) = waiting(ServerOptions::new().queue(2));
    let base = base(&server);
    std::thread::scope(|scope| {
        let first: Vec<_> = (0..2)
            .map(|n| {
                let base = &base;
                scope.spawn(move || post(&agent(), base, PATH, &request(&rows(1, n))))
            })
            .collect();
        wait("both wait", || get(&agent(), &base, "/api/status").1["server"]["queue"] == 2);
        let answer = agent().post(format!("{base}{PATH}")).send_json(request(&rows(1, 3))).unwrap();
        assert_eq!(answer.status().as_u16(), 503);
        assert_eq!(answer.headers()["retry-after"], "1");
        // Stopping computes what waits at once.
        assert!(server.stop());
        for first in first {
            let (status, answer) = first.join().unwrap();
            assert_eq!((status, numbers(&answer).len()), (200, 3), "{answer}");
        }
    });
}

#[test]
fn a_request_whose_time_is_up_is_not_computed() {
    let (_folder, server) = waiting(ServerOptions::new());
    let base = base(&server);
    let mut asked = request(&rows(1, 0));
    asked["parameters"] = serde_json::json!({ "timeout": 50_000 });
    let began = Instant::now();
    let (status, answer) = post(&agent(), &base, PATH, &asked);
    assert_eq!(status, 504, "{answer}");
    assert!(began.elapsed() < Duration::from_secs(15));
    wait("it waits no longer", || get(&agent(), &base, "/api/status").1["server"]["queue"] == 0);
    let (_, stats) = get(&agent(), &base, "/v2/models/classifier/stats");
    assert_eq!(stats["model_stats"][0]["execution_count"], 0);
    assert_eq!(stats["model_stats"][0]["inference_stats"]["fail"]["count"], 1);
}

#[test]
fn a_request_whose_client_went_away_is_not_computed() {
    let (_folder, server) = waiting(ServerOptions::new());
    let base = base(&server);
    let body = request(&rows(1, 0)).to_string();
    let mut stream = TcpStream::connect(server.http().unwrap()).unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let waits = || get(&agent(), &base, "/api/status").1["server"]["queue"].as_u64().unwrap();
    wait("it waits", || waits() == 1);
    drop(stream);
    // Another comes, has its own time, and finds nobody to run with.
    let mut asked = request(&rows(8, 1));
    asked["id"] = "other".into();
    let (status, answer) = post(&agent(), &base, PATH, &asked);
    assert_eq!((status, &answer["id"]), (200, &"other".into()));
    let (_, stats) = get(&agent(), &base, "/v2/models/classifier/stats");
    assert_eq!(stats["model_stats"][0]["inference_count"], 8, "{stats}");
    assert_eq!(waits(), 0);
}

#[test]
fn idle_connections_hinder_nobody_and_too_many_are_told() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 1);
    let server = serve(&folder.0, ServerOptions::new().max_connections(300));
    let (base, addr) = (base(&server), server.http().unwrap());
    let agent = agent();
    assert_eq!(post(&agent, &base, PATH, &request(&rows(1, 0))).0, 200);
    let mut idle: Vec<TcpStream> = (0..299).map(|_| TcpStream::connect(addr).unwrap()).collect();
    // The agent has kept its connection.
    assert_eq!(post(&agent, &base, PATH, &request(&rows(1, 0))).0, 200);
    wait("one too many is told so", || {
        let mut one_more = TcpStream::connect(addr).unwrap();
        one_more.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut told = String::new();
        one_more.read_to_string(&mut told).is_ok()
            && told.starts_with("HTTP/1.1 503 ")
            && told.contains("Retry-After: 1")
            && told.ends_with("{\"error\":\"as many connections are open as may be: try again\"}")
    });
    idle.clear();
    wait("there is room again", || {
        let mut asked = TcpStream::connect(addr).unwrap();
        asked.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        asked
            .write_all(
                b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            )
            .unwrap();
        let mut told = String::new();
        asked.read_to_string(&mut told).is_ok() && told.starts_with("HTTP/1.1 200 ")
    });
}
