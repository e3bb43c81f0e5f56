//! Why a request is not answered with a result, whatever the protocol.

use std::time::Duration;

use abeyance_session::Error;

/// The kind of an error, from which HTTP's status and gRPC's code follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request is wrong and will be wrong again.
    Invalid,
    /// Nothing is there under that name.
    NotFound,
    /// The path is there, for other methods.
    Method,
    /// There is no token, or another.
    Unauthenticated,
    /// A page or a name that may not ask.
    Forbidden,
    /// The body did not come in time.
    Slow,
    /// More than is taken.
    TooLarge,
    /// An encoding or a type of content that is not understood.
    Unsupported,
    /// There is no room now.
    Busy,
    /// The server or the model is not ready yet, or not any more.
    Unready,
    /// The time that the request gave itself is up.
    Late,
    /// The model failed on it.
    Failed,
}

/// Why a request is refused, in words that name what, where and how to mend it.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

/// After how long a client may try again what was refused for want of room.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Refusal {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(crate) fn late() -> Self {
        Self::new(Kind::Late, "the request's time was up before it was computed")
    }

    /// Behind a field's name.
    pub(crate) fn within(mut self, field: &str) -> Self {
        self.message = format!("{field}: {}", self.message);
        self
    }
}

/// An error about the values of a request is the client's, every other one the server's.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Request(_) => Kind::Invalid,
            Error::Node(_) => Kind::Invalid,
            Error::Memory(_) => Kind::Busy,
            _ => Kind::Failed,
        };
        let message = error.to_string();
        Self::new(kind, message.strip_prefix("error: ").unwrap_or(&message))
    }
}
