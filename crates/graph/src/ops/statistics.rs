//! Mean and spread, built from reductions: `moments`, `reduce_variance`, `reduce_std`.

use crate::{Axes, AxisList, Float, Tensor};

impl<'g, T: Float> Tensor<'g, T> {
    /// The mean of the squares of the differences from the mean, over `..` (everything), `-1`,
    /// `[0, 2]` or [`keep_dims`](crate::keep_dims) of these: TensorFlow's `reduce_variance`, which
    /// divides by the count, not by one less. NaN for nothing. Squares are added up in f64. The
    /// gradient is the cotangent times 2(x - mean)/n.
    #[track_caller]
    pub fn reduce_variance<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let list = axes.list();
        let _call = self.graph().call("reduce_variance");
        self.graph()
            .within("reduce_variance", || {
                let mean = self.reduce_mean(list.kept());
                self.spread(mean, &list)
            })
            .into()
    }

    /// The standard deviation, the root of [`Tensor::reduce_variance`]: TensorFlow's `reduce_std`.
    /// It is right also where the variance would overflow or vanish. Its gradient where all are
    /// equal is taken to be 0, not TensorFlow's NaN.
    #[track_caller]
    pub fn reduce_std<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let list = axes.list();
        let _call = self.graph().call("reduce_std");
        self.graph()
            .within("reduce_std", || {
                let mean = self.reduce_mean(list.kept());
                (self - mean).root_mean_square(&list, 0.0)
            })
            .into()
    }

    /// The mean and the variance ([`Tensor::reduce_variance`]) over the same axes: TensorFlow's
    /// `moments`.
    #[track_caller]
    pub fn moments<A: Axes>(self, axes: A) -> (A::Output<'g, T>, A::Output<'g, T>) {
        let list = axes.list();
        let _call = self.graph().call("moments");
        let _scope = self.graph().scope("moments");
        let mean = self.reduce_mean(list.kept());
        let variance = self.spread(mean, &list).named("variance");
        (mean.map::<T>(|x| x.drop_kept(&list)).named("mean").into(), variance.into())
    }

    /// The mean of the squares of the differences from `mean`.
    #[track_caller]
    fn spread(self, mean: Tensor<'g, T>, list: &AxisList) -> Tensor<'g, T> {
        (self - mean).mean_square(list)
    }
}
