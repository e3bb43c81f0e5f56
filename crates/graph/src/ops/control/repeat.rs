//! Iterations of the kernels of loops: the keys of random streams, and the iteration in messages.

use abeyance_kernels::launch::Failure;

/// The number that keys random streams in one iteration: the run's and the iteration's, by the
/// finaliser of SplitMix64.
pub(super) fn draw(run: u64, iteration: usize) -> u64 {
    let mut z = (iteration as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = run.wrapping_add(z ^ (z >> 27));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A failure, with the iteration it happened in.
pub(super) fn within(iteration: usize, result: Result<(), Failure>) -> Result<(), Failure> {
    result.map_err(|Failure(message)| Failure(format!("in iteration {iteration}, {message}")))
}
