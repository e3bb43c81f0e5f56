//! The comparison of a checkpoint with a session: the values that fit, and everything that does
//! not.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use abeyance_ir::near;

/// The parts of a checkpoint that fit a session, and those that do not. It prints as a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Names in the checkpoint and the variables that take their values.
    pub pairs: Vec<(String, String)>,
    /// Variables of the session that the checkpoint has no value for.
    pub missing: Vec<String>,
    /// Names in the checkpoint that no variable of the session takes.
    pub extra: Vec<String>,
    /// Values that differ from their variables in shape or element type.
    pub mismatches: Vec<Mismatch>,
    /// Names in the checkpoint that a rename makes the same.
    pub doubled: Vec<(String, String)>,
    /// Renames that rename nothing.
    pub unused: Vec<String>,
    /// Where the checkpoint is of another graph than the session, or of another version of it: the
    /// names of both.
    pub other: Option<(String, String)>,
    /// True if variables may be missing.
    pub(crate) may_miss: bool,
    /// True if values may be left over.
    pub(crate) may_leave: bool,
}

/// A value that a variable cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The name in the checkpoint.
    pub name: String,
    /// The variable.
    pub variable: String,
    /// The type of the value: `f32[784, 10]`.
    pub found: String,
    /// The type of the variable.
    pub wanted: String,
}

impl Comparison {
    /// True if it can be restored.
    pub fn fits(&self) -> bool {
        let is_clean =
            self.mismatches.is_empty() && self.doubled.is_empty() && self.unused.is_empty();
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
        for Mismatch { name, variable, found, wanted } in &self.mismatches {
            let named = if name == variable {
                format!("`{variable}`")
            } else {
                format!("`{variable}` (`{name}` in the checkpoint)")
            };
            write!(f, "\n   | shape    {named} is {wanted}, and the checkpoint has {found}")?;
        }
        let of_checkpoint = self.pairs.iter().map(|(name, _)| name);
        let of_checkpoint =
            of_checkpoint.chain(self.mismatches.iter().map(|mismatch| &mismatch.name));
        let of_session = self.pairs.iter().map(|(_, variable)| variable);
        let of_session =
            of_session.chain(self.mismatches.iter().map(|mismatch| &mismatch.variable));
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

/// The slots of an optimizer, such as `w/Adam` and `w/Adam_1` for `w`: many names that say one
/// thing.
#[derive(Default)]
struct Slots<'a> {
    /// The parts of the names behind those of variables.
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
