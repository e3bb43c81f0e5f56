//! How a command can end other than well.

use std::fmt::Display;
use std::process::ExitCode;

use abeyance::datasets::DatasetError;
use abeyance::ir::{Diagnostic, Diagnostics, Location};
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

    /// Its first line.
    pub fn brief(&self) -> &str {
        match self {
            Failure::Usage(message) | Failure::Failed(message) => {
                message.lines().next().unwrap_or_default()
            }
            Failure::Interrupted => "interrupted",
            Failure::Differs => "different",
            Failure::Closed => "nobody reads the output",
        }
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

/// The mistakes, without the places in this program where it asked for what does not fit, and with
/// advice for who calls a command.
pub fn mistakes(mut mistakes: Diagnostics) -> Diagnostics {
    let here = file!().trim_end_matches("failure.rs");
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

/// What to do about a mistake where that is another thing here than in a program.
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
            checkpoint::Error::Mismatch(comparison) => Failure::Failed(format!(
                "{comparison}\n   = help: take the checkpoint that was trained with this graph, or the graph that it was trained with"
            )),
            // Values without a step, which another program wrote.
            checkpoint::Error::File { path, message, help: Some(help) }
                if help.contains("Restore") =>
            {
                let of = path.map_or_else(String::new, |path| format!(" `{}`", path.display()));
                Failure::Failed(format!(
                    "checkpoint{of}: {message}\n   = help: `abeyance eval` and `abeyance predict` take its values; training cannot go on from it"
                ))
            }
            other => Failure::failed(other),
        }
    }
}

/// What to say where a checkpoint was named instead of a graph.
pub fn checkpoint_for_graph(error: &abeyance_package::Error) -> Diagnostics {
    let help = "name the graph that it was trained with, and this file behind `--checkpoint`";
    Diagnostic::new(error.to_string(), Location::Unknown).help(help).into()
}

impl From<abeyance_package::Error> for Failure {
    fn from(error: abeyance_package::Error) -> Self {
        use abeyance_package::Error;
        match error {
            Error::Graph(mistakes) => mistakes.into(),
            Error::CheckpointForGraph { .. } => checkpoint_for_graph(&error).into(),
            Error::NoCheckpoint { ref path } => {
                let path = path.display();
                Failure::Failed(format!(
                    "{error}\n   = help: `abeyance train --checkpoint {path}` saves some there"
                ))
            }
            Error::Checkpoint(error) => error.into(),
            Error::Session(error) => error.into(),
            other => Failure::failed(other),
        }
    }
}

impl From<DatasetError> for Failure {
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
            _ => return Failure::failed(said.replace("\n  help:", "\n   = help:")),
        };
        Failure::Failed(format!("{what}\n   = help: {help}"))
    }
}
