//! The error of a command: its message and the exit code of the program.

use std::fmt::Display;
use std::process::ExitCode;

use abeyance::datasets::DatasetError;
use abeyance::ir::{Diagnostic, Diagnostics, Location};
use abeyance::{checkpoint, session};

/// A command did not succeed.
#[derive(Debug)]
pub enum Error {
    /// It was called wrongly, as its files show. The exit code is 2.
    Usage(String),
    /// Something failed. The exit code is 1.
    Failed(String),
    /// It was interrupted, and has printed its last lines. The exit code is 130.
    Interrupted,
    /// Two graphs that were compared differ, and that was printed. The exit code is 1.
    Differs,
    /// Nobody reads the output any more, as behind `| head`. The exit code is 0.
    Closed,
}

impl Error {
    pub fn failed(message: impl Display) -> Self {
        Error::Failed(message.to_string())
    }

    /// The first line of the message.
    pub fn brief(&self) -> &str {
        match self {
            Error::Usage(message) | Error::Failed(message) => {
                message.lines().next().unwrap_or_default()
            }
            Error::Interrupted => "interrupted",
            Error::Differs => "different",
            Error::Closed => "nobody reads the output",
        }
    }

    /// Prints the message, and returns the exit code.
    pub fn report(self) -> ExitCode {
        match self {
            Error::Usage(message) => {
                eprintln!("error: {message}\n\nFor more information, try '--help'.");
                ExitCode::from(2)
            }
            Error::Failed(message) => {
                eprintln!("error: {message}");
                ExitCode::FAILURE
            }
            Error::Interrupted => ExitCode::from(130),
            Error::Differs => ExitCode::FAILURE,
            Error::Closed => ExitCode::SUCCESS,
        }
    }
}

/// Adapts mistakes to the caller of a command: drops locations in the source of this program, and
/// replaces help that is meant for Rust programs.
pub fn mistakes(mut mistakes: Diagnostics) -> Diagnostics {
    let here = file!().trim_end_matches("error.rs");
    let is_here = |location: &Location| matches!(location, Location::Source(at) if at.file().starts_with(here));
    for mistake in &mut mistakes.0 {
        if is_here(&mistake.location) {
            mistake.location = Location::Unknown;
        }
        if let Some(help) = help_of_command(&mistake.message) {
            mistake.help = Some(help.into());
        }
    }
    mistakes
}

/// The help for the caller of a command, where it differs from that for a program.
fn help_of_command(message: &str) -> Option<&'static str> {
    if message.starts_with("this is no graph") || message.starts_with("this is not a graph file") {
        return Some(
            "graphs are files of either form (`abeyance convert`) that a program has saved; a model of ONNX is read if its name ends with `.onnx`",
        );
    }
    if message.starts_with("this text was shortened") {
        return Some(
            "`abeyance print --whole --backward` prints all of it, and `abeyance convert` writes it",
        );
    }
    None
}

impl From<Diagnostics> for Error {
    fn from(found: Diagnostics) -> Self {
        // Without the `error: ` that the report begins with.
        Error::Failed(format!("{:?}", mistakes(found)))
    }
}

impl From<session::Error> for Error {
    fn from(error: session::Error) -> Self {
        match error {
            session::Error::Program(found) | session::Error::Request(found) => found.into(),
            other => Error::Failed(format!("{other:?}")),
        }
    }
}

impl From<checkpoint::Error> for Error {
    fn from(error: checkpoint::Error) -> Self {
        match error {
            checkpoint::Error::Session(error) => error.into(),
            checkpoint::Error::Mismatch(comparison) => Error::Failed(format!(
                "{comparison}\n   = help: take the checkpoint that was trained with this graph, or the graph that it was trained with"
            )),
            // Values without a step, which another program wrote.
            checkpoint::Error::File { path, message, help: Some(help) }
                if help.contains("Restore") =>
            {
                let of = path.map_or_else(String::new, |path| format!(" `{}`", path.display()));
                Error::Failed(format!(
                    "checkpoint{of}: {message}\n   = help: `abeyance eval` and `abeyance predict` take its values; training cannot go on from it"
                ))
            }
            other => Error::failed(other),
        }
    }
}

/// The message for a checkpoint that was named instead of a graph.
pub fn checkpoint_for_graph(error: &abeyance_package::Error) -> Diagnostics {
    let help = "name the graph that it was trained with, and this file behind `--checkpoint`";
    Diagnostic::new(error.to_string(), Location::Unknown).help(help).into()
}

impl From<abeyance_package::Error> for Error {
    fn from(error: abeyance_package::Error) -> Self {
        use abeyance_package::Error as PackageError;
        match error {
            PackageError::Graph(mistakes) => mistakes.into(),
            PackageError::CheckpointForGraph { .. } => checkpoint_for_graph(&error).into(),
            PackageError::NoCheckpoint { ref path } => {
                let path = path.display();
                Error::Failed(format!(
                    "{error}\n   = help: `abeyance train --checkpoint {path}` saves some there"
                ))
            }
            PackageError::Checkpoint(error) => error.into(),
            PackageError::Session(error) => error.into(),
            other => Error::failed(other),
        }
    }
}

impl From<DatasetError> for Error {
    fn from(error: DatasetError) -> Self {
        let said = error.to_string();
        // What it advises to whoever calls it from a program has its counterpart in an option.
        let what = said.lines().next().unwrap_or_default();
        let help = match error {
            DatasetError::NoFolder { .. }
            | DatasetError::NotAFolder { .. }
            | DatasetError::NoFile { .. } => {
                "`--data FOLDER` names a folder with the four IDX files of MNIST, gzipped or not, under their names there; or set ABEYANCE_DATA to it"
            }
            _ => return Error::failed(said.replace("\n  help:", "\n   = help:")),
        };
        Error::Failed(format!("{what}\n   = help: {help}"))
    }
}
