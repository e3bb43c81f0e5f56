//! Floats in registers, for loops written once for every instruction set.

use pulp::{Simd, WithSimd};

pub(crate) use crate::matmul::tile::Lane;

use crate::conv::{self, ChannelSum, Convolution, Propagation};
use crate::element::Real;
use crate::launch::{Kernel, Layout};
use crate::pool::{self, Pool};

/// A loop over vectors of T.
pub(crate) trait Work<T> {
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>;
}

#[allow(private_bounds)] // what it is sealed by
mod sealed {
    use super::{ChannelSum, Convolution, Kernel, Layout, Pool, Propagation, Simd, Work, pool};

    pub trait Vectors: Sized {
        /// Runs a loop with vectors of `S`.
        fn with<S: Simd, W: Work<Self>>(simd: S, work: W);
        // The kernels, so that they are compiled here, once, and not where they are asked for.
        fn convolution(conv: Convolution, propagation: Propagation, layout: Layout) -> Kernel;
        fn channel_sum(sum: ChannelSum, layout: Layout) -> Kernel;
        fn pool(pool: Pool, operation: pool::Operation) -> Kernel;
    }
}

/// `f32` and `f64`, which have vectors under every instruction set.
pub trait Float: Real + sealed::Vectors {}

macro_rules! vectors {
    ($($float:ident),*) => {$(
        #[allow(private_bounds)]
        impl sealed::Vectors for $float {
            #[inline(always)]
            fn with<S: Simd, W: Work<$float>>(simd: S, work: W) {
                work.run(simd);
            }
            fn convolution(conv: Convolution, propagation: Propagation, layout: Layout) -> Kernel {
                conv::kernel::<$float>(conv, propagation, layout)
            }
            fn channel_sum(sum: ChannelSum, layout: Layout) -> Kernel {
                conv::channel_sum::kernel::<$float>(sum, layout)
            }
            fn pool(pool: Pool, operation: pool::Operation) -> Kernel {
                pool::kernel::<$float>(pool, operation)
            }
        }

        impl Float for $float {}
    )*};
}
vectors!(f32, f64);

struct Dispatch<T, W>(W, std::marker::PhantomData<T>);

impl<T: Float, W: Work<T>> WithSimd for Dispatch<T, W> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        T::with(simd, self.0);
    }
}

/// Runs a loop as a function of its own, compiled for the instruction set `S`: for large loops
/// within one that calls several.
#[inline(always)]
pub(crate) fn within<T: Float, S: Simd>(simd: S, work: impl Work<T>) {
    simd.vectorize(Dispatch(work, std::marker::PhantomData));
}

/// Runs a loop compiled for the best instruction set that this processor has.
pub(crate) fn dispatch<T: Float>(work: impl Work<T>) {
    let work = Dispatch(work, std::marker::PhantomData);
    #[cfg(test)]
    match tests::SET.get() {
        tests::Set::Best => {}
        tests::Set::Scalar => return pulp::Scalar::new().vectorize(work),
        #[cfg(target_arch = "x86_64")]
        tests::Set::Avx2 => {
            if let Some(simd) = pulp::x86::V3::try_new() {
                return pulp::Simd::vectorize(simd, work);
            }
        }
    }
    pulp::Arch::new().dispatch(work);
}

/// The number of elements of T that a register of this processor holds.
pub(crate) fn lanes<T: Float>() -> usize {
    struct Count<'a>(&'a mut usize);

    impl<T> Work<T> for Count<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, _: S)
        where
            T: Lane<S>,
        {
            *self.0 = size_of::<<T as Lane<S>>::Vector>() / size_of::<T>();
        }
    }

    let mut count = 1;
    dispatch::<T>(Count(&mut count));
    count
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    /// The instruction set that is used instead of the best.
    #[derive(Clone, Copy, Debug)]
    pub enum Set {
        Best,
        Scalar,
        #[cfg(target_arch = "x86_64")]
        Avx2,
    }

    thread_local! {
        /// The instruction set for which this thread's kernels are compiled and on which they run.
        pub static SET: Cell<Set> = const { Cell::new(Set::Best) };
    }

    /// Runs a test once for each instruction set.
    pub fn with_each(mut f: impl FnMut()) {
        let sets = [
            Set::Scalar,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2,
            Set::Best,
        ];
        for set in sets {
            SET.set(set);
            f();
        }
    }
}
