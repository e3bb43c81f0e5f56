//! A server that stops.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use abeyance_serve::ServerOptions;

use crate::support::{Folder, expected, pack, request, rows, serve, session};

/// The end of a request.
enum Outcome {
    Answered(String),
    /// There was no connection any more, or the system closed one that the server had not accepted.
    Refused,
}

/// Sends a request, on the connection that is kept if there is one.
fn ask(kept: &mut Option<TcpStream>, addr: SocketAddr, body: &str) -> Outcome {
    let is_new = kept.is_none();
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => match TcpStream::connect(addr) {
            Ok(stream) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
                ) =>
            {
                return Outcome::Refused;
            }
            Err(error) => panic!("{error}"),
        },
    };
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST /v2/models/classifier/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let refused = |error: &std::io::Error| {
        is_new && matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
    };
    match stream.write_all(format!("{head}{body}").as_bytes()) {
        Err(error) if refused(&error) => return Outcome::Refused,
        sent => sent.expect("a request is taken whole"),
    }
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = match stream.read(&mut part) {
            Err(error) if answer.is_empty() && refused(&error) => return Outcome::Refused,
            read => read.expect("an answer"),
        };
        assert!(count > 0, "the connection broke off after {} bytes", answer.len());
        answer.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if rest.len() < length.parse::<usize>().unwrap() {
            continue;
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{text}");
        if !lower.contains("connection: close") {
            *kept = Some(stream);
        }
        return Outcome::Answered(rest.to_owned());
    }
}

#[test]
fn stopping_under_load_loses_nothing_that_was_sent() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 1);
    let server = serve(&folder.0, ServerOptions::new());
    let addr = server.http().unwrap();
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let answered = &answered;
            scope.spawn(move || {
                let (session, mut kept) = (session(1), None);
                for turn in 0.. {
                    let rows = rows(1 + turn % 4, client * 100 + turn % 50);
                    match ask(&mut kept, addr, &request(&rows).to_string()) {
                        Outcome::Refused => break,
                        Outcome::Answered(answer) => {
                            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
                            let given = crate::support::numbers(&answer);
                            assert_eq!(given, expected(&session, &rows));
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        while answered.load(Ordering::Relaxed) < 200 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(server.stop());
    });
}
