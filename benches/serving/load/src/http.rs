//! One connection of HTTP/1.1: a prepared request goes out in one write, the answer is read by its
//! `Content-Length` or its chunks.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::failure::Failure;

/// Bytes of an answer's head that are taken at most.
const HEAD: usize = 64 << 10;

/// Bytes of an answer that are taken at most.
const BODY: usize = 64 << 20;

/// A connection with what was read of it.
pub struct Connection {
    stream: TcpStream,
    held: Vec<u8>,
    /// The body of the last answer.
    body: Vec<u8>,
}

/// The head of an answer.
struct Head {
    status: u16,
    /// Bytes of the head.
    size: usize,
    length: Option<usize>,
    chunked: bool,
    closes: bool,
    json_length: Option<usize>,
}

/// An answer.
pub struct Reply<'c> {
    pub status: u16,
    pub body: &'c [u8],
    /// `Inference-Header-Content-Length`.
    pub json_length: Option<usize>,
    /// True if the server closes the connection after this answer.
    pub closes: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let refused = |error: io::Error| Failure::Connect(error.to_string());
        let stream = TcpStream::connect(address).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        Ok(Self { stream, held: Vec::with_capacity(16 << 10), body: Vec::new() })
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Reply<'_>, Failure> {
        // A server may answer and close without reading all; then the answer is still there.
        let sent = self.stream.write_all(request).await;
        let head = match self.head().await {
            Ok(head) => head,
            Err(failure) => {
                return Err(sent.err().map_or(failure, |error| Failure::of_read(&error, false)));
            }
        };
        self.held.drain(..head.size);
        self.body.clear();
        if head.chunked {
            self.chunks().await?;
        } else if let Some(length) = head.length {
            if length > BODY {
                return Err(Failure::Unreadable(format!("an answer of {length} bytes")));
            }
            while self.held.len() < length {
                self.more(true).await?;
            }
            self.body.extend(self.held.drain(..length));
        } else if head.closes {
            while self.more(true).await.is_ok() && self.held.len() <= BODY {}
            self.body.append(&mut self.held);
        } else {
            let words = "an answer with neither Content-Length nor chunks";
            return Err(Failure::Unreadable(words.to_owned()));
        }
        let Head { status, closes, json_length, .. } = head;
        Ok(Reply { status, body: &self.body, json_length, closes })
    }

    /// Reads until there is a whole head.
    async fn head(&mut self) -> Result<Head, Failure> {
        loop {
            if !self.held.is_empty() {
                if let Some(head) = parse(&self.held)? {
                    // 100 Continue and the like come before the answer.
                    if head.status >= 200 {
                        return Ok(head);
                    }
                    self.held.drain(..head.size);
                    continue;
                }
                if self.held.len() > HEAD {
                    return Err(Failure::Unreadable(format!("a head of more than {HEAD} bytes")));
                }
            }
            self.more(!self.held.is_empty()).await?;
        }
    }

    async fn chunks(&mut self) -> Result<(), Failure> {
        loop {
            let (size, line) = loop {
                if let Some(end) = memchr::memchr(b'\n', &self.held) {
                    let text = str::from_utf8(&self.held[..end]).unwrap_or_default();
                    let digits = text.split(';').next().unwrap_or_default().trim();
                    let size = usize::from_str_radix(digits, 16)
                        .map_err(|_| Failure::Unreadable(format!("a chunk of size `{digits}`")))?;
                    break (size, end + 1);
                }
                self.more(true).await?;
            };
            if size > BODY || self.body.len() + size > BODY {
                return Err(Failure::Unreadable(format!("an answer of more than {BODY} bytes")));
            }
            let whole = line + size + 2;
            while self.held.len() < whole {
                self.more(true).await?;
            }
            if self.held[line + size..whole] != *b"\r\n" {
                return Err(Failure::Unreadable("a chunk that is longer than it says".to_owned()));
            }
            self.body.extend_from_slice(&self.held[line..line + size]);
            self.held.drain(..whole);
            if size == 0 {
                return Ok(());
            }
        }
    }

    async fn more(&mut self, begun: bool) -> Result<(), Failure> {
        let read = self.stream.read_buf(&mut self.held).await;
        match read.map_err(|error| Failure::of_read(&error, begun))? {
            0 => Err(if begun { Failure::Cut } else { Failure::Closed }),
            _ => Ok(()),
        }
    }
}

/// The head at the beginning of these bytes, if it is whole.
fn parse(bytes: &[u8]) -> Result<Option<Head>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let unreadable =
        |words: String| Failure::Unreadable(format!("the head of the answer: {words}"));
    let size = match response.parse(bytes).map_err(|error| unreadable(error.to_string()))? {
        httparse::Status::Complete(size) => size,
        httparse::Status::Partial => return Ok(None),
    };
    let mut head = Head {
        status: response.code.unwrap_or_default(),
        size,
        length: None,
        chunked: false,
        closes: response.version == Some(0),
        json_length: None,
    };
    for header in response.headers {
        let text = str::from_utf8(header.value).unwrap_or_default().trim();
        let number = || {
            let wrong = |_| unreadable(format!("`{}: {text}` is no length", header.name));
            text.parse().map_err(wrong).map(Some)
        };
        if header.name.eq_ignore_ascii_case("content-length") {
            head.length = number()?;
        } else if header.name.eq_ignore_ascii_case("inference-header-content-length") {
            head.json_length = number()?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.chunked = text.eq_ignore_ascii_case("chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.closes = text.eq_ignore_ascii_case("close");
        }
    }
    Ok(Some(head))
}
