//! A server that answers one request with what a test says, and keeps what it received.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use serde_json::Value;

/// An HTTP answer.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// The value of `Inference-Header-Content-Length`, if it is sent.
    pub json_length: Option<usize>,
}

impl Answer {
    pub fn json(status: u16, body: &str) -> Self {
        Self { status, body: body.as_bytes().to_vec(), json_length: None }
    }

    pub fn binary(json: &Value, data: Vec<u8>) -> Self {
        let mut body = json.to_string().into_bytes();
        let json_length = Some(body.len());
        body.extend(data);
        Self { status: 200, body, json_length }
    }
}

/// A request as it came.
pub struct Request {
    pub line: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, whose name is given in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn read(stream: &TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let first = line();
        let mut headers = Vec::new();
        loop {
            let line = line();
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut request = Self { line: first, headers, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).unwrap();
        request
    }
}

pub struct OneRequest {
    address: std::net::SocketAddr,
    thread: JoinHandle<Request>,
}

impl OneRequest {
    pub fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = Request::read(&stream);
            let mut head = format!(
                "HTTP/1.1 {} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n",
                answer.status,
                answer.body.len()
            );
            if let Some(length) = answer.json_length {
                head.push_str(&format!("Inference-Header-Content-Length: {length}\r\n"));
            }
            head.push_str("\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&answer.body).unwrap();
            request
        });
        Self { address, thread }
    }

    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The request that came.
    pub fn received(self) -> Request {
        self.thread.join().unwrap()
    }
}
