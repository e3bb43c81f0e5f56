//! How a command can end other than well.

use std::fmt::Display;
use std::process::ExitCode;

use abeyance::datasets::DatasetError;
use abeyance::ir::{Diagnostics, Location};
use abeyance::{checkpoint, session};

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// It was called wrongly, in a way that only its files show.
    Usage(String),
    /// Something failed.
    Failed(String),
    /// It was interrupted, and has said what it has to say.
    Interrupted,
    /// What was compared differs.
    Differs,
    /// Nobody reads the output any more, such as behind `| head`.
    Closed,
}

impl Failure {
    pub fn failed(message: impl Display) -> Self {
        Failure::Failed(message.to_string())
    }

    /// Says it, and gives the code that the program ends with.
    pub fn report(self) -> ExitCode {
        match self {
            Failure::Usage(message) => {
                eprintln!("error: {message}\n\nFor more information, try '--help'.");
                ExitCode::from(2)
            }
            Failure::Failed(message) => {
                eprintln!("error: {message}");
                ExitCode::FAILURE
            }
            Failure::Interrupted => ExitCode::from(130),
            Failure::Differs => ExitCode::FAILURE,
            Failure::Closed => ExitCode::SUCCESS,
        }
    }
}

/// The mistakes, without the places in this program where it asked for what does not fit.
pub fn mistakes(mut mistakes: Diagnostics) -> Diagnostics {
    let here = file!().trim_end_matches("failure.rs");
    let is_here = |location: &Location| matches!(location, Location::Source(at) if at.file().starts_with(here));
    for mistake in &mut mistakes.0 {
        if is_here(&mistake.location) {
            mistake.location = Location::Unknown;
        }
    }
    mistakes
}

impl From<Diagnostics> for Failure {
    fn from(found: Diagnostics) -> Self {
        // Without the `error: ` that the report begins with.
        Failure::Failed(format!("{:?}", mistakes(found)))
    }
}

impl From<session::Error> for Failure {
    fn from(error: session::Error) -> Self {
        match error {
            session::Error::Program(found) | session::Error::Request(found) => found.into(),
            other => Failure::Failed(format!("{other:?}")),
        }
    }
}

impl From<checkpoint::Error> for Failure {
    fn from(error: checkpoint::Error) -> Self {
        match error {
            checkpoint::Error::Session(error) => error.into(),
            other => Failure::failed(other),
        }
    }
}

impl From<DatasetError> for Failure {
    fn from(error: DatasetError) -> Self {
        Failure::failed(error)
    }
}
