//! The load generator against servers that answer rightly, wrongly, with a status, or not at all.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

const ANSWER: &str =
    r#"{"outputs":[{"name":"probabilities","datatype":"FP32","shape":[1,2],"data":[0.25,0.75]}]}"#;

/// Serves every request with what `answer` gives for its number; the connection ends where that is
/// no whole answer.
fn serve(answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    let count = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, count) = (answer.clone(), count.clone());
            std::thread::spawn(move || converse(stream, &*answer, &count));
        }
    });
    address
}

fn converse(
    mut stream: TcpStream,
    answer: &dyn Fn(usize) -> Vec<u8>,
    count: &AtomicUsize,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("Content-Length: ") {
                length = text.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let bytes = answer(count.fetch_add(1, Ordering::Relaxed));
        stream.write_all(&bytes).ok()?;
        if !bytes.ends_with(b"}") && !bytes.ends_with(b"0\r\n\r\n") {
            return None;
        }
    }
}

fn whole(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn load(server: &str, more: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_serving-load");
    let options = ["--server", server, "--seconds", "0.3", "--warmup", "0", "--images", "4"];
    Command::new(program).args(options).args(more).output().unwrap()
}

/// The record, and whether the program was content.
fn record(server: &str, more: &[&str]) -> (Value, bool) {
    let output = load(server, &[&["--protocol", "oip-json", "--json"], more].concat());
    let record = serde_json::from_slice(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (record.unwrap_or_else(|error| panic!("{error}: {words}")), output.status.success())
}

fn count(record: &Value, name: &str) -> u64 {
    record[name].as_u64().unwrap_or_else(|| panic!("{name} in {record}"))
}

#[test]
fn right_answers_are_counted_timed_and_compared() {
    let server = serve(|_| whole("200 OK", ANSWER));
    let (record, content) = record(&server, &["--connections", "3", "--idle", "5", "--check"]);
    assert!(content, "{record}");
    assert!(count(&record, "requests") > 10, "{record}");
    assert!(count(&record, "checked") >= count(&record, "requests"));
    assert_eq!((count(&record, "wrong"), count(&record, "failed")), (0, 0));
    assert!(record["latency_us"]["p50"].as_f64() <= record["latency_us"]["max"].as_f64());
}

#[test]
fn an_answer_that_differs_in_one_bit_is_wrong() {
    let near = ANSWER.replace("0.75", &f32::from_bits(0.75_f32.to_bits() + 1).to_string());
    // The four images asked alone and some more are right.
    let server = serve(move |number| whole("200 OK", if number == 9 { &near } else { ANSWER }));
    let (record, content) = record(&server, &["--check"]);
    assert!(!content);
    assert_eq!(count(&record, "wrong"), 1, "{record}");
    let words = record["first_wrong"].as_str().unwrap();
    assert!(
        words.contains("output `probabilities`, element 1") && words.contains("for 0.75"),
        "{words}"
    );
}

#[test]
fn chunks_make_the_same_answer() {
    let (one, two) = ANSWER.split_at(30);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:X};x=y\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    );
    let server =
        serve(
            move |number| {
                if number < 8 { whole("200 OK", ANSWER) } else { chunked.clone().into_bytes() }
            },
        );
    let (record, content) = record(&server, &["--check"]);
    assert!(content && count(&record, "checked") > 10, "{record}");
}

#[test]
fn bytes_behind_json_are_read_as_the_same_numbers() {
    let server = serve(|_| {
        let json = r#"{"outputs":[{"name":"digit","datatype":"INT64","shape":[1],"data":[7]},{"name":"probabilities","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}"#;
        let head = format!(
            "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            json.len(),
            json.len() + 8
        );
        let numbers = [0.25_f32.to_le_bytes(), 0.75_f32.to_le_bytes()].concat();
        [head.as_bytes(), json.as_bytes(), &numbers, b"\r\n0\r\n\r\n"].concat()
    });
    let folder = std::env::temp_dir().join(format!("serving-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("answers.json");
    let path = file.to_str().unwrap();
    let output = load(&server, &["--protocol", "oip-binary", "--write-reference", path]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // JSON from another server is compared with the bytes of this one.
    let other = serve(|_| whole("200 OK", ANSWER));
    let (same, content) = record(&other, &["--check", "--reference", path]);
    assert!(content && count(&same, "checked") > 4, "{same}");
    let third = serve(|_| whole("200 OK", &ANSWER.replace("0.25", "0.5")));
    let (differs, _) = record(&third, &["--check", "--reference", path]);
    assert_eq!(count(&differs, "wrong"), count(&differs, "checked"));

    let others =
        load(&other, &["--protocol", "oip-json", "--check", "--reference", path, "--seed", "2"]);
    assert_eq!(others.status.code(), Some(2));
    let words = String::from_utf8_lossy(&others.stderr).into_owned();
    assert!(words.contains("the answers for other images"), "{words}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn failures_are_counted_by_kind() {
    let server = serve(|number| match number {
        1 => whole("503 Service Unavailable", r#"{"error":"the queue is full"}"#),
        3 => Vec::new(),
        5 => b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n[".to_vec(),
        _ => whole("200 OK", ANSWER),
    });
    let (record, content) = record(&server, &[]);
    assert!(!content);
    let failures = &record["failures"];
    assert_eq!(failures["status 503"], 1, "{record}");
    assert_eq!(failures["closed before an answer"], 1, "{record}");
    assert_eq!(failures["cut amid the answer"], 1, "{record}");
    assert_eq!(count(&record, "failed"), 3);
    assert_eq!(record["first_failure"], r#"status 503: {"error":"the queue is full"}"#);
    assert_eq!(count(&record, "reconnected"), 2);
}

#[test]
fn a_server_that_is_away_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (record, content) = record(&server, &[]);
    assert!(!content && count(&record, "requests") == 0);
    assert!(record["failures"]["no connection"].as_u64() > Some(0), "{record}");
}

#[test]
fn an_answer_that_does_not_come_is_late() {
    let server = serve(|number| {
        if number > 3 {
            std::thread::sleep(std::time::Duration::from_secs(5));
        }
        whole("200 OK", ANSWER)
    });
    let (record, _) = record(&server, &["--timeout", "0.1"]);
    assert!(record["failures"]["no answer in time"].as_u64() > Some(0), "{record}");
}

#[test]
fn wrong_flags_say_what_is_wrong() {
    let cases: [(&[&str], &str); 6] = [
        (&["--server", "http://127.0.0.1:1", "--protocol", "raw"], "say host and port alone"),
        (&["--server", "127.0.0.1:1", "--protocol", "row"], "possible values: oip-binary"),
        (
            &["--server", "127.0.0.1:1", "--protocol", "raw", "--seconds", "-1"],
            "from 0 to 86400 seconds",
        ),
        (&["--server", "127.0.0.1:1", "--protocol", "raw", "--path", "a b"], "begins with `/`"),
        (&["--server", "127.0.0.1:1", "--protocol", "raw", "--reference", "x"], "--check"),
        (
            &["--server", "127.0.0.1:1", "--protocol", "raw", "--from", "/none"],
            "cannot read `/none`",
        ),
    ];
    for (options, words) in cases {
        let output =
            Command::new(env!("CARGO_BIN_EXE_serving-load")).args(options).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{options:?}: {said}");
    }
}
