//! `+ - * /` and unary `-` between tensors, scalars and numbers.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::{Number, Scalar, Signed, Tensor};

macro_rules! overload {
    ($($trait:ident $method:ident;)*) => {$(
        impl<'g, T: Number> $trait<Tensor<'g, T>> for Tensor<'g, T> {
            type Output = Tensor<'g, T>;
            #[track_caller]
            fn $method(self, other: Tensor<'g, T>) -> Tensor<'g, T> {
                self.zip(other, |x, y| x.$method(y))
            }
        }
        impl<'g, T: Number> $trait<Scalar<'g, T>> for Tensor<'g, T> {
            type Output = Tensor<'g, T>;
            #[track_caller]
            fn $method(self, other: Scalar<'g, T>) -> Tensor<'g, T> {
                self.zip(other, |x, y| x.$method(y))
            }
        }
        impl<'g, T: Number> $trait<Tensor<'g, T>> for Scalar<'g, T> {
            type Output = Tensor<'g, T>;
            #[track_caller]
            fn $method(self, other: Tensor<'g, T>) -> Tensor<'g, T> {
                self.0.zip(other, |x, y| x.$method(y))
            }
        }
        impl<'g, T: Number> $trait<Scalar<'g, T>> for Scalar<'g, T> {
            type Output = Scalar<'g, T>;
            #[track_caller]
            fn $method(self, other: Scalar<'g, T>) -> Scalar<'g, T> {
                Scalar(self.0.zip(other, |x, y| x.$method(y)))
            }
        }
        impl<'g, T: Number> $trait<T> for Tensor<'g, T> {
            type Output = Tensor<'g, T>;
            #[track_caller]
            fn $method(self, other: T) -> Tensor<'g, T> {
                self.zip(self.graph.constant(other), |x, y| x.$method(y))
            }
        }
        impl<'g, T: Number> $trait<T> for Scalar<'g, T> {
            type Output = Scalar<'g, T>;
            #[track_caller]
            fn $method(self, other: T) -> Scalar<'g, T> {
                Scalar(self.0.zip(self.graph.constant(other), |x, y| x.$method(y)))
            }
        }
        overload!(@left $trait $method f32 f64 i32 i64 u8);
    )*};
    (@left $trait:ident $method:ident $($type:ty)*) => {$(
        impl<'g> $trait<Tensor<'g, $type>> for $type {
            type Output = Tensor<'g, $type>;
            #[track_caller]
            fn $method(self, other: Tensor<'g, $type>) -> Tensor<'g, $type> {
                other.graph.constant(self).zip(other, |x, y| x.$method(y))
            }
        }
        impl<'g> $trait<Scalar<'g, $type>> for $type {
            type Output = Scalar<'g, $type>;
            #[track_caller]
            fn $method(self, other: Scalar<'g, $type>) -> Scalar<'g, $type> {
                Scalar(other.graph.constant(self).zip(other, |x, y| x.$method(y)))
            }
        }
    )*};
}
overload! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
}

impl<'g, T: Signed> Neg for Tensor<'g, T> {
    type Output = Tensor<'g, T>;
    #[track_caller]
    fn neg(self) -> Tensor<'g, T> {
        self.map(|x| -x)
    }
}

impl<'g, T: Signed> Neg for Scalar<'g, T> {
    type Output = Scalar<'g, T>;
    #[track_caller]
    fn neg(self) -> Scalar<'g, T> {
        Scalar(self.0.map(|x| -x))
    }
}
