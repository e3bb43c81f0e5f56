//! Valid uses of an operator, as data that drives tables of checks.

use crate::{Attributes, DType};

/// The numbers that a sample's operand is filled with.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Numbers in `[low, high)`.
    Between(f64, f64),
    /// Numbers whose distance from 0 is in `[0.2, 2)`, for functions with a kink at 0.
    AwayFromZero,
    /// Numbers that differ pairwise by at least 0.1, for functions with a kink at ties.
    Distinct,
    /// Just these numbers (booleans and integers included), repeated to fill the shape.
    Values(&'static [f64]),
}

/// One operand of a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleOperand {
    /// Element type; `F64` operands are those that gradients are checked for.
    pub dtype: DType,
    /// Sizes.
    pub dims: Vec<usize>,
    /// Values.
    pub domain: Domain,
}

/// A valid use of an operator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Operands.
    pub operands: Vec<SampleOperand>,
    /// Attributes, in the signature's order.
    pub attributes: Attributes,
}

impl Sample {
    /// A use without operands yet.
    pub fn new(attributes: impl Into<Attributes>) -> Self {
        Self { operands: Vec::new(), attributes: attributes.into() }
    }

    /// Adds an `f64` operand.
    pub fn float(self, dims: &[usize], domain: Domain) -> Self {
        self.operand(DType::F64, dims, domain)
    }

    /// Adds an operand.
    pub fn operand(mut self, dtype: DType, dims: &[usize], domain: Domain) -> Self {
        self.operands.push(SampleOperand { dtype, dims: dims.to_vec(), domain });
        self
    }
}
