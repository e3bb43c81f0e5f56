//! The error of a request, whatever the protocol.

use std::time::Duration;

use abeyance_session::Error;

/// The kind of an error, from which HTTP's status and gRPC's code follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// The request is wrong and will be wrong again.
    Invalid,
    /// There is nothing of that name.
    NotFound,
    /// The path is there, for other methods.
    MethodNotAllowed,
    /// There is no token, or another.
    Unauthenticated,
    /// A page or a name that may not ask.
    Forbidden,
    /// The body did not come in time.
    BodyTimeout,
    /// More than is taken.
    TooLarge,
    /// An encoding or a type of content that is not understood.
    Unsupported,
    /// There is no room now.
    Busy,
    /// The server or the model is not ready yet, or not any more.
    Unavailable,
    /// The time that the request gave itself is up.
    DeadlineExceeded,
    /// The model failed on it.
    Internal,
}

/// The error of a request. Its message names what is wrong, where, and how to mend it.
#[derive(Clone, Debug)]
pub(crate) struct RequestError {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

/// The time after which a client may send a request again that found no room.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

impl RequestError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn deadline_exceeded() -> Self {
        Self::new(ErrorKind::DeadlineExceeded, "the request's time was up before it was computed")
    }

    /// Puts the name of a field before the message.
    pub(crate) fn within(mut self, field: &str) -> Self {
        self.message = format!("{field}: {}", self.message);
        self
    }
}

/// An error about the values of a request is the client's, every other one the server's.
impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Request(_) => ErrorKind::Invalid,
            Error::Node(_) => ErrorKind::Invalid,
            Error::Memory(_) => ErrorKind::Busy,
            _ => ErrorKind::Internal,
        };
        let message = error.to_string();
        Self::new(kind, message.strip_prefix("error: ").unwrap_or(&message))
    }
}
