//! Taking values out of a checkpoint: all or some, under the same names or others.

use std::collections::BTreeMap;
use std::sync::Arc;

use abeyance_ir::{Array, DType, Dims};
use abeyance_session::{Session, SessionState};

use crate::checkpoint::Checkpoint;
use crate::comparison::{Comparison, Mismatch};
use crate::error::Error;

/// Which values of a checkpoint go to which variables of a session. By default every variable gets
/// the value of its own name, and there may be none missing and none left over.
///
/// ```no_run
/// # use abeyance_checkpoint::{Checkpoint, Restore};
/// # fn transfer(session: &abeyance_session::Session) -> Result<(), abeyance_checkpoint::Error> {
/// // The body of a digit reader, for a network with another last layer.
/// let digits = Checkpoint::load("digits/step-10000.safetensors")?;
/// let restore = Restore::new().except("head").rename("conv", "encoder/conv").partial();
/// println!("{}", restore.compare(&digits, session)); // what goes where, and what does not
/// restore.apply(&digits, session)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Restore {
    renames: Vec<(String, String)>,
    only: Vec<String>,
    except: Vec<String>,
    may_miss: bool,
    may_leave: bool,
}

impl Restore {
    /// Takes every value under its own name. None may be missing and none left over.
    pub fn new() -> Self {
        Self::default()
    }

    /// Renames values: `from` of the checkpoint, and all that begins with `from/`, is `to` in the
    /// session.
    pub fn rename(mut self, from: &str, to: &str) -> Self {
        self.renames.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Restores only variables of the session with this name, or below it, as `name/..`. Several
    /// calls add up.
    pub fn only(mut self, name: &str) -> Self {
        self.only.push(name.to_owned());
        self
    }

    /// Restores no variable of the session with this name, or below it, as `name/..`.
    pub fn except(mut self, name: &str) -> Self {
        self.except.push(name.to_owned());
        self
    }

    /// Allows variables that the checkpoint lacks, which keep their values, and values that no
    /// variable takes.
    pub fn partial(mut self) -> Self {
        self.may_miss = true;
        self.may_leave = true;
        self
    }

    /// Allows values that no variable takes, such as those of an optimizer where nothing is
    /// trained. Every variable must still have one.
    pub fn leave_extra(mut self) -> Self {
        self.may_leave = true;
        self
    }

    fn is_wanted(&self, variable: &str) -> bool {
        let any = |names: &[String]| names.iter().any(|name| is_under(variable, name));
        (self.only.is_empty() || any(&self.only)) && !any(&self.except)
    }

    /// The name in the session of a value of the checkpoint.
    fn renamed(&self, name: &str) -> String {
        for (from, to) in &self.renames {
            if is_under(name, from) {
                return format!("{to}{}", name.get(from.len()..).unwrap_or_default());
            }
        }
        name.to_owned()
    }

    /// Compares a checkpoint with a session: a dry run of [`Restore::apply`].
    pub fn compare(&self, checkpoint: &Checkpoint, session: &Session) -> Comparison {
        let mut offered: BTreeMap<String, (&str, &Array)> = BTreeMap::new();
        let mut doubled = Vec::new();
        for (name, array) in checkpoint.variables() {
            if let Some((other, _)) = offered.insert(self.renamed(name), (name, array)) {
                doubled.push((other.to_owned(), name.to_owned()));
            }
        }
        let is_other = checkpoint.is_complete() && !checkpoint.is_of(session);
        let mut comparison = Comparison {
            other: is_other
                .then(|| (checkpoint.graph().to_owned(), session.graph_name().to_owned())),
            may_miss: self.may_miss,
            may_leave: self.may_leave,
            doubled,
            unused: self.unused(checkpoint),
            ..Comparison::default()
        };
        for (variable, dtype, dims) in session.variable_types() {
            let offer = offered.remove(variable);
            if !self.is_wanted(variable) {
                continue;
            }
            match offer {
                None => comparison.missing.push(variable.to_owned()),
                Some((name, array)) if array.dtype == dtype && array.dims == dims => {
                    comparison.pairs.push((name.to_owned(), variable.to_owned()));
                }
                Some((name, array)) => comparison.mismatches.push(Mismatch {
                    name: name.to_owned(),
                    variable: variable.to_owned(),
                    found: show(array.dtype, &array.dims),
                    wanted: show(dtype, &dims),
                }),
            }
        }
        let extra = offered.into_iter().filter(|(variable, _)| self.is_wanted(variable));
        comparison.extra = extra.map(|(_, (name, _))| name.to_owned()).collect();
        comparison
    }

    /// Renames that rename nothing: most likely a slip.
    fn unused(&self, checkpoint: &Checkpoint) -> Vec<String> {
        let is_unused = |from: &str| !checkpoint.variables().any(|(name, _)| is_under(name, from));
        let unused = self.renames.iter().filter(|(from, _)| is_unused(from));
        unused.map(|(from, _)| from.clone()).collect()
    }

    /// Sets the session's variables, all at once. Its step and random streams stay as they are.
    ///
    /// # Errors
    /// Whatever [`Restore::compare`] finds not to fit, all of it. The session is then as it was.
    pub fn apply(&self, checkpoint: &Checkpoint, session: &Session) -> Result<(), Error> {
        let comparison = self.compare(checkpoint, session);
        if !comparison.fits() {
            return Err(Error::Mismatch(Box::new(comparison)));
        }
        let pairs = comparison.pairs.iter();
        let values = pairs.filter_map(|(name, variable)| {
            checkpoint.variable(name).map(|array| (&**variable, array))
        });
        Ok(session.set_variables(values)?)
    }
}

impl Checkpoint {
    /// Puts a session where this one was: all variables, the step and the random streams. Training
    /// then goes on to the same bits as if it had never stopped.
    ///
    /// # Errors
    /// Variables that are missing, unknown or of another shape or type, all of them; another seed;
    /// a file of another program. The session is then as it was.
    pub fn restore(&self, session: &Session) -> Result<(), Error> {
        let Some(metadata) = &self.metadata else {
            return Err(Error::damaged(
                "it was written by another program, and does not say how training goes on",
            )
            .advise("take its values with `Restore::new().apply(&checkpoint, &session)`"));
        };
        let comparison = Restore::new().compare(self, session);
        if !comparison.fits() {
            return Err(Error::Mismatch(Box::new(comparison)));
        }
        let variables = self.tensors.iter();
        let snapshot = SessionState {
            seed: metadata.seed,
            step: metadata.step,
            draws: metadata.draws,
            variables: variables.map(|(name, array)| (Arc::from(&**name), array.clone())).collect(),
        };
        Ok(session.restore(&snapshot)?)
    }

    /// Compares the checkpoint with a session: a dry run of [`Checkpoint::restore`].
    pub fn compare(&self, session: &Session) -> Comparison {
        Restore::new().compare(self, session)
    }
}

/// True if a name is `prefix`, or stands behind it and a `/`.
fn is_under(name: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn show(dtype: DType, dims: &Dims) -> String {
    format!("{dtype}{:?}", &dims[..])
}
