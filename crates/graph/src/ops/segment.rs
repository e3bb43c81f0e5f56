//! Sums of rows that belong together: `segment_sum`, and `unsorted_segment_sum`, which is a
//! `scatter_add`.

use abeyance_ir::{
    AttributeSet, Cotangents, DType, DTypes, Derivation, Dim, Domain, Fault, Inference, Lowered,
    Lowering, OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting, Type,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::{elementwise_chunk, layout};

use super::{index, traffic, with_index, with_type};
use crate::{Expr, Index, Number, Operand, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SegmentSum];

abeyance_ir::attributes! {
    /// How many segments there are.
    pub struct SegmentSumAttributes {
        /// Number of segments, and of rows of the result, 0 or more.
        num_segments: i64,
    }
}

/// `[S, ...]`, row s the sum of the rows of `data` `[N, ...]` whose segment is s; segments `[N]`
/// never fall. Gradient: for each row the cotangent of its segment.
pub struct SegmentSum;

impl Operator for SegmentSum {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::new("data", DTypes::NUMBER),
            OperandSpec::in_group("segments", DTypes::INDEX, 1),
        ];
        const {
            &Signature::new(
                "segment_sum",
                "the sums of the rows of each segment, which stand in order",
                OPERANDS,
            )
            .attributes(SegmentSumAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let SegmentSumAttributes { num_segments } = cx.attributes();
        let Ok(count) = usize::try_from(num_segments) else {
            return Err(Fault::new(format!(
                "num_segments = {num_segments} is not a number of segments"
            )));
        };
        let (data, segments) = (cx.shape(0), cx.shape(1));
        let rows = match (&data[..], &segments[..]) {
            (&[rows, ..], &[of]) => cx.unify(rows, of),
            _ => None,
        };
        let rows = rows.ok_or_else(|| {
            Fault::new(format!(
                "segments of shape {} do not name the segment of each row of {}",
                cx.display(&segments),
                cx.display(&data)
            ))
            .help("they are a list as long as the first dimension")
        })?;
        if count == 0 && matches!(rows, Dim::Known(rows) if rows > 0) {
            return Err(Fault::new("every segment is out of range: there are none at all"));
        }
        let shape: Shape =
            std::iter::once(Dim::Known(count)).chain(data[1..].iter().copied()).collect();
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.each_wanted(|index| (index == 0).then(|| cx.cotangent().gather(cx.operand(1)))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (limit, width) = index::rows(cx.result.dims, 0)?;
        let (len, size) = (cx.result.len(), cx.result.dtype.size());
        let cost = Cost { flops: cx.operands[0].len() as f64, bytes: traffic(cx) };
        // A part reads about as much for each element as the whole does.
        let each = (cost.bytes / len.max(1) as f64) as usize;
        let chunk = elementwise_chunk(len, each) * size;
        with_type!(cx.result.dtype, T => with_index!(cx.operands[1].dtype, I => {
            Ok(Kernel::single(2, chunk, cost, move |call| {
                let (data, segments) = (call.input::<T>(0), call.input::<I>(1));
                let start = call.start::<T>();
                layout::segment_sum(data, segments, limit, width, call.output(), start)
            })
            .into())
        }))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        match (cx.axis(0), cx.axis(1)) {
            (Some(axis), None) if axis > 0 => cx.along(axis),
            _ => Split::Mixed,
        }
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], i64); 7] = [
            (&[3], 2),
            (&[5], 6),
            (&[6, 2], 5),
            (&[4, 2, 3], 4),
            (&[0, 3], 2),
            (&[2, 0], 3),
            (&[1, 33], 1),
        ];
        cases
            .into_iter()
            .map(|(data, num_segments)| {
                let segments = Domain::Values(&[0.0, 0.0, 1.0, 3.0, 3.0, 4.0]);
                Sample::new(SegmentSumAttributes { num_segments })
                    .float(data, Domain::Between(-2.0, 2.0))
                    .operand(DType::I64, &data[..1], segments)
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The sums of the rows of each segment, which stand in order.
    pub fn segment_sum(self, segments: Self, num_segments: i64) -> Self {
        self.apply_to(&SegmentSum, &[self, segments], SegmentSumAttributes { num_segments })
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The sums of the rows of this tensor `[N, ...]` that belong together, `[num_segments, ...]`:
    /// row s is the sum of the rows whose number in `segments` `[N]` is s, and 0 where there is
    /// none. Integers wrap.
    ///
    /// TensorFlow's `segment_sum`, but that the number of segments has to be told, since shapes are
    /// settled before a run. Segments have to stand in order: one below the one before it, and one
    /// outside `0..num_segments`, fails at run time and is named with its position.
    #[track_caller]
    pub fn segment_sum<I: Index>(
        self,
        segments: impl Operand<'g, I>,
        num_segments: usize,
    ) -> Tensor<'g, T> {
        // A number beyond i64 is as much too large as i64::MAX is.
        let count = i64::try_from(num_segments).unwrap_or(i64::MAX);
        self.zip(segments, |data, segments| data.segment_sum(segments, count))
    }

    /// The sums of segments in any order, and of any shape: this tensor is
    /// `segments.shape + [...]`. TensorFlow's `unsorted_segment_sum`, but that a negative segment
    /// fails at run time as well. It is a [`scatter_add`](Tensor::scatter_add).
    #[track_caller]
    pub fn unsorted_segment_sum<I: Index>(
        self,
        segments: impl Operand<'g, I>,
        num_segments: usize,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("unsorted_segment_sum");
        self.zip(segments, |data, segments| {
            let rows = data.shape();
            let row = rows.get(segments.rank()..).unwrap_or_default();
            let shape =
                std::iter::once(Dim::Known(num_segments)).chain(row.iter().copied()).collect();
            data.scatter_add(segments, shape)
        })
    }
}
