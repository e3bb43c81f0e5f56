//! Other dimensions for the same elements, and repetitions of elements.

use abeyance_graph::Expr;
use abeyance_ir::{Dim, Shape};

use super::super::call::{Call, Imported, one, ordered, unsupported, wrong};
use super::super::entry::OpEntry;
use super::super::size::Size;
use crate::error::ProblemKind;
use crate::layout::NHWC_TO_NCHW;

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("Reshape", "`reshape`", reshape).known(&[1]),
    OpEntry::new("Flatten", "`reshape`", |call| {
        let x = call.tensor(0)?;
        let shape = x.shape();
        let axis = match call.int_or("axis", 1)? {
            axis if axis == shape.len() as i64 => shape.len(),
            axis => call.axis(axis, shape.len())?,
        };
        let (rows, columns) = (call.product(&shape[..axis]), call.product(&shape[axis..]));
        one(reshaped(x, [rows, columns]))
    }),
    OpEntry::new(
        "Transpose",
        "`transpose`, one with the transposes of images where they meet",
        |call| {
            let value = call.value(0)?;
            let rank = value.rank(call.graph);
            let order = match call.ints("perm")? {
                None => (0..rank).rev().collect(),
                Some(perm) => permutation(perm, rank)?,
            };
            if value.is_images() {
                // Straight from the order that the images are in.
                let own: Vec<usize> = order.iter().map(|&axis| NHWC_TO_NCHW[axis]).collect();
                return one(value.as_images(call.graph).transpose_to(&own));
            }
            let x = value.as_plain(call.graph);
            if order == NHWC_TO_NCHW && rank == 4 {
                // What is images after this has been in the order used here before.
                return ordered(x, true);
            }
            one(x.transpose_to(&order))
        },
    ),
    OpEntry::new("Squeeze", "`reshape`", |call| {
        let x = call.tensor(0)?;
        let shape = x.shape();
        let axes = match call.axes("axes", 13, 1)? {
            Some(axes) => resolved(call, &axes, shape.len())?,
            None => (0..shape.len()).filter(|&axis| shape[axis] == Dim::Known(1)).collect(),
        };
        if axes.iter().any(|&axis| matches!(shape[axis], Dim::Known(size) if size != 1)) {
            return wrong("a dimension that is to go has another size than 1");
        }
        let kept = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]);
        one(reshaped(x, kept))
    })
    .known(&[1]),
    OpEntry::new("Unsqueeze", "`reshape`", |call| {
        let x = call.tensor(0)?;
        let Some(axes) = call.axes("axes", 13, 1)? else {
            return wrong("axes are missing");
        };
        let own = x.shape();
        let rank = own.len() + axes.len();
        let axes = resolved(call, &axes, rank)?;
        let mut own = own.into_iter();
        let to: Shape = (0..rank)
            .map(|axis| if axes.contains(&axis) { None } else { own.next() })
            .map(|dim| dim.unwrap_or(Dim::Known(1)))
            .collect();
        one(reshaped(x, to))
    })
    .known(&[1]),
    OpEntry::new("Expand", "`broadcast_to`", |call| {
        let x = call.tensor(0)?;
        let wanted = dims(call, &call.known_sizes(1)?)?;
        let own = x.shape();
        let rank = own.len().max(wanted.len());
        if rank > 32 {
            return wrong("more than 32 dimensions");
        }
        let x = with_rank(x, rank);
        let own = x.shape();
        // Either side may be the one that is stretched.
        let to: Shape = (0..rank)
            .map(|axis| match axis.checked_sub(rank - wanted.len()).map(|place| wanted[place]) {
                None | Some(Dim::Known(1)) => own[axis],
                Some(dim) => dim,
            })
            .collect();
        one(x.broadcast_to(to))
    })
    .known(&[1]),
    OpEntry::new("Tile", "`tile`", |call| {
        let x = call.tensor(0)?;
        let Some(repeats) = call.known_integers(1)? else {
            return wrong("repeats are missing");
        };
        one(x.tile(&repeats))
    })
    .known(&[1]),
    OpEntry::new("DepthToSpace", "`reshape`, `transpose`, `reshape`", |call| {
        let x = call.tensor(0)?;
        let block = block_size(call)?;
        let &[n, _, h, w] = &x.shape()[..] else {
            return wrong("images have four dimensions");
        };
        let depth = call.size(x, 1)?;
        if depth % (block * block) != 0 {
            return wrong(format!("{depth} channels cannot be divided into blocks of {block}"));
        }
        let (b, c) = (Dim::Known(block), Dim::Known(depth / (block * block)));
        let (apart, order) = match call.string_or("mode", "DCR")?.as_str() {
            "DCR" => ([n, b, b, c, h, w], [0, 3, 4, 1, 5, 2]),
            "CRD" => ([n, c, b, b, h, w], [0, 1, 4, 2, 5, 3]),
            other => return unsupported(format!("a mode called {other:?}")),
        };
        let moved = reshaped(x, apart).transpose_to(&order);
        let (h, w) = (scaled_dim(call, h, block), scaled_dim(call, w, block));
        one(reshaped(moved, [n, c, h, w]))
    })
    .unsupported("images of unknown height and width"),
    OpEntry::new("SpaceToDepth", "`reshape`, `transpose`, `reshape`", |call| {
        let x = call.tensor(0)?;
        let block = block_size(call)?;
        let &[n, c, _, _] = &x.shape()[..] else {
            return wrong("images have four dimensions");
        };
        let (height, width, depth) = (call.size(x, 2)?, call.size(x, 3)?, call.size(x, 1)?);
        if height % block != 0 || width % block != 0 {
            return wrong(format!(
                "images of {height} times {width} cannot be divided into blocks of {block}"
            ));
        }
        let (b, h, w) = (Dim::Known(block), Dim::Known(height / block), Dim::Known(width / block));
        let moved = reshaped(x, [n, c, h, b, w, b]).transpose_to(&[0, 3, 5, 1, 2, 4]);
        let channels = Dim::Known(depth.saturating_mul(block * block));
        one(reshaped(moved, [n, channels, h, w]))
    })
    .unsupported("images of unknown height, width or depth"),
];

/// Reshapes a node; gives the node itself if it has these dimensions.
pub(crate) fn reshaped<'g>(x: Expr<'g>, to: impl IntoIterator<Item = Dim>) -> Expr<'g> {
    let to: Shape = to.into_iter().collect();
    if x.shape() == to { x } else { x.reshape(to) }
}

/// The dimension at `from` moved to the place `to`, the others in their order.
pub(crate) fn move_axis(x: Expr<'_>, from: usize, to: usize) -> Expr<'_> {
    let mut order: Vec<usize> = (0..x.rank()).collect();
    // A tensor that is a mistake has no dimensions.
    if from.max(to) < order.len() {
        let axis = order.remove(from);
        order.insert(to, axis);
    }
    x.transpose_to(&order)
}

/// The tensor with dimensions of size 1 put before its own, so that it has `rank`.
pub(crate) fn with_rank(x: Expr<'_>, rank: usize) -> Expr<'_> {
    let own = x.shape();
    let lead = rank.saturating_sub(own.len());
    reshaped(x, std::iter::repeat_n(Dim::Known(1), lead).chain(own))
}

/// A vector as long as dimension `axis` of a tensor of `rank` dimensions, so that it broadcasts
/// along it.
pub(crate) fn vector_along(vector: Expr<'_>, axis: usize, rank: usize) -> Expr<'_> {
    let length = vector.shape().first().copied().unwrap_or(Dim::Known(1));
    reshaped(vector, (0..rank).map(|at| if at == axis { length } else { Dim::Known(1) }))
}

fn block_size(call: &Call<'_, '_>) -> Result<usize, ProblemKind> {
    match call.int_or("blocksize", 0)? {
        block @ 1..=65_536 => Ok(block as usize),
        block => wrong(format!("a block size of {block}")),
    }
}

fn scaled_dim(call: &Call<'_, '_>, dim: Dim, by: usize) -> Dim {
    match dim {
        Dim::Known(size) => Dim::Known(size.saturating_mul(by)),
        Dim::Symbol(_) if by == 1 => dim,
        Dim::Symbol(_) => call.open_dim(),
    }
}

/// Axes without sign, each named once.
pub(crate) fn resolved(
    call: &Call<'_, '_>,
    axes: &[i64],
    rank: usize,
) -> Result<Vec<usize>, ProblemKind> {
    if axes.len() > rank {
        return wrong("there are more axes than dimensions");
    }
    let mut found = Vec::new();
    for &axis in axes {
        let axis = call.axis(axis, rank)?;
        if found.contains(&axis) {
            return wrong(format!("axis {axis} is named twice"));
        }
        found.push(axis);
    }
    Ok(found)
}

/// The order of dimensions that a list of axes gives.
fn permutation(perm: &[i64], rank: usize) -> Result<Vec<usize>, ProblemKind> {
    let mut seen = vec![false; rank];
    let mut order = Vec::new();
    for &axis in perm {
        let axis = usize::try_from(axis).unwrap_or(usize::MAX);
        match seen.get_mut(axis) {
            Some(seen) if !*seen => *seen = true,
            _ => return wrong(format!("{perm:?} is not an order of {rank} dimensions")),
        }
        order.push(axis);
    }
    if order.len() != rank {
        return wrong(format!("{perm:?} is not an order of {rank} dimensions"));
    }
    Ok(order)
}

/// Sizes as dimensions; of one that follows from others, a dimension of which nothing is known.
pub(crate) fn dims(call: &Call<'_, '_>, sizes: &[Size]) -> Result<Vec<Dim>, ProblemKind> {
    let dim = |size: &Size| match size {
        Size::Number(number) => match usize::try_from(*number) {
            Ok(size) => Ok(Dim::Known(size)),
            Err(_) => wrong(format!("{number} is not a size")),
        },
        Size::Dim(dim) => Ok(*dim),
        Size::Open => Ok(call.open_dim()),
    };
    sizes.iter().map(dim).collect()
}

fn reshape<'g>(call: &Call<'_, 'g>) -> Imported<'g> {
    let x = call.tensor(0)?;
    let own = x.shape();
    let keep_zero = call.flag("allowzero", false)?;
    let mut to = call.known_sizes(1)?;
    let open = to.iter().filter(|&&size| matches!(size, Size::Number(-1))).count();
    if open > 1 {
        return wrong("more than one size is -1");
    }
    for (axis, size) in to.iter_mut().enumerate() {
        match *size {
            Size::Number(0) if !keep_zero => match own.get(axis) {
                Some(&dim) => *size = dim.into(),
                None => return wrong(format!("there is no dimension {axis} to take over")),
            },
            Size::Number(-1) => *size = Size::Open,
            _ => {}
        }
    }
    // The one that is open, where all others are numbers.
    let rest: Option<Vec<usize>> = to
        .iter()
        .filter(|size| **size != Size::Open)
        .map(|size| match size {
            Size::Number(number) => usize::try_from(*number).ok(),
            _ => None,
        })
        .collect();
    let whole: Option<Vec<usize>> = own.iter().map(|dim| dim.known()).collect();
    if let (1, Some(rest), Some(whole)) = (open, rest, whole)
        && let (Some(rest), Some(whole)) =
            (abeyance_ir::element_count(&rest), abeyance_ir::element_count(&whole))
    {
        if rest == 0 || whole % rest != 0 {
            return wrong(format!("{whole} elements do not fill the sizes that are given"));
        }
        for size in &mut to {
            if *size == Size::Open {
                *size = Size::Number((whole / rest) as i64);
            }
        }
    }
    one(reshaped(x, dims(call, &to)?))
}
