//! The settings with which an optimizer's rule stays finite.

use abeyance_graph::raw::GraphExt;
use abeyance_ir::Diagnostic;

use crate::trainable::here;
use crate::{Hyperparameter, Updates};

/// The range of a setting. All are finite.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Any number.
    Finite,
    /// Above 0.
    Positive,
    /// 0 or more.
    NotNegative,
    /// 0 or less.
    NotPositive,
    /// From 0 to 1.
    Fraction,
    /// From 0 to below 1.
    BelowOne,
}

use Limit::*;

impl Limit {
    fn admits(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Finite => true,
                Positive => value > 0.0,
                NotNegative => value >= 0.0,
                NotPositive => value <= 0.0,
                Fraction => (0.0..=1.0).contains(&value),
                BelowOne => (0.0..1.0).contains(&value),
            }
    }

    fn words(self) -> &'static str {
        match self {
            Finite => "has to be a finite number",
            Positive => "has to be above 0, and finite",
            NotNegative => "has to be 0 or more, and finite",
            NotPositive => "has to be 0 or less, and finite",
            Fraction => "has to be at least 0 and at most 1",
            BelowOne => "has to be at least 0 and below 1",
        }
    }
}

/// Tells the graph of the settings that an optimizer cannot work with, as they are and rounded to
/// the variables' types. What the graph computes or is fed is not known here.
#[track_caller]
pub(crate) fn check<'g>(
    updates: &Updates<'g>,
    settings: impl IntoIterator<Item = (&'static str, Hyperparameter<'g>, Limit)>,
) {
    let graph = updates.graph();
    for (what, setting, limit) in settings {
        let Hyperparameter::Number(value) = setting else { continue };
        let rounded = f64::from(value as f32);
        let found = if !limit.admits(value) {
            format!("{value}")
        } else if updates.has_f32() && !limit.admits(rounded) {
            format!("{value:e}, which f32 rounds to {rounded},")
        } else {
            continue;
        };
        let message = format!("{}: {what} is {found} and {}", updates.optimizer(), limit.words());
        let diagnostic = Diagnostic::new(message, here(graph));
        graph.build(|ir| ir.report(diagnostic));
    }
}
