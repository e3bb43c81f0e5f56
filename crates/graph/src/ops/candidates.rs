//! Classes drawn to stand for all of them, for losses over very many classes.

use abeyance_ir::{
    AttributeSet, DType, Differentiability, Dim, Effect, Fault, Inference, Lowered, Lowering,
    Operator, Sample, Shape, Signature, Type,
};
use abeyance_kernels::element::Real;
use abeyance_kernels::launch::{Cost, Failure, Kernel};
use abeyance_kernels::random::Stream;

use crate::{Float, Graph, Index, Operand, Scalar, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&LogUniformCandidates];

abeyance_ir::attributes! {
    /// The classes that are drawn, and how many.
    pub struct LogUniformCandidatesAttributes {
        /// Number of classes to draw, 0 or more.
        count: i64,
        /// Number of classes there are, 1 or more: those from 0 to `range` - 1.
        range: i64,
        /// True if all that are drawn have to be different.
        unique: bool,
    }
}

/// Classes below `range`, class k with probability ln((k + 2) / (k + 1)) / ln(range + 1):
/// TensorFlow's `log_uniform_candidate_sampler`. If they are to be `unique`, one that was drawn
/// before is drawn again. The result is `[count + 1]`: the classes, then how many numbers were
/// drawn for them.
pub struct LogUniformCandidates;

/// Numbers drawn before it counts as hopeless that other classes turn up. TensorFlow's bound.
const MOST_DRAWS: usize = i32::MAX as usize;

impl Operator for LogUniformCandidates {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "log_uniform_candidates",
                "classes that are drawn the rarer the higher their number, then how many draws that took",
                &[],
            )
            .attributes(LogUniformCandidatesAttributes::SPECS)
            .effect(Effect::Random)
            .differentiability(Differentiability::None("does not depend on other nodes"))
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let LogUniformCandidatesAttributes { count, range, unique } = cx.attributes();
        let Some(len) = usize::try_from(count).ok().and_then(|count| count.checked_add(1)) else {
            return Err(Fault::new(format!("{count} candidates cannot be drawn")));
        };
        if range < 1 {
            return Err(Fault::new(format!("there are no classes below {range} to draw from")));
        }
        if unique && count > range {
            return Err(Fault::new(format!(
                "{count} different candidates cannot be drawn from {range} classes"
            ))
            .help("draw at most as many as there are classes, or let them repeat"));
        }
        cx.tensor(DType::I64, Shape::from_slice(&[Dim::Known(len)]))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let LogUniformCandidatesAttributes { count: _, range, unique } = cx.attributes();
        let stream = Stream::new(cx.seed, cx.name);
        let count = cx.result.len().saturating_sub(1);
        let cost = Cost { flops: 60.0 * count as f64, bytes: cx.result.bytes() as f64 };
        // A table with open addressing, at most half full.
        let table = if unique {
            count.saturating_mul(2).checked_next_power_of_two().filter(|&len| len < 1 << 60)
        } else {
            Some(0)
        };
        let Some(table) = table else {
            return Err(Fault::new("so many candidates are beyond any memory"));
        };
        // Which candidates are new depends on all before them: one part.
        let kernel = Kernel::single(0, cx.result.bytes(), cost, move |call| {
            let draw = call.run_counter();
            let (_, outputs, workspace) = call.split();
            let out: &mut [i64] = outputs.first().cast();
            let seen: &mut [u64] = bytemuck::cast_slice_mut(&mut workspace[..8 * table]);
            let Some((draws, out)) = out.split_last_mut() else {
                return Ok(());
            };
            *draws = sample(stream, draw, range, out, unique.then_some(seen))?;
            Ok(())
        });
        Ok(kernel.with_workspace(8 * table).into())
    }

    fn samples(&self) -> Vec<Sample> {
        [(0, 5, true), (1, 1, true), (5, 5, true), (40, 1000, true), (70, 3, false)]
            .into_iter()
            .map(|(count, range, unique)| {
                Sample::new(LogUniformCandidatesAttributes { count, range, unique })
            })
            .collect()
    }
}

/// Fills `out` with classes below `range`, all different if there is a table to note them in, and
/// tells how many were drawn.
fn sample(
    stream: Stream,
    draw: u64,
    range: i64,
    out: &mut [i64],
    mut seen: Option<&mut [u64]>,
) -> Result<i64, Failure> {
    let log_range = Real::ln_1p(range as f64);
    if let Some(seen) = &mut seen {
        seen.fill(0);
    }
    let mut uniform = [0.0f64; 64];
    let (mut found, mut draws) = (0, 0);
    while found < out.len() {
        if draws % uniform.len() == 0 {
            stream.fill_uniform(draw, draws, &mut uniform, 0.0, 1.0);
        }
        let class = Real::exp(uniform[draws % uniform.len()] * log_range) as i64 - 1;
        // Rounding may lead to the range itself, as in TensorFlow.
        let class = class.clamp(0, i64::MAX) % range;
        draws += 1;
        if seen.as_deref_mut().is_none_or(|seen| insert(seen, class)) {
            out[found] = class;
            found += 1;
        }
        if draws == MOST_DRAWS && found < out.len() {
            return Err(Failure(format!(
                "only {found} different classes of {range} were found in {draws} draws: draw fewer candidates"
            )));
        }
    }
    Ok(draws as i64)
}

/// Notes a class in a table of classes, each 1 more than it is; whether it was not there.
fn insert(table: &mut [u64], class: i64) -> bool {
    let mask = table.len() - 1;
    let mut place = (class as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 7 & mask;
    loop {
        match table[place] {
            0 => {
                table[place] = class as u64 + 1;
                return true;
            }
            other if other == class as u64 + 1 => return false,
            _ => place = (place + 1) & mask,
        }
    }
}

/// Classes drawn at a run: [`Graph::log_uniform_candidates`].
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'g> {
    /// The classes, `[count]`.
    pub classes: Tensor<'g, i64>,
    /// How many numbers were drawn for them: `count`, or more where they had to be different.
    pub draws: Scalar<'g, i64>,
    range: i64,
    unique: bool,
}

impl Graph {
    /// `count` classes below `range`, others at each run, class k with probability
    ///
    /// ```text
    /// p(k) = ln((k + 2) / (k + 1)) / ln(range + 1)
    /// ```
    ///
    /// which fits classes in the order of their frequency, the most frequent first, as words of a
    /// language are by Zipf's law. If they are to be `unique`, a class that was drawn before is
    /// drawn again: the nearer `count` is to `range`, the more often, and after 2³¹ draws the run
    /// fails. TensorFlow's `tf.random.log_uniform_candidate_sampler`. The classes depend on the
    /// session's seed, the node's name and the step alone.
    ///
    /// It is a mistake if there are no classes, or fewer than are to be different.
    #[track_caller]
    pub fn log_uniform_candidates(
        &self,
        count: usize,
        range: usize,
        unique: bool,
    ) -> Candidates<'_> {
        let _call = self.call("log_uniform_candidates");
        // Numbers beyond i64 are as much too large as i64::MAX is.
        let [count, range] = [count, range].map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        let attributes = LogUniformCandidatesAttributes { count, range, unique };
        let drawn: Tensor<'_, i64> = self.apply(&LogUniformCandidates, &[], attributes).assume();
        let classes = drawn.slice([0], [count]);
        let draws = Scalar(drawn.slice([count], [1]).reshape(Shape::new()));
        Candidates { classes, draws, range, unique }
    }
}

impl<'g> Candidates<'g> {
    /// How often each of some classes, of any shape, is expected among the candidates: count·p(k)
    /// where they may repeat, else 1 - (1 - p(k))ⁿ for n draws. Computed in f64. TensorFlow's
    /// `true_expected_count` and `sampled_expected_count`. Classes have no gradient.
    #[track_caller]
    pub fn expected_count<T: Float, I: Index>(self, classes: impl Operand<'g, I>) -> Tensor<'g, T> {
        let graph = self.classes.graph();
        let _call = graph.call("expected_count");
        let classes: Tensor<'g, I> = graph.any(classes.node(graph)).assume();
        graph.within("expected_count", || {
            let above = classes.cast::<f64>() + 1.0;
            let p = above.reciprocal().log1p() / Real::ln_1p(self.range as f64);
            let draws = self.draws.cast::<f64>();
            let expected = if self.unique { -((-p).log1p() * draws).expm1() } else { p * draws };
            expected.cast::<T>()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn different_candidates_are_different_and_as_frequent_as_they_are_expected() {
        let stream = Stream::new(1, "candidates");
        let mut counts = [0usize; 10];
        for draw in 0..20_000 {
            let mut out = [0; 4];
            let draws = sample(stream, draw, 10, &mut out, Some(&mut [0; 8])).unwrap();
            assert!(draws >= 4);
            assert_eq!(out.iter().collect::<HashSet<_>>().len(), 4, "{out:?}");
            out.iter().for_each(|&class| counts[class as usize] += 1);
        }
        assert!(counts.is_sorted_by(|a, b| a > b), "{counts:?}");
        let mut counts = [0usize; 3];
        let mut out = vec![0; 300_000];
        assert_eq!(sample(stream, 7, 3, &mut out, None).unwrap(), 300_000);
        out.iter().for_each(|&class| counts[class as usize] += 1);
        // ln 2, ln 3/2 and ln 4/3, by ln 4.
        for (count, p) in counts.into_iter().zip([0.5, 0.292_481, 0.207_519]) {
            assert!((count as f64 / 300_000.0 - p).abs() < 0.004, "{counts:?}");
        }
    }

    #[test]
    fn all_classes_can_be_drawn() {
        let mut out = [0; 64];
        sample(Stream::new(0, ""), 0, 64, &mut out, Some(&mut [0; 128])).unwrap();
        out.sort_unstable();
        assert!(out.iter().copied().eq(0..64));
        // The largest range there is.
        sample(Stream::new(0, ""), 0, i64::MAX, &mut out, Some(&mut [0; 128])).unwrap();
        assert!(out.iter().all(|&class| class >= 0));
    }

    #[test]
    fn candidates_that_cannot_be_are_mistakes() {
        let g = Graph::new();
        let candidates = g.log_uniform_candidates(3, 5, true);
        assert_eq!(candidates.classes.to_string(), "slice : i64[3]");
        g.check().unwrap();
        g.log_uniform_candidates(6, 5, true);
        g.log_uniform_candidates(6, 0, false);
        g.log_uniform_candidates(usize::MAX, 1, false);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "6 different candidates cannot be drawn from 5 classes",
            "there are no classes below 0",
            "larger than any memory",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
