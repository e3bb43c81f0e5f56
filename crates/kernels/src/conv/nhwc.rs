//! Convolutions of row-major images, and their gradients: filters in registers.

mod backward_filter;
mod correlation;

use super::{Convolution, Propagation};
use crate::lanes::Float;
use crate::launch::Kernel;

pub(super) fn kernel<T: Float>(conv: Convolution, propagation: Propagation) -> Kernel {
    match propagation {
        Propagation::Forward => correlation::forward::<T>(conv),
        Propagation::BackwardInput => correlation::input_gradient::<T>(conv),
        Propagation::BackwardFilter => backward_filter::gradient::<T>(conv),
    }
}
