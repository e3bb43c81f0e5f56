//! The rows for which a condition holds: `boolean_mask`, made of `where_indices` and `gather`.

use abeyance_ir::{DType, Dim, Fault, Shape};

use crate::{Element, Expr, Operand, Scalar, Tensor};

/// Makes the dimensions of a mask the first of `x`.
fn check(x: Expr<'_>, mask: Expr<'_>) -> Result<usize, Fault> {
    let (of, given) = (x.shape(), mask.shape());
    let unlike = |(a, b): (&Dim, &Dim)| matches!((a, b), (Dim::Known(a), Dim::Known(b)) if a != b);
    if given.is_empty() {
        return Err(Fault::new("a mask without dimensions picks no rows")
            .help("`condition.select(x, y)` chooses between tensors as a whole"));
    }
    if given.len() > of.len() || of.iter().zip(&given).any(unlike) {
        let shown = |shape: &[Dim]| x.graph(|graph| graph.symbols().display(shape).to_string());
        return Err(Fault::new(format!(
            "a mask of shape {} does not fit {}",
            shown(&given),
            shown(&of)
        ))
        .help("the dimensions of the mask are the first dimensions of what it picks from"));
    }
    x.graph(|graph| {
        for (&a, &b) in of.iter().zip(&given) {
            graph.symbols_mut().unify(a, b);
        }
    });
    Ok(given.len())
}

/// The rows of `x` where the mask, of its first `rank` dimensions, is true, and zeros behind.
///
/// They are as many as the mask has elements, or `capacity`.
fn masked<'g>(x: Expr<'g>, mask: Expr<'g>, rank: usize, capacity: Option<i64>) -> Expr<'g> {
    let (rows, flat) = (x.merge(0, rank), mask.merge(0, rank));
    let found = flat.where_indices();
    let Some(&count) = found.shape().first() else {
        return x.invalid();
    };
    let mut at = found.reshape(Shape::from_slice(&[count]));
    if let Some(capacity) = capacity {
        let missing = match count {
            Dim::Known(count) => capacity.saturating_sub(count as i64).max(0),
            Dim::Symbol(_) => capacity,
        };
        if missing > 0 {
            at = at.pad_constant(-1.0, &[0], &[missing]);
        }
        at = at.slice(&[0], &[capacity]);
    }
    // A row of zeros in front, which is what -1 names when all places are counted from it.
    let width = rows.rank();
    let mut before = vec![0; width];
    before[0] = 1;
    rows.pad(&before, &vec![0; width]).gather(at + 1.0)
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The rows of this tensor where `mask` is true, in their order, and how many there are. For a
    /// tensor `[m1, .., mk, ...]` and a mask `[m1, .., mk]` the rows are `[m1·..·mk, ...]`: those
    /// that are picked come first, zeros (`false`) fill the rest.
    ///
    /// TensorFlow's `tf.boolean_mask` gives just the rows that are picked. Here the shape of every
    /// value is known before the graph runs, so there is room for all;
    /// [`Tensor::boolean_mask_within`] has room for fewer. Sums over the rows are those of the
    /// picked ones, and a mean is their sum by the count.
    ///
    /// Gradient: the cotangent's rows, where the picked ones came from. It is a mistake if the mask
    /// has no dimensions, or others than the first of this tensor.
    #[track_caller]
    pub fn boolean_mask(self, mask: Tensor<'g, bool>) -> (Tensor<'g, T>, Scalar<'g, i64>) {
        let _call = self.graph().call("boolean_mask");
        self.masked("boolean_mask", mask, None)
    }

    /// Picks the rows where the mask is true, with room for `capacity` rows, `[capacity, ...]`,
    /// whatever the mask's size. Where more are true, the first are picked and the others left out:
    /// the count, which is of all of them, is then above `capacity`.
    #[track_caller]
    pub fn boolean_mask_within(
        self,
        mask: Tensor<'g, bool>,
        capacity: usize,
    ) -> (Tensor<'g, T>, Scalar<'g, i64>) {
        let _call = self.graph().call("boolean_mask_within");
        // A capacity beyond i64 is as much too large as i64::MAX is.
        let capacity = i64::try_from(capacity).unwrap_or(i64::MAX);
        self.masked("boolean_mask_within", mask, Some(capacity))
    }

    #[track_caller]
    fn masked(
        self,
        what: &str,
        mask: Tensor<'g, bool>,
        capacity: Option<i64>,
    ) -> (Tensor<'g, T>, Scalar<'g, i64>) {
        let this = self.beside(mask);
        let graph = this.graph();
        let mask = mask.node(graph);
        let checked = this.visit(|x| {
            let mask = x.at(mask);
            let valid = x.dtype().is_some() && mask.dtype().is_some();
            valid.then(|| check(x, mask))
        });
        let rank = match checked {
            Some(Ok(rank)) => rank,
            Some(Err(mut fault)) => {
                fault.message = format!("{what}: {}", fault.message);
                let wrong: Tensor<'g, T> = this.fault(fault);
                return (wrong, Scalar(wrong.erase().assume()));
            }
            None => {
                let wrong: Tensor<'g, T> = this.map(|x| x.invalid());
                return (wrong, Scalar(wrong.erase().assume()));
            }
        };
        let rows =
            graph.within("boolean_mask", || this.map(|x| masked(x, x.at(mask), rank, capacity)));
        let count = graph.within("boolean_mask_count", || {
            let axes: Vec<i64> = (0..rank as i64).collect();
            graph.handle::<bool>(mask).map(|mask| mask.cast(DType::I64).reduce_sum(&axes[..]))
        });
        (rows, Scalar(count))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn the_dimensions_of_a_mask_are_the_first() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let mask = g.placeholder::<bool>("mask", dims![_]);
        let (rows, count) = x.boolean_mask(mask);
        assert_eq!(rows.to_string(), "boolean_mask : f32[N, 3]");
        assert_eq!(count.tensor().shape().len(), 0);
        assert_eq!(mask.dim(0), x.dim(0));
        let (rows, _) = x.boolean_mask_within(mask, 5);
        assert_eq!(rows.to_string(), "boolean_mask_1 : f32[5, 3]");
        g.check().unwrap();
        x.boolean_mask(g.placeholder("wide", dims![_, 4]));
        x.boolean_mask_within(g.placeholder("scalar", dims![]), 3);
        x.boolean_mask_within(g.placeholder("deep", dims![_, 3, 1]), 3);
        x.boolean_mask_within(mask, usize::MAX);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "boolean_mask: a mask of shape [N3, 4] does not fit [N, 3]",
            "boolean_mask_within: a mask without dimensions picks no rows",
            "boolean_mask_within: a mask of shape [N4, 3, 1] does not fit [N, 3]",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert_eq!(g.check().unwrap_err().0.len(), 4, "{message}");
    }
}
