//! The server without a browser: who may ask, what is answered, and the stream of what is new.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use abeyance_dashboard::{Controls, Error, Runs, Server, ShownRun};
use abeyance_record::{ALL, Run, summary};
use abeyance_web::AddressError;
use serde_json::Value;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
    /// All that came, with the headers.
    bytes: usize,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks in the older form of HTTP, whose answers end with the connection.
fn ask(addr: SocketAddr, what: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = connect(addr);
    let mut request = format!("{what} HTTP/1.0\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {addr}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    // Who is refused may be so before all is sent.
    let _ = stream.write_all(body.as_bytes());
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    let headers = lines.filter_map(pair).collect();
    Answer { status, headers, body: all[end + 4..].to_vec(), bytes: all.len() }
}

fn get(addr: SocketAddr, path: &str) -> Answer {
    ask(addr, &format!("GET {path}"), &[], "")
}

fn token(addr: SocketAddr) -> String {
    let page = get(addr, "/").text();
    let (_, rest) = page.split_once("name=\"token\" content=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn controls(addr: SocketAddr, token: Option<&str>, body: &str) -> Answer {
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(token.map(|token| ("X-Abeyance-Token", token)));
    ask(addr, "POST /api/control", &headers, body)
}

fn write(run: &Run, steps: std::ops::Range<i64>) {
    for step in steps {
        let value = summary::scalar("train/loss", step as f32);
        run.apply(&summary::event(1.0, step, vec![value]), None);
    }
}

fn serve(runs: &[&Arc<Run>]) -> Server {
    let all = Runs::new();
    for run in runs {
        all.add(ShownRun::recorded(Arc::clone(run)));
    }
    Server::start(all, "0", &[]).unwrap()
}

/// A reader of the stream of what is new.
struct Stream {
    lines: std::io::Lines<BufReader<TcpStream>>,
    /// The last id that came.
    id: Option<String>,
}

impl Stream {
    fn open(addr: SocketAddr, last: Option<&str>) -> Self {
        let mut stream = connect(addr);
        let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        write!(stream, "GET /api/events HTTP/1.0\r\nHost: {addr}\r\n{last}\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert!(lines.next().unwrap().unwrap().contains("200"));
        while !lines.next().unwrap().unwrap().is_empty() {}
        Self { lines, id: last.split_once(": ").map(|(_, id)| id.trim().to_owned()) }
    }

    /// The next event that says something: its kind and its data.
    fn next(&mut self) -> (String, Value) {
        let (mut kind, mut data) = (String::new(), String::new());
        loop {
            let line = self.lines.next().unwrap().unwrap();
            match line.split_once(": ") {
                Some(("id", id)) => self.id = Some(id.to_owned()),
                Some(("event", name)) => kind = name.to_owned(),
                Some(("data", text)) => data.push_str(text),
                _ if line.is_empty() && !data.is_empty() => {
                    return (kind, serde_json::from_str(&data).unwrap());
                }
                _ => {}
            }
        }
    }

    /// The steps of `train/loss` that the next event brings of a run.
    fn steps(&mut self, run: &str) -> Vec<i64> {
        let (kind, data) = self.next();
        assert_eq!(kind, "update");
        let points = data["runs"][run]["scalars"]["train/loss"].as_array();
        points.into_iter().flatten().map(|point| point[0].as_i64().unwrap()).collect()
    }
}

#[test]
fn names_and_pages_that_are_foreign_are_refused() {
    let server = serve(&[]);
    let addr = server.addr();
    assert_eq!(get(addr, "/api/runs").status, 200);
    for host in ["evil.example", "evil.example:80", ""] {
        let answer = ask(addr, "GET /api/runs", &[("Host", host)], "");
        assert_eq!(answer.status, 403, "{host}");
        assert!(answer.error().contains("--dashboard-host"), "{}", answer.error());
    }
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = ask(addr, "GET /api/runs", &[("Origin", origin)], "");
        assert_eq!(answer.status, 403, "{origin}");
    }
    let own = format!("http://{addr}");
    assert_eq!(ask(addr, "GET /api/runs", &[("Origin", &own)], "").status, 200);
    let named = Server::start(Runs::new(), "0", &["box.lan".to_owned()]).unwrap();
    assert_eq!(ask(named.addr(), "GET /", &[("Host", "box.lan:6006")], "").status, 200);
    // What a browser is told of every answer.
    let page = get(addr, "/");
    let policy = &page.headers["content-security-policy"];
    assert!(policy.starts_with("default-src 'none'") && policy.contains("connect-src 'self'"));
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
}

#[test]
fn controls_want_the_token_and_a_run_that_trains_here() {
    let run = Run::new("net");
    let switches = Arc::new(Controls::new());
    let runs = Runs::new();
    runs.add(ShownRun { run, controls: Some(switches.clone()), predictor: None });
    runs.add(ShownRun::recorded(Run::new("old")));
    let server = Server::start(runs, "0", &[]).unwrap();
    let addr = server.addr();
    let pause = r#"{"run":"net","do":"pause"}"#;
    for token in [None, Some(""), Some("0123456789abcdef0123456789abcdef")] {
        assert_eq!(controls(addr, token, pause).status, 403);
    }
    assert!(!switches.is_paused());
    let token = token(addr);
    let good = controls(addr, Some(&token), pause);
    assert_eq!((good.status, good.json()["ok"].as_bool()), (200, Some(true)));
    assert!(switches.is_paused());
    for (body, status) in [
        (r#"{"run":"old","do":"pause"}"#, 409),
        (r#"{"run":"none","do":"pause"}"#, 409),
        (r#"{"run":"net","do":"dance"}"#, 400),
        ("{", 400),
    ] {
        let answer = controls(addr, Some(&token), body);
        assert_eq!(answer.status, status, "{body}");
        assert!(!answer.error().is_empty());
    }
    // A form of a foreign page cannot send what is taken.
    let plain = [("Content-Type", "text/plain"), ("X-Abeyance-Token", &token)];
    assert_eq!(ask(addr, "POST /api/control", &plain, pause).status, 415);
}

#[test]
fn a_body_too_large_is_refused_unread() {
    let server = serve(&[&Run::new("net")]);
    let addr = server.addr();
    let token = token(addr);
    let body = format!("{{\"pixels\":[{}0]}}", "0,".repeat(200_000));
    let headers = [("Content-Type", "application/json"), ("X-Abeyance-Token", &token)];
    let answer = ask(addr, "POST /api/runs/net/predict", &headers, &body);
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(get(addr, "/api/runs").status, 200);
}

#[test]
fn what_is_not_there_is_not_found() {
    let run = Run::new("a/b");
    write(&run, 0..3);
    let server = serve(&[&run]);
    let addr = server.addr();
    let curves = get(addr, "/api/runs/a%2Fb/curves").json();
    assert_eq!(curves["tags"]["train/loss"]["count"], 3);
    for path in ["curves", "bands", "batches", "tests", "sprite", "graph", "traces", "texts"] {
        let answer = get(addr, &format!("/api/runs/none/{path}"));
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.error().contains("none"), "{}", answer.error());
    }
    for path in [
        "/api/runs/a%2Fb/graph",
        "/api/runs/a%2Fb/batch/3",
        "/no.js",
        "/api/no",
        "/..%2FCargo.toml",
    ] {
        assert_eq!(get(addr, path).status, 404, "{path}");
    }
    // Questions that mean nothing are answered, not died of.
    for path in [
        "curves?points=x&from=&to=99999999999999999999",
        "curves?points=0",
        "bands?from=5&to=1",
        "batch/x",
        "image/%ff/1/1",
    ] {
        assert!(get(addr, &format!("/api/runs/a%2Fb/{path}")).status < 500, "{path}");
    }
}

#[test]
fn a_reader_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let run = Run::new("resumed");
    write(&run, 0..10);
    let server = serve(&[&run]);
    let addr = server.addr();
    let mut heard = Vec::new();
    let mut stream = Stream::open(addr, None);
    // Where the stream begins, before anything is new.
    let line = stream.lines.next().unwrap().unwrap();
    let begin = line.strip_prefix("id: ").unwrap().to_owned();
    let mut written = 10;
    for turn in 0..4 {
        write(&run, written..written + 100);
        written += 100;
        while heard.last() != Some(&(written - 1)) {
            heard.extend(stream.steps("resumed"));
        }
        let last = stream.id.clone().unwrap();
        drop(stream);
        // What comes while nobody listens.
        write(&run, written..written + 50 * turn);
        written += 50 * turn;
        stream = Stream::open(addr, Some(&last));
    }
    write(&run, written..written + 1);
    while heard.last() != Some(&written) {
        heard.extend(stream.steps("resumed"));
    }
    assert_eq!(heard, (10..=written).collect::<Vec<_>>());
    // The same from the begin, all at once.
    let mut again = Vec::new();
    let mut stream = Stream::open(addr, Some(&begin));
    while again.last() != Some(&written) {
        again.extend(stream.steps("resumed"));
    }
    assert_eq!(again, heard);
}

#[test]
fn a_reader_of_another_start_or_far_behind_is_told_to_load_everything() {
    let run = Run::new("far");
    let server = serve(&[&run]);
    let mut first = Stream::open(server.addr(), None);
    write(&run, 0..1);
    assert_eq!(first.steps("far"), [0]);
    let id = first.id.clone().unwrap();
    write(&run, 1..50_000);
    assert_eq!(Stream::open(server.addr(), Some(&id)).next().0, "reload");
    let other = serve(&[&run]);
    let mut stream = Stream::open(other.addr(), Some(&id));
    assert_eq!(stream.next().0, "reload");
    assert_ne!(stream.id.unwrap().split(':').next(), id.split(':').next());
    for nonsense in ["x", ":", "abc:99999999999999", ":-1"] {
        assert_eq!(Stream::open(other.addr(), Some(nonsense)).next().0, "reload", "{nonsense}");
    }
}

#[test]
fn a_run_is_filled_while_ten_readers_never_read() {
    let run = Run::new("stuck");
    let server = serve(&[&run]);
    let addr = server.addr();
    let stuck: Vec<TcpStream> = (0..10)
        .map(|_| {
            let mut stream = connect(addr);
            write!(stream, "GET /api/events HTTP/1.0\r\nHost: {addr}\r\n\r\n").unwrap();
            stream
        })
        .collect();
    let mut well = Stream::open(addr, None);
    for thousand in 0..100 {
        write(&run, thousand * 1000..(thousand + 1) * 1000);
    }
    let curves = run.curves(&[], ALL, 100);
    assert_eq!(curves.tags["train/loss"].count, 100_000);
    // Whoever reads is served all the same.
    let answer = get(addr, "/api/runs/stuck/curves?points=100").json();
    assert_eq!(answer["tags"]["train/loss"]["count"], 100_000);
    write(&run, 100_000..100_001);
    loop {
        let (kind, data) = well.next();
        let points = data["runs"]["stuck"]["scalars"]["train/loss"].as_array();
        if kind == "reload" || points.is_some_and(|points| points.last().unwrap()[0] == 100_000) {
            break;
        }
    }
    drop(stuck);
}

#[test]
fn a_port_in_use_is_named_and_port_0_takes_one_that_is_free() {
    let one = serve(&[]);
    let other = serve(&[]);
    assert_ne!(one.addr(), other.addr());
    assert!(one.addr().ip().is_loopback() && one.addr().port() != 0);
    assert_eq!(one.url(), format!("http://{}/", one.addr()));
    let taken = one.addr().to_string();
    let error = Server::start(Runs::new(), &taken, &[]).unwrap_err();
    assert!(matches!(error, Error::Address(AddressError::InUse { .. })), "{error:?}");
    let said = error.to_string();
    assert!(said.contains(&taken) && said.contains("help"), "{said}");
    // Free again as soon as the server is gone.
    drop(one);
    assert_eq!(Server::start(Runs::new(), &taken, &[]).unwrap().addr().to_string(), taken);
    for addr in ["", "x", "127.0.0.1", "127.0.0.1:99999", "999999"] {
        assert!(
            matches!(
                Server::start(Runs::new(), addr, &[]),
                Err(Error::Address(AddressError::Address { .. }))
            ),
            "{addr}"
        );
    }
}

#[test]
fn the_first_load_is_below_150_kb() {
    let server = serve(&[]);
    let addr = server.addr();
    let mut waiting = vec![String::new()];
    let mut loaded = BTreeSet::new();
    let mut bytes = 0;
    while let Some(name) = waiting.pop() {
        if !loaded.insert(name.clone()) {
            continue;
        }
        let plain = get(addr, &format!("/{name}"));
        assert_eq!(plain.status, 200, "{name}");
        let zipped = ask(addr, &format!("GET /{name}"), &[("Accept-Encoding", "gzip")], "");
        if !plain.body.is_empty() {
            assert_eq!(zipped.headers["content-encoding"], "gzip", "{name}");
        }
        bytes += zipped.bytes;
        // What it loads in turn: `href="x.css"`, `src="x.js"`, `from "./x.js"`.
        for part in plain.text().split('"').filter(|_| !name.ends_with(".css")) {
            let file = part.strip_prefix("./").unwrap_or(part);
            let is_file = [".js", ".css"].iter().any(|end| file.ends_with(end));
            if is_file && !file.contains([' ', '/']) {
                waiting.push(file.to_owned());
            }
        }
    }
    assert!(
        loaded.contains("uplot.js") && loaded.contains("graph.js") && loaded.contains("parts.css")
    );
    assert!(loaded.len() > 25, "{loaded:?}");
    assert!(bytes < 150_000, "{bytes} bytes");
}
