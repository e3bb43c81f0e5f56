//! Connections of HTTP/1.1 by which anything can be sent, and what comes back on them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::parts::{self, Step, list, text};

/// An answer; `status` 0 is a connection that was closed without one.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, wanted: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// The first of its body, for a message.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(300).collect()
    }
}

/// Sends a line and reads as many answers as it expects.
///
/// # Errors
/// An answer does not come in time, or is none.
pub fn exchange(line: &Value, addr: SocketAddr, patience: Duration) -> io::Result<Vec<Answer>> {
    let connection = TcpStream::connect(addr)?;
    connection.set_nodelay(true)?;
    let mut sending = connection.try_clone()?;
    let host = addr.to_string();
    let sent = line.clone();
    // Beside the reading: who sends too much is answered before the end. What cannot be sent any
    // more is of no matter.
    thread::spawn(move || drop(send(&sent, &host, &mut sending)));
    let mut answers = Answers { connection, buffer: Vec::new(), until: Instant::now() + patience };
    (0..1 + list(line, "then").len()).map(|_| answers.next()).collect()
}

/// Sends a line's bytes as they are.
pub fn send(line: &Value, host: &str, connection: &mut TcpStream) -> io::Result<()> {
    if line.get("raw").is_none() {
        let body = list(line, "body");
        let head = head(line, host, parts::length(body, host));
        connection.write_all(&head)?;
        return parts::write(body, host, connection);
    }
    for step in parts::steps(list(line, "raw"), host) {
        match step {
            Step::Part(part) => {
                parts::write(std::slice::from_ref(part), host, connection)?;
            }
            Step::Drip(bytes, pause) => {
                for byte in bytes {
                    connection.write_all(&[byte])?;
                    thread::sleep(pause);
                }
            }
            Step::Close => connection.shutdown(Shutdown::Write)?,
            Step::Stall => {}
        }
    }
    Ok(())
}

fn head(line: &Value, host: &str, length: u64) -> Vec<u8> {
    let method = text(line, "method");
    let mut head = format!("{method} ").into_bytes();
    head.extend(parts::value(&line["path"], host));
    head.extend(format!(" HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n").bytes());
    let mut is_framed = length == 0 && method == "GET";
    for pair in list(line, "headers") {
        let name = pair[0].as_str().unwrap();
        is_framed |= ["content-length", "transfer-encoding"].contains(&&*name.to_lowercase());
        head.extend(format!("{name}: ").bytes());
        head.extend(parts::value(&pair[1], host));
        head.extend(b"\r\n");
    }
    if !is_framed {
        head.extend(format!("Content-Length: {length}\r\n").bytes());
    }
    head.extend(b"\r\n");
    head
}

struct Answers {
    connection: TcpStream,
    buffer: Vec<u8>,
    until: Instant,
}

impl Answers {
    /// Reads on; tells whether anything came.
    fn more(&mut self) -> io::Result<bool> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.connection.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut block = [0; 64 << 10];
        match self.connection.read(&mut block) {
            Ok(count) => {
                self.buffer.extend_from_slice(&block[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(io::Error::new(error.kind(), "no answer came in time")),
        }
    }

    /// Reads up to a mark. Gives the bytes before it, or nothing if the connection is closed first.
    fn before(&mut self, mark: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|part| part == mark) {
                let before = self.buffer.drain(..at).collect();
                self.buffer.drain(..mark.len());
                return Ok(Some(before));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.more()? {
                return Err(io::Error::other("the answer breaks off"));
            }
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn next(&mut self) -> io::Result<Answer> {
        let Some(head) = self.before(b"\r\n\r\n")? else { return Ok(Answer::default()) };
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer: {first:?}")))?;
        if status == 100 {
            return self.next();
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_owned()))
        };
        let mut answer =
            Answer { status, headers: lines.filter_map(header).collect(), body: Vec::new() };
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = self.before(b"\r\n")?.unwrap_or_default();
                let size = usize::from_str_radix(&String::from_utf8_lossy(&size), 16)
                    .map_err(io::Error::other)?;
                answer.body.extend(self.exactly(size)?);
                self.exactly(2)?;
                if size == 0 {
                    return Ok(answer);
                }
            }
        }
        match answer.header("content-length").map(str::parse) {
            Some(Ok(length)) => answer.body = self.exactly(length)?,
            Some(Err(_)) => return Err(io::Error::other("the answer's length is no number")),
            None => {
                while self.more()? {}
                answer.body = std::mem::take(&mut self.buffer);
            }
        }
        Ok(answer)
    }
}
