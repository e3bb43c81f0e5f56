//! The passes that make a draft better, a file for each. Every pass leaves every bit of every
//! result as it was.
//!
//! [`passes`] is the list, in the order in which they run. A session can leave some out
//! ([`SessionOptions::without_pass`](crate::SessionOptions::without_pass)). Results stay the same
//! then, too; where they do not, the pass that is left out is at fault. In debug builds, and where
//! a session asks for it, the draft is [verified](super::verify) after each.

mod const_fold;
mod cse;
mod dead_code;
mod fusion;
mod layout;
mod simplify;

use abeyance_ir::{Diagnostic, Location};

use super::draft::Draft;
use crate::Error;

/// A rewriting of a draft that changes no bit of any result.
pub(crate) trait Pass: Sync {
    /// The name by which a session leaves it out, and errors name it.
    fn name(&self) -> &'static str;

    /// True if no session can leave it out.
    fn is_required(&self) -> bool {
        false
    }

    /// Rewrites the draft.
    ///
    /// # Errors
    /// An operator that cannot be lowered; a value that is gone, which is a mistake of the engine.
    fn run(&self, draft: &mut Draft<'_>) -> Result<(), Error>;
}

/// The passes in the order in which they run.
const PASSES: &[&dyn Pass] = &[
    // First: two expressions of constants may come to the same bytes, which cse then sees.
    &const_fold::ConstFold,
    // Before cse: what is left of two pairs of inverses may be equal.
    &simplify::Simplify,
    // Before layout: of two equal convolutions only one should be given another layout.
    &cse::Cse,
    // Before fusion: conversions between layouts are instructions that end a group, and elementwise
    // instructions between two convolutions can be fused only once they work on the same layout.
    &layout::Layouts,
    // Before fusion: what nobody reads must neither be a member of a group nor keep a producer
    // from being one. Behind all others: each of them leaves such instructions.
    &dead_code::DeadCode,
    // Last: groups are ranges of instructions, and no other pass knows of them.
    &fusion::Fusion,
];

/// The passes in the order in which they run.
pub(crate) fn passes() -> impl Iterator<Item = &'static dyn Pass> {
    PASSES.iter().copied()
}

/// The names of the passes that a session can leave out.
pub(crate) fn optional() -> impl Iterator<Item = &'static str> {
    passes().filter(|pass| !pass.is_required()).map(|pass| pass.name())
}

/// A set of passes, and whether the draft is verified after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PassSet {
    /// A bit for each pass, by its index in the list.
    enabled: u32,
    verified: bool,
}

impl PassSet {
    /// The set of all passes; the draft is verified after each in debug builds.
    pub(crate) fn all() -> Self {
        Self { enabled: u32::MAX, verified: cfg!(debug_assertions) }
    }

    /// The set of the passes alone that no session can leave out.
    pub(crate) fn none(self) -> Self {
        optional().fold(self, Self::without)
    }

    /// This set but for a pass.
    fn without(self, name: &str) -> Self {
        Self { enabled: self.enabled & !Self::bit(name), ..self }
    }

    /// This set but for the pass of a name that somebody gave.
    ///
    /// # Errors
    /// There is no pass of that name, or it cannot be left out.
    pub(crate) fn leave_out(self, name: &str) -> Result<Self, Error> {
        if optional().any(|optional| optional == name) {
            return Ok(self.without(name));
        }
        let exists = passes().any(|pass| pass.name() == name);
        let message = if exists {
            format!("the pass `{name}` cannot be left out")
        } else {
            format!("there is no pass `{name}`")
        };
        let listed = optional().collect::<Vec<_>>().join("`, `");
        let help = match abeyance_ir::nearest(name, optional()) {
            Some(near) if !exists => format!("did you mean `{near}`? The passes are `{listed}`"),
            _ => format!("the passes that can be are `{listed}`"),
        };
        Err(Error::Request(Diagnostic::new(message, Location::Unknown).help(help).into()))
    }

    /// This set, with the draft verified after each pass or not.
    pub(crate) fn verified_if(self, verified: bool) -> Self {
        Self { verified, ..self }
    }

    pub(crate) fn contains(self, name: &str) -> bool {
        self.enabled & Self::bit(name) != 0
    }

    pub(crate) fn verified(self) -> bool {
        self.verified
    }

    fn bit(name: &str) -> u32 {
        passes().position(|pass| pass.name() == name).map_or(0, |index| 1 << index)
    }
}

/// The error of a pass that finds a value gone that somebody refers to.
fn missing() -> Error {
    Error::Internal("a value of a plan is gone".to_owned())
}
