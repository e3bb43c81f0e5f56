//! Floats in registers, for loops written once for every instruction set.

use pulp::{Simd, WithSimd};

pub(super) use crate::matmul::tile::Lane;

use crate::element::Real;

/// A loop over vectors of T.
pub(super) trait Work<T> {
    fn run<S: Simd>(self, simd: S)
    where
        T: Lane<S>;
}

#[allow(private_bounds)] // what it is sealed by
mod sealed {
    use super::{Simd, Work};

    pub trait Vectors: Sized {
        /// Run a loop with vectors of `S`.
        fn with<S: Simd, W: Work<Self>>(simd: S, work: W);
    }
}

/// `f32` and `f64`, which have vectors under every instruction set.
pub trait Float: Real + sealed::Vectors {}

#[allow(private_bounds)]
impl sealed::Vectors for f32 {
    #[inline(always)]
    fn with<S: Simd, W: Work<f32>>(simd: S, work: W) {
        work.run(simd);
    }
}

#[allow(private_bounds)]
impl sealed::Vectors for f64 {
    #[inline(always)]
    fn with<S: Simd, W: Work<f64>>(simd: S, work: W) {
        work.run(simd);
    }
}

impl Float for f32 {}
impl Float for f64 {}

/// Run a loop compiled for the best instruction set this processor has.
pub(super) fn dispatch<T: Float>(work: impl Work<T>) {
    struct Dispatch<T, W>(W, std::marker::PhantomData<T>);

    impl<T: Float, W: Work<T>> WithSimd for Dispatch<T, W> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            T::with(simd, self.0);
        }
    }

    pulp::Arch::new().dispatch(Dispatch(work, std::marker::PhantomData));
}

/// How many elements of T a register of this processor holds.
pub(super) fn lanes<T: Float>() -> usize {
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
