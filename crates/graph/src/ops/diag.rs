//! Diagonals of matrices: `diag`, `diag_part`, `eye`.

use abeyance_ir::{
    Cotangents, DTypes, Derivation, Dim, Dims, Domain, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Split, Splitting, Type,
};
use abeyance_kernels::layout::Steps;
use smallvec::SmallVec;

use super::strided;
use crate::{Dimension, Element, Expr, Graph, Number, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Diag, &DiagPart];

const ANY: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];

/// Matrices `[.., n, n]` with the vectors `x[.., n]` on their diagonals and zeros elsewhere.
/// TensorFlow's `tf.linalg.diag`. Gradient: the cotangent's diagonals.
pub struct Diag;

impl Operator for Diag {
    fn signature(&self) -> &Signature {
        const { &Signature::new("diag", "matrices with x on their diagonals", ANY) }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let mut shape = cx.shape(0);
        match shape.last() {
            Some(&size) => {
                shape.push(size);
                cx.tensor(cx.dtype(0), shape)
            }
            None => Err(Fault::new("a scalar is no diagonal")),
        }
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only(cx.cotangent().diag_part()))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (dims, steps) = flat(cx.operands[0].dims);
        Ok(strided::place(cx, &dims, &steps))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 1 == cx.rank(0))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [&[usize]; 6] = [&[1], &[4], &[2, 3], &[0], &[0, 2], &[3, 0]];
        cases
            .into_iter()
            .map(|dims| Sample::default().float(dims, Domain::Between(-2.0, 2.0)))
            .collect()
    }
}

/// Diagonals `[.., n]` in matrices `[.., n, n]` whose elements stand in a row: their dimensions,
/// and which elements they are.
fn flat(diagonals: &[usize]) -> (Dims, SmallVec<[Steps; 4]>) {
    let mut dims = Dims::from(diagonals);
    let mut steps: SmallVec<[Steps; 4]> = dims.iter().map(|&size| Steps::all(size)).collect();
    if let (Some(size), Some(steps)) = (dims.last_mut(), steps.last_mut()) {
        steps.step = *size as isize + 1;
        *size *= *size;
    }
    (dims, steps)
}

/// The diagonals `[.., n]` of matrices `x[.., n, n]`. TensorFlow's `tf.linalg.diag_part`. Gradient:
/// the cotangent on the diagonals among zeros.
pub struct DiagPart;

impl Operator for DiagPart {
    fn signature(&self) -> &Signature {
        const { &Signature::new("diag_part", "the diagonals of matrices", ANY).zeroing_gradient() }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let mut shape = cx.shape(0);
        let size = match shape[..] {
            [.., rows, columns] => cx.unify(rows, columns),
            _ => None,
        };
        let Some(size) = size else {
            return Err(Fault::new(format!(
                "{} is not the shape of square matrices",
                cx.display(&shape)
            )));
        };
        shape.truncate(shape.len() - 2);
        shape.push(size);
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only(cx.cotangent().diag()))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (dims, steps) = flat(cx.result.dims);
        let operand = abeyance_ir::Concrete { dims: &dims, ..cx.operands[0] };
        Ok(strided::pick(&Lowering { operands: &[operand], ..*cx }, &steps))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 2 >= cx.rank(0))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [&[usize]; 6] = [&[1, 1], &[4, 4], &[2, 3, 3], &[0, 0], &[0, 2, 2], &[3, 0, 0]];
        cases
            .into_iter()
            .map(|dims| Sample::default().float(dims, Domain::Between(-2.0, 2.0)))
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The matrices with the vectors of this on their diagonals and zeros elsewhere.
    pub fn diag(self) -> Self {
        self.apply(&Diag, ())
    }

    /// The diagonals of matrices, or of the squares they begin with where the sizes are known.
    pub fn diag_part(self) -> Self {
        let shape = self.shape();
        let square = match shape[..] {
            [.., Dim::Known(rows), Dim::Known(columns)] if rows != columns => {
                let mut sizes = vec![-1; shape.len()];
                sizes[shape.len() - 2..].fill(rows.min(columns) as i64);
                self.slice(&vec![0; shape.len()], &sizes)
            }
            _ => self,
        };
        square.apply(&DiagPart, ())
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// Matrices `[.., n, n]` with the vectors of this tensor `[.., n]` on their diagonals and zeros
    /// (`false`) elsewhere. TensorFlow's `tf.linalg.diag`, for a vector `tf.diag`. Gradient: the
    /// cotangent's diagonals.
    #[track_caller]
    pub fn diag(self) -> Tensor<'g, T> {
        self.map(|x| x.diag())
    }

    /// The diagonals `[.., min(m, n)]` of the matrices of this tensor `[.., m, n]`. TensorFlow's
    /// `tf.linalg.diag_part`. Sizes that are not known yet have to be equal. Gradient: the
    /// cotangent on the diagonals among zeros.
    #[track_caller]
    pub fn diag_part(self) -> Tensor<'g, T> {
        self.map(|x| x.diag_part())
    }
}

impl Graph {
    /// The identity matrix `[n, n]`: 1 on the diagonal and 0 elsewhere. TensorFlow's `tf.eye`. The
    /// size may be that of another tensor: `g.eye::<f32>(x.dim(0))`.
    #[track_caller]
    pub fn eye<T: Number>(&self, n: impl Into<Dimension>) -> Tensor<'_, T> {
        let _call = self.call("eye");
        let size: crate::Dimensions = [n.into()].into_iter().collect();
        self.within("eye", || self.ones(size).diag())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn vectors_become_matrices_and_back() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        assert_eq!(x.diag().to_string(), "diag : f32[N, 3, 3]");
        let y = g.placeholder::<f32>("y", dims!["A", "B"]);
        assert_eq!(y.diag_part().to_string(), "diag_part : f32[A]");
        assert_eq!(
            g.zeros::<i32>(dims![2, 3, 5]).diag_part().to_string(),
            "diag_part_1 : i32[2, 3]"
        );
        assert_eq!(g.eye::<f32>(x.dim(0)).to_string(), "eye : f32[N, N]");
        g.check().unwrap();
        g.constant(1.0f32).diag();
        g.zeros::<f32>(dims![3]).diag_part();
        g.eye::<f32>(usize::MAX);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "a scalar is no diagonal",
            "[3] is not the shape of square matrices",
            "larger than any memory",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
