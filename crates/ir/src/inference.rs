//! Shape inference: the view of a node's operands and attributes that a shape rule gets, while the
//! graph is built and again when feeds give all sizes.

use smallvec::SmallVec;

use crate::{
    AttributeSet, Attributes, DType, Dim, Fault, Naming, Shape, SymbolId, Symbols, TensorType, Type,
};

/// The sizes that feeds have given to symbols.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    /// By index of a symbol that is the oldest of those equal to it.
    values: Vec<Option<usize>>,
}

impl Bindings {
    /// No sizes yet, for a graph with these symbols.
    pub fn new(symbols: &Symbols) -> Self {
        Self { values: vec![None; symbols.len()] }
    }

    /// The simplest equal dimension: its size, or the oldest equal symbol if that is not bound.
    pub fn resolve(&self, symbols: &Symbols, dim: Dim) -> Dim {
        match symbols.resolve(dim) {
            Dim::Symbol(id) => match self.values.get(id.index()) {
                Some(&Some(size)) => Dim::Known(size),
                _ => Dim::Symbol(id),
            },
            known => known,
        }
    }

    /// Binds the symbols of a body whose sizes are known outside of it, where they have the same
    /// ids.
    pub fn adopt(&mut self, symbols: &Symbols, outer: &Bindings, outer_symbols: &Symbols) {
        for index in 0..symbols.len().min(outer_symbols.len()) {
            let dim = Dim::Symbol(symbols.id(index as u32));
            if let Dim::Known(size) = outer.resolve(outer_symbols, dim) {
                // A symbol that has another size already got it in the body.
                let _ = self.bind(symbols, dim, size);
            }
        }
    }

    /// Binds a dimension to a size.
    ///
    /// # Errors
    /// Another size that it has already.
    pub fn bind(&mut self, symbols: &Symbols, dim: Dim, size: usize) -> Result<(), usize> {
        match self.resolve(symbols, dim) {
            Dim::Known(before) if before == size => Ok(()),
            Dim::Known(before) => Err(before),
            Dim::Symbol(id) => {
                if let Some(slot) = self.values.get_mut(id.index()) {
                    *slot = Some(size);
                }
                Ok(())
            }
        }
    }
}

/// The tables by which dimensions are resolved and made equal.
pub(crate) enum Solver<'a> {
    /// The symbols of a graph that is built: unknown dimensions become equal.
    Building(&'a mut Symbols),
    /// The symbols and sizes of a plan that is made: all dimensions are numbers.
    Planning(&'a Symbols, &'a Bindings),
}

/// The operands' types and attributes, for a shape rule.
pub struct Inference<'a> {
    /// The types of the operands. A node may have very many, so they are references.
    pub(crate) operands: SmallVec<[&'a TensorType; 4]>,
    pub(crate) attributes: &'a Attributes,
    pub(crate) solver: Solver<'a>,
    /// True if two operands broadcast to each other along unknown dimensions: see [`crossed`].
    pub(crate) crossing: bool,
}

impl<'a> Inference<'a> {
    /// An inference while the graph is built.
    pub(crate) fn building(
        operands: SmallVec<[&'a TensorType; 4]>,
        attributes: &'a Attributes,
        symbols: &'a mut Symbols,
    ) -> Self {
        Self { operands, attributes, solver: Solver::Building(symbols), crossing: false }
    }

    /// An inference over known sizes, for a plan.
    pub fn planning(
        operands: &'a [TensorType],
        attributes: &'a Attributes,
        symbols: &'a Symbols,
        bindings: &'a Bindings,
    ) -> Self {
        let operands = operands.iter().collect();
        Self { operands, attributes, solver: Solver::Planning(symbols, bindings), crossing: false }
    }

    /// The number of operands.
    pub fn operands(&self) -> usize {
        self.operands.len()
    }

    /// The element type of an operand.
    pub fn dtype(&self, operand: usize) -> DType {
        self.operands[operand].dtype
    }

    /// The shape of an operand, its dimensions as far as they are known by now.
    pub fn shape(&self, operand: usize) -> Shape {
        self.operands[operand].shape.iter().map(|&dim| self.resolve(dim)).collect()
    }

    /// The type of an operand, its dimensions as far as they are known by now.
    pub fn operand(&self, operand: usize) -> TensorType {
        TensorType::new(self.dtype(operand), self.shape(operand))
    }

    /// True if only a body knows the size of a dimension.
    pub fn is_inner(&self, dim: Dim) -> bool {
        match (&self.solver, self.resolve(dim)) {
            (Solver::Building(symbols), Dim::Symbol(id)) => symbols.origin(id).is_none(),
            _ => false,
        }
    }

    /// The type as it prints.
    pub fn display_type(&self, ty: &TensorType) -> String {
        format!("{}{}", ty.dtype, self.display(&ty.shape))
    }

    /// The rank of an operand.
    pub fn rank(&self, operand: usize) -> usize {
        self.operands[operand].shape.len()
    }

    /// The attributes, dimensions of shapes among them as far as they are known by now.
    pub fn attributes<A: AttributeSet>(&self) -> A {
        self.attributes.read_resolved(&|dim| self.resolve(dim))
    }

    /// The simplest equal dimension.
    pub fn resolve(&self, dim: Dim) -> Dim {
        match &self.solver {
            Solver::Building(symbols) => symbols.resolve(dim),
            Solver::Planning(symbols, bindings) => bindings.resolve(symbols, dim),
        }
    }

    /// Makes two dimensions equal, and gives the simplest of them. None if they are two different
    /// numbers.
    pub fn unify(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        match &mut self.solver {
            Solver::Building(symbols) => symbols.unify(a, b),
            Solver::Planning(symbols, bindings) => {
                let (a, b) = (bindings.resolve(symbols, a), bindings.resolve(symbols, b));
                match (a, b) {
                    (Dim::Known(x), Dim::Known(y)) => (x == y).then_some(a),
                    (Dim::Known(_), _) => Some(a),
                    _ => Some(b),
                }
            }
        }
    }

    /// A dimension whose size is found only when the graph runs.
    pub fn derived(&mut self) -> Dim {
        match &mut self.solver {
            Solver::Building(symbols) => Dim::Symbol(symbols.fresh(Naming::Derived)),
            Solver::Planning(..) => Dim::Symbol(SymbolId::UNDETERMINED),
        }
    }

    /// The shape as it prints.
    pub fn display(&self, shape: &[Dim]) -> String {
        match &self.solver {
            Solver::Building(symbols) => symbols.display(shape).to_string(),
            Solver::Planning(symbols, bindings) => {
                let shape: Shape =
                    shape.iter().map(|&dim| bindings.resolve(symbols, dim)).collect();
                symbols.display(&shape).to_string()
            }
        }
    }

    /// NumPy's broadcasting of two shapes: aligned at the end, a size of 1 stretches. Two unknown
    /// dimensions that meet are equal from then on; an unknown one never stretches.
    ///
    /// # Errors
    /// Two sizes that differ and are not 1.
    pub fn broadcast(&mut self, a: &[Dim], b: &[Dim]) -> Result<Shape, Fault> {
        let rank = a.len().max(b.len());
        let aligned = |cx: &Self, axis: usize| {
            let at = |dims: &[Dim]| match (axis + dims.len()).checked_sub(rank) {
                Some(index) => cx.resolve(dims[index]),
                None => Dim::Known(1),
            };
            (at(a), at(b))
        };
        let one = Dim::Known(1);
        let differ = |cx: &Self, axis: usize, x: Dim, y: Dim| {
            Fault::new(format!(
                "the shapes {} and {} do not broadcast: {} against {} in dimension {axis} of the result",
                cx.display(a),
                cx.display(b),
                cx.display(&[x]).trim_matches(['[', ']']),
                cx.display(&[y]).trim_matches(['[', ']']),
            ))
            .help("sizes are aligned at the last dimension and must be equal or 1")
        };
        // Before anything is made equal, so that the message shows the shapes as they were.
        for axis in 0..rank {
            let (x, y) = aligned(self, axis);
            if are_unlike(x, y) && x != one && y != one {
                return Err(differ(self, axis, x, y));
            }
        }
        self.crossing |= crossed(|dim| self.resolve(dim), a, b).is_some();
        let mut shape = Shape::new();
        for axis in 0..rank {
            let (x, y) = aligned(self, axis);
            shape.push(match (x == one, y == one) {
                (true, _) => y,
                (_, true) => x,
                _ => self.unify(x, y).ok_or_else(|| differ(self, axis, x, y))?,
            });
        }
        Ok(shape)
    }

    /// Makes two shapes equal.
    ///
    /// # Errors
    /// Different ranks or sizes.
    pub fn same_shape(&mut self, a: &[Dim], b: &[Dim]) -> Result<Shape, Fault> {
        // Sizes that differ are found before any are made equal, so that the message shows the
        // shapes as they were.
        let differ = a.len() != b.len()
            || a.iter().zip(b).any(|(&x, &y)| are_unlike(self.resolve(x), self.resolve(y)));
        let unified = (!differ)
            .then(|| a.iter().zip(b).map(|(&x, &y)| self.unify(x, y)).collect::<Option<Shape>>())
            .flatten();
        unified.ok_or_else(|| {
            Fault::new(format!("the shapes {} and {} differ", self.display(a), self.display(b)))
        })
    }

    /// The dimension that `axis` means in a tensor of `rank` dimensions, negative axes counted from
    /// the end.
    ///
    /// # Errors
    /// An axis outside `-rank..rank`.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, Fault> {
        resolve_axis(axis, rank)
    }

    /// The type of a tensor, as the result of a shape rule.
    pub fn tensor(&self, dtype: DType, shape: Shape) -> Result<Type, Fault> {
        Ok(Type::Tensor(TensorType { dtype, shape }))
    }
}

/// The two unknown dimensions by which two tensors broadcast to each other, as `[N2]` and `[N, 1]`
/// do: one of the tensor with fewer dimensions, against a 1 of the other, and one of the other, in
/// front of all of its. Nothing but the lack of a dimension asks for this outer product. None where
/// both have as many dimensions: every 1 was then written down.
pub(crate) fn crossed(resolve: impl Fn(Dim) -> Dim, a: &[Dim], b: &[Dim]) -> Option<[Dim; 2]> {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let (front, behind) = long.split_at_checked(long.len() - short.len())?;
    let is_open = |dim: &Dim| dim.known().is_none();
    let front = front.iter().map(|&dim| resolve(dim)).find(is_open)?;
    let mut pairs = short.iter().zip(behind).map(|(&dim, &other)| (resolve(dim), resolve(other)));
    let (met, _) = pairs.find(|(dim, other)| is_open(dim) && *other == Dim::Known(1))?;
    (front != met).then_some([front, met])
}

/// True if they are two numbers that differ.
fn are_unlike(x: Dim, y: Dim) -> bool {
    matches!((x, y), (Dim::Known(x), Dim::Known(y)) if x != y)
}

/// The dimension that `axis` means in a tensor of `rank` dimensions, negative axes counted from the
/// end.
///
/// # Errors
/// An axis outside `-rank..rank`.
pub fn resolve_axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let size = rank as i64;
    if (-size..size).contains(&axis) {
        Ok(axis.rem_euclid(size) as usize)
    } else if rank == 0 {
        Err(Fault::new(format!("axis {axis} is out of range: a scalar has no dimensions")))
    } else {
        Err(Fault::new(format!(
            "axis {axis} is out of range: a tensor with {rank} dimensions has axes {} to {}",
            -size,
            size - 1
        )))
    }
}
