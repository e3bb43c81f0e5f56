//! Tensors side by side with themselves: `tile`.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Dim, Dims, Domain, Fault, Inference, Lowered,
    Lowering, OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting, Type, attributes,
};
use abeyance_kernels::broadcast::Broadcast;
use abeyance_kernels::layout;

use super::shape::movement;
use super::slice::each;
use super::with_moved;
use crate::{Element, Expr, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Tile];

attributes! {
    /// How often a [`Tile`] repeats.
    pub struct TileAttributes {
        /// Number of times that the tensor stands along each dimension, at least 0.
        multiples: Integers,
    }
}

/// `x` repeated `multiples[i]` times along dimension i, one after the other. TensorFlow's
/// `tf.tile`. Gradient: the sum of the cotangent's parts.
pub struct Tile;

impl Operator for Tile {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];
        const {
            &Signature::new("tile", "x one after the other along each dimension", OPERANDS)
                .attributes(TileAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let dims = cx.shape(0);
        let multiples =
            each("multiples", &cx.attributes::<TileAttributes>().multiples, dims.len())?;
        let mut shape = Shape::new();
        for (&dim, &times) in dims.iter().zip(&multiples) {
            shape.push(match (dim, times) {
                (Dim::Known(size), _) => Dim::Known(size.checked_mul(times).ok_or_else(|| {
                    Fault::new(format!(
                        "{} {times} times along a dimension is larger than any memory",
                        cx.display(&dims)
                    ))
                })?),
                (Dim::Symbol(_), 0) => Dim::Known(0),
                (Dim::Symbol(_), 1) => dim,
                (Dim::Symbol(_), _) => cx.derived(),
            });
        }
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (full, cotangent) = (cx.operand(0).shape(), cx.cotangent());
        let multiples =
            each("multiples", &cx.attributes::<TileAttributes>().multiples, full.len())?;
        // Repetitions get dimensions of their own, over which the sum goes.
        let mut apart = Shape::new();
        let mut axes = Vec::new();
        for (&dim, &times) in full.iter().zip(&multiples) {
            if times != 1 {
                axes.push(apart.len() as i64);
                apart.push(Dim::Known(times));
            }
            apart.push(dim);
        }
        Ok(cx.only(match axes[..] {
            [] => cotangent,
            _ => cotangent.reshape(apart).reduce_sum(&axes[..]),
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = cx.operands[0].dims;
        let multiples =
            each("multiples", &cx.attributes::<TileAttributes>().multiples, dims.len())?;
        if multiples.iter().all(|&times| times == 1) {
            return Ok(Lowered::Alias(0));
        }
        let pairs = || multiples.iter().zip(dims);
        let from: Dims = pairs().flat_map(|(_, &size)| [1, size]).collect();
        let to: Dims = pairs().flat_map(|(&times, &size)| [times, size]).collect();
        let plan = Broadcast::new(&to, [&from]);
        Ok(with_moved!(cx.result.dtype, T => movement::<T>(cx, move |x, out, start| {
            layout::broadcast_to(&plan, x, out, start)
        }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let TileAttributes { multiples } = cx.attributes();
        cx.apart_from(|axis| multiples.get(axis) != Some(&1))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[i64]); 8] = [
            (&[], &[]),
            (&[3], &[2]),
            (&[2, 3], &[2, 3]),
            (&[2, 1, 2], &[1, 5, 1]),
            (&[2, 3], &[1, 1]),
            (&[0, 3], &[2, 2]),
            (&[2, 3], &[0, 2]),
            (&[5, 7], &[3, 1]),
        ];
        cases
            .into_iter()
            .map(|(dims, multiples)| {
                Sample::new(TileAttributes { multiples: multiples.into() })
                    .float(dims, Domain::Between(-2.0, 2.0))
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The expression `multiples[i]` times one after the other along dimension i.
    pub fn tile(self, multiples: &[i64]) -> Self {
        self.apply(&Tile, TileAttributes { multiples: multiples.into() })
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The tensor `multiples[i]` times one after the other along dimension i: `[1, 2]` with `[3]`
    /// is `[1, 2, 1, 2, 1, 2]`. TensorFlow's `tf.tile`. One number for each dimension, none below
    /// 0. Gradient: the sum of the cotangent's parts.
    #[track_caller]
    pub fn tile(self, multiples: impl AsRef<[i64]>) -> Tensor<'g, T> {
        let _call = self.graph().call("tile");
        self.map(|x| x.tile(multiples.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn sizes_are_multiplied() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        assert_eq!(x.tile([1, 2]).to_string(), "tile : f32[N, 6]");
        assert_eq!(x.tile([2, 1]).to_string(), "tile_1 : f32[D, 3]");
        assert_eq!(x.tile([0, 1]).to_string(), "tile_2 : f32[0, 3]");
        g.check().unwrap();
        x.tile([1, i64::MAX]);
        x.tile([-1, 1]);
        x.tile([1]);
        let message = g.check().unwrap_err().to_string();
        for part in ["larger than any memory", "holds -1", "not a number for each of 2"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
