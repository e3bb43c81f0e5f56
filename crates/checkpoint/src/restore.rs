//! Taking values out of a checkpoint: all or some, under the same names or others.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use abeyance_ir::{Array, DType, Dims, near};
use abeyance_session::Session;

use crate::{Checkpoint, Error};

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
    /// Everything, under the same names.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the checkpoint calls `from`, or what stands behind `from/`, is called `to` in the
    /// session.
    pub fn rename(mut self, from: &str, to: &str) -> Self {
        self.renames.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Only variables of the session that are called so, or stand behind it and a `/`. Several add
    /// up.
    pub fn only(mut self, name: &str) -> Self {
        self.only.push(name.to_owned());
        self
    }

    /// No variables of the session that are called so, or stand behind it and a `/`.
    pub fn except(mut self, name: &str) -> Self {
        self.except.push(name.to_owned());
        self
    }

    /// Variables that the checkpoint lacks keep their values, and values that no variable takes are
    /// left.
    pub fn partial(mut self) -> Self {
        self.may_miss = true;
        self.may_leave = true;
        self
    }

    /// Values that no variable takes are left, such as those of an optimizer where nothing is
    /// trained. Every variable must have one.
    pub fn leave_extra(mut self) -> Self {
        self.may_leave = true;
        self
    }

    fn is_wanted(&self, variable: &str) -> bool {
        let any = |names: &[String]| names.iter().any(|name| is_under(variable, name));
        (self.only.is_empty() || any(&self.only)) && !any(&self.except)
    }

    /// What the session calls what the checkpoint calls `name`.
    fn renamed(&self, name: &str) -> String {
        for (from, to) in &self.renames {
            if is_under(name, from) {
                return format!("{to}{}", name.get(from.len()..).unwrap_or_default());
            }
        }
        name.to_owned()
    }

    /// What would go where, and what does not fit: a dry run.
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
                Some((name, array)) => comparison.misfits.push(Misfit {
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

    /// Gives the session's variables their values, all at once. Its step and random streams stay as
    /// they are.
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

/// True if a name is `prefix`, or stands behind it and a `/`.
fn is_under(name: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn show(dtype: DType, dims: &Dims) -> String {
    format!("{dtype}{:?}", &dims[..])
}

/// What of a checkpoint fits a session. It prints as a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Names in the checkpoint and the variables that take their values.
    pub pairs: Vec<(String, String)>,
    /// Variables of the session that the checkpoint has no value for.
    pub missing: Vec<String>,
    /// Names in the checkpoint that no variable of the session takes.
    pub extra: Vec<String>,
    /// Values that differ from their variables in shape or element type.
    pub misfits: Vec<Misfit>,
    /// Names in the checkpoint that a rename makes the same.
    pub doubled: Vec<(String, String)>,
    /// Renames that rename nothing.
    pub unused: Vec<String>,
    /// Where the checkpoint is of another graph than the session, or of another version of it: the
    /// names of both.
    pub other: Option<(String, String)>,
    /// True if missing ones are as wanted.
    may_miss: bool,
    /// True if extra ones are.
    may_leave: bool,
}

/// A value that a variable cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What the checkpoint calls it.
    pub name: String,
    /// The variable.
    pub variable: String,
    /// What the value is: `f32[784, 10]`.
    pub found: String,
    /// What the variable is.
    pub wanted: String,
}

impl Comparison {
    /// True if it can be restored.
    pub fn fits(&self) -> bool {
        let is_clean = self.misfits.is_empty() && self.doubled.is_empty() && self.unused.is_empty();
        let is_complete = self.may_miss || self.missing.is_empty();
        is_clean && is_complete && (self.may_leave || self.extra.is_empty())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fits() {
            write!(f, "the checkpoint fits: {} variables are restored", self.pairs.len())?
        } else {
            match &self.other {
                Some((of, graph)) if of != graph => write!(
                    f,
                    "the checkpoint is of another graph: it was taken of `{of}`, and does not fit `{graph}`"
                )?,
                Some((of, _)) => write!(
                    f,
                    "the checkpoint is of another version of the graph `{of}`, and does not fit this one"
                )?,
                None => f.write_str("the checkpoint does not fit the graph")?,
            }
        }
        let likely =
            |name: &str, others: &[String]| match near(name, || others.iter().map(|s| &**s)) {
                Some(near) => format!("  (perhaps `{near}`)"),
                None => String::new(),
            };
        for Misfit { name, variable, found, wanted } in &self.misfits {
            let named = if name == variable {
                format!("`{variable}`")
            } else {
                format!("`{variable}` (`{name}` in the checkpoint)")
            };
            write!(f, "\n   | shape    {named} is {wanted}, and the checkpoint has {found}")?;
        }
        let of_checkpoint = self.pairs.iter().map(|(name, _)| name);
        let of_checkpoint = of_checkpoint.chain(self.misfits.iter().map(|misfit| &misfit.name));
        let of_session = self.pairs.iter().map(|(_, variable)| variable);
        let of_session = of_session.chain(self.misfits.iter().map(|misfit| &misfit.variable));
        let (missing, missing_slots) = Slots::folded(&self.missing, of_session);
        let (extra, extra_slots) = Slots::folded(&self.extra, of_checkpoint);
        for name in missing {
            let likely = likely(name, &self.extra);
            write!(f, "\n   | missing  `{name}` is not in the checkpoint{likely}")?;
        }
        if !missing_slots.is_empty() {
            write!(f, "\n   | missing  {missing_slots} are not in the checkpoint")?;
        }
        for name in extra {
            write!(f, "\n   | extra    `{name}` is in the checkpoint only")?;
        }
        if !extra_slots.is_empty() {
            write!(f, "\n   | extra    {extra_slots} are in the checkpoint only")?;
        }
        for (one, other) in &self.doubled {
            write!(f, "\n   | rename   `{one}` and `{other}` would get the same name")?;
        }
        for name in &self.unused {
            write!(f, "\n   | rename   nothing in the checkpoint is called `{name}`")?;
        }
        Ok(())
    }
}

/// What an optimizer keeps for variables, `w/Adam` and `w/Adam_1` for `w`: many names that say one
/// thing.
#[derive(Default)]
struct Slots<'a> {
    /// What stands behind the variables' names.
    kinds: BTreeSet<&'a str>,
    /// The variables.
    variables: BTreeSet<&'a str>,
}

impl<'a> Slots<'a> {
    /// Names without those of slots, and these. A slot is what stands behind the name of another of
    /// the names, or of `others`.
    fn folded(
        names: &'a [String],
        others: impl Iterator<Item = &'a String>,
    ) -> (Vec<&'a str>, Self) {
        let known: HashSet<&str> = names.iter().chain(others).map(|name| &**name).collect();
        let mut slots = Self::default();
        let mut rest = Vec::new();
        for name in names {
            match name.rsplit_once('/').filter(|(variable, _)| known.contains(variable)) {
                Some((variable, kind)) => {
                    slots.kinds.insert(kind);
                    slots.variables.insert(variable);
                }
                None => rest.push(&**name),
            }
        }
        (rest, slots)
    }

    fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

impl fmt::Display for Slots<'_> {
    /// ``slots `Adam`, `Adam_1` of 4 variables``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.kinds.iter().map(|kind| format!("`{kind}`")).collect();
        let count = self.variables.len();
        let variables = if count == 1 { "variable" } else { "variables" };
        write!(f, "slots {} of {count} {variables}", kinds.join(", "))
    }
}
