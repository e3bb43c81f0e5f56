//! Failures of single requests, by kind.

use std::io;

/// The reason for which a request has no answer that counts.
#[derive(Debug)]
pub enum Failure {
    /// No connection could be made.
    Connect(String),
    /// The connection was closed before the first byte of the answer.
    Closed,
    /// The connection ended amid the answer.
    Cut,
    /// A status of HTTP other than 200, or of gRPC other than 0, with the server's words.
    Status(String, String),
    /// The answer is none of the protocol.
    Unreadable(String),
    /// No whole answer in the time given.
    Late,
}

impl Failure {
    /// The name under which failures are counted.
    pub fn kind(&self) -> String {
        match self {
            Self::Connect(_) => "no connection".to_owned(),
            Self::Closed => "closed before an answer".to_owned(),
            Self::Cut => "cut amid the answer".to_owned(),
            Self::Status(status, _) => format!("status {status}"),
            Self::Unreadable(_) => "unreadable answer".to_owned(),
            Self::Late => "no answer in time".to_owned(),
        }
    }

    /// A message with the details.
    pub fn words(&self) -> String {
        match self {
            Self::Connect(error) | Self::Unreadable(error) => format!("{}: {error}", self.kind()),
            Self::Status(_, body) => format!("{}: {body}", self.kind()),
            Self::Closed | Self::Cut | Self::Late => self.kind(),
        }
    }

    /// Tells an error of the connection before the answer's first byte from one amid it.
    pub fn of_read(error: &io::Error, begun: bool) -> Self {
        let is_end = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted
        );
        match (is_end, begun) {
            (true, false) => Self::Closed,
            (true, true) => Self::Cut,
            (false, _) => Self::Unreadable(error.to_string()),
        }
    }
}
