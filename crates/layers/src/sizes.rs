//! Sizes that layers work out.

use abeyance_graph::Dimension;
use abeyance_ir::Dim;

/// The product of sizes, where all are known; else `_`, for `reshape` to work out. Of no elements
/// at all it could not.
pub(crate) fn product(sizes: &[Dim]) -> Dimension {
    let product = sizes.iter().try_fold(1usize, |product, size| product.checked_mul(size.known()?));
    product.map_or(Dimension::Unknown, Dimension::Known)
}
