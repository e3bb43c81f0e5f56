//! The splits of all values of a graph, when work is split along one of its unknown dimensions.
//!
//! A walk asks each operator, in topological order, for the split of its result, from the splits of
//! its operands that were found before.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use crate::split::NoBodies;
use crate::{
    Array, Attribute, Attributes, Body, Concrete, DType, Diagnostic, Dim, Effect, Extent, Fault,
    Graph, ItemAttributes, Lowered, Lowering, Node, NodeId, Note, Shape, Split, Splitting,
    SymbolId, Symbols, TensorType, Type, known_dims, shorten,
};

/// The most visits of a walk besides one for each node of the graph. Bodies are visited once for
/// each node that runs them, and those of loops again where a carried value turns out to be mixed.
/// Nested ones multiply, which a hostile file could make use of.
const MOST_VISITS: u64 = 1 << 20;

/// The splits of the values of a graph, when work is split along an unknown dimension.
pub struct Splits {
    /// By node, and by array of its value. Nodes that no target depends on have none.
    values: Vec<SmallVec<[Split; 1]>>,
    /// By node whose rows are mixed, the node at which they met first.
    culprits: HashMap<NodeId, NodeId>,
    /// By node at which rows met, the reason.
    meetings: HashMap<NodeId, Meeting>,
}

/// The reason why rows meet at a node whose operands keep them apart.
struct Meeting {
    why: &'static str,
    /// The node of a body of it at which they meet.
    inner: Option<Note>,
}

/// The answer for one node.
struct Visit {
    /// The split of each array of its value.
    items: SmallVec<[Split; 1]>,
    /// The reason why its rows meet, if it is at this node that they do.
    meeting: Option<Meeting>,
}

impl Visit {
    /// The answer that all arrays of a value lie so.
    fn all(types: &[TensorType], split: Split) -> Self {
        Self { items: SmallVec::from_elem(split, types.len()), meeting: None }
    }

    /// The answer that rows meet at the node.
    fn meets(types: &[TensorType], why: &'static str) -> Self {
        let meeting = Some(Meeting { why, inner: None });
        Self { meeting, ..Self::all(types, Split::Mixed) }
    }
}

const OPERATOR: &str = "the rows of a batch meet in it";
const RANDOM: &str = "it draws numbers, and which ones a row gets depends on the rows before it";
const WRITE: &str = "it changes a variable";
const FED: &str = "it is not fed";
const SIZE: &str = "it depends on a size that depends on the whole batch";
const ENDLESS: &str = "it has too many bodies in bodies to be looked through";

impl Graph {
    /// Finds the splits of `targets`, and of all that they depend on, when work is split along the
    /// unknown dimension `dim`. `given` has the nodes that are fed, and their splits. It recurses
    /// into bodies only.
    pub fn splits(
        &self,
        dim: SymbolId,
        targets: impl IntoIterator<Item = NodeId>,
        given: &[(NodeId, Split)],
    ) -> Splits {
        let left = Cell::new(MOST_VISITS + self.len() as u64);
        let dim = match self.symbols().resolve(Dim::Symbol(dim)) {
            Dim::Symbol(root) => root,
            Dim::Known(_) => dim,
        };
        let growing = HashMap::from([(dim, Extent::one())]);
        let sizes = RefCell::new(Sizes { growing, free: HashSet::new() });
        let given = given.iter().cloned().collect();
        let walk = Walk {
            graph: self,
            symbols: self.symbols(),
            given,
            sizes,
            left: &left,
            inner: RefCell::new(None),
        };
        walk.run(targets)
    }
}

impl Splits {
    /// The split of a node's value. None if it has no value or several, or if no target depends on
    /// it.
    pub fn of(&self, node: NodeId) -> Option<&Split> {
        match self.values.get(node.index())?.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The split of each array of a node's value. Empty if no target depends on the node.
    pub fn items(&self, node: NodeId) -> &[Split] {
        self.values.get(node.index()).map_or(&[], |items| items)
    }

    /// The mistake of a node whose rows are mixed, about the node at which they met first. None if
    /// they are not mixed.
    pub fn diagnose(&self, graph: &Graph, node: NodeId) -> Option<Diagnostic> {
        let culprit = *self.culprits.get(&node)?;
        let meeting = self.meetings.get(&culprit)?;
        let mut diagnostic = graph.diagnose(culprit, Fault::new(meeting.why));
        if let Some(inner) = &meeting.inner {
            diagnostic = diagnostic.note(inner.text.clone(), inner.location);
        }
        Some(diagnostic)
    }
}

/// The unknown sizes whose relation to the dimension is known. Others may depend on it in any way.
#[derive(Clone)]
struct Sizes {
    /// The sizes that grow with the dimension, and by how much with each row.
    growing: HashMap<SymbolId, Extent>,
    /// The sizes that have nothing to do with the dimension.
    free: HashSet<SymbolId>,
}

/// A walk over a graph, or over a body of one of its nodes.
pub(crate) struct Walk<'a> {
    graph: &'a Graph,
    /// The symbols of the outermost graph, which knows most about them.
    symbols: &'a Symbols,
    /// The splits of nodes that are fed.
    given: HashMap<NodeId, Split>,
    sizes: RefCell<Sizes>,
    /// The number of visits that are left.
    left: &'a Cell<u64>,
    /// The node at which rows met in the body that was looked at last.
    inner: RefCell<Option<Note>>,
}

impl<'a> Walk<'a> {
    pub(crate) fn graph(&self) -> &'a Graph {
        self.graph
    }

    fn resolve(&self, dim: Dim) -> Dim {
        self.symbols.resolve(self.graph.symbols().resolve(dim))
    }

    /// The amount by which a size grows with each row, if it does.
    pub(crate) fn each(&self, dim: Dim) -> Option<Extent> {
        match self.resolve(dim) {
            Dim::Symbol(id) => self.sizes.borrow().growing.get(&id).cloned(),
            Dim::Known(_) => None,
        }
    }

    /// The type with the simplest sizes known to be equal.
    fn resolved(&self, ty: &TensorType) -> TensorType {
        let shape: Shape = ty.shape.iter().map(|&dim| self.resolve(dim)).collect();
        TensorType { dtype: ty.dtype, shape }
    }

    fn run(&self, targets: impl IntoIterator<Item = NodeId>) -> Splits {
        let mut splits = Splits {
            values: vec![SmallVec::new(); self.graph.len()],
            culprits: HashMap::new(),
            meetings: HashMap::new(),
        };
        for (&node, split) in &self.given {
            if let Some(node) = self.graph.get(node) {
                node.ty.items().iter().for_each(|ty| self.learn(&self.resolved(ty), split));
            }
        }
        let needed = self.graph.ancestors(targets, |id| self.given.contains_key(&id));
        for id in needed.ones().map(NodeId::new) {
            let Visit { items, meeting } = self.visit(id, &splits);
            if items.contains(&Split::Mixed) {
                let operands = &self.graph.node(id).operands;
                let inherited = operands.iter().find_map(|operand| splits.culprits.get(operand));
                if let Some(culprit) = meeting.is_some().then_some(id).or(inherited.copied()) {
                    splits.culprits.insert(id, culprit);
                }
                splits.meetings.extend(meeting.map(|meeting| (id, meeting)));
            }
            splits.values[id.index()] = items;
        }
        splits
    }

    /// The split of a node's value, from those of the nodes before it.
    fn visit(&self, id: NodeId, before: &Splits) -> Visit {
        let node = self.graph.node(id);
        let types = node.ty.items();
        if let Some(split) = self.given.get(&id) {
            return Visit::all(types, split.clone());
        }
        if matches!(node.ty, Type::Operation | Type::Invalid) {
            return Visit::all(types, Split::Mixed);
        }
        if !self.spend(1 + node.operands.len() as u64) {
            return Visit::meets(types, ENDLESS);
        }
        if let Some(visit) = visit_effect(node, before) {
            return visit;
        }
        if node.operator.signature().takes_tuple {
            return Visit::all(types, item_split(node, before));
        }
        let of = |operand: &NodeId| before.of(*operand).cloned().unwrap_or(Split::Mixed);
        let operand_splits: SmallVec<[Split; 4]> = node.operands.iter().map(of).collect();
        let mentioned = self.mentioned(id, &node.attributes);
        if mentioned == Mentioned::Dependent {
            return Visit::meets(types, SIZE);
        }
        let is_whole = operand_splits.iter().all(|split| *split == Split::Whole);
        if is_whole && mentioned == Mentioned::Nothing {
            types.iter().for_each(|ty| self.learn(&self.resolved(ty), &Split::Whole));
            return Visit::all(types, Split::Whole);
        }
        let mut each =
            operand_splits.iter().filter_map(|split| split.rows()).map(|rows| &rows.each);
        let first = each.next().cloned().unwrap_or(Extent::one());
        if !each.all(|other| *other == first) {
            return Visit::meets(types, OPERATOR);
        }
        self.ask(node, operand_splits, first)
    }

    /// The split of a node's value according to its operator. Each row of an operand that is split
    /// has `each` elements along its axis.
    fn ask(&self, node: &Node, operand_splits: SmallVec<[Split; 4]>, each: Extent) -> Visit {
        let types = node.ty.items();
        let is_mixed = operand_splits.contains(&Split::Mixed);
        let has_bodies = node.attributes.bodies().next().is_some();
        let ty = |operand: &NodeId| {
            let ty = self.graph.node(*operand).ty.tensor();
            ty.map_or(TensorType::new(DType::F32, Shape::new()), |ty| self.resolved(ty))
        };
        let cx = Splitting {
            operands: node.operands.iter().map(ty).collect(),
            splits: operand_splits,
            nodes: node.operands.clone(),
            results: types.iter().map(|ty| self.resolved(ty)).collect(),
            attributes: &node.attributes,
            each,
            walk: self,
        };
        self.inner.replace(None);
        let splits = if !is_mixed || has_bodies {
            node.operator.splits(&cx)
        } else if node.operator.is_settled(&cx) {
            SmallVec::from_elem(cx.filled(), types.len())
        } else {
            return Visit::all(types, Split::Mixed);
        };
        if splits.len() != types.len() {
            return Visit::meets(types, OPERATOR);
        }
        let checked = splits.into_iter().zip(&cx.results);
        let checked: SmallVec<[Split; 1]> =
            checked.map(|(split, ty)| self.checked(split, ty)).collect();
        let meeting = Meeting { why: OPERATOR, inner: self.inner.take() };
        let meets = checked.contains(&Split::Mixed) && (!is_mixed || meeting.inner.is_some());
        Visit { items: checked, meeting: meets.then_some(meeting) }
    }

    /// The operator's answer, or mixed if the sizes of the result contradict it.
    fn checked(&self, split: Split, ty: &TensorType) -> Split {
        let rows = match &split {
            Split::Mixed => return Split::Mixed,
            Split::Whole => None,
            Split::Along(rows) => Some(rows),
        };
        for (axis, &dim) in ty.shape.iter().enumerate() {
            let each = self.each(dim);
            let is_free = match dim {
                Dim::Known(_) => true,
                Dim::Symbol(id) => self.sizes.borrow().free.contains(&id),
            };
            let fits = match rows {
                Some(rows) if rows.axis == axis => match each {
                    Some(each) => each == rows.each,
                    None => !is_free,
                },
                _ => each.is_none(),
            };
            if !fits {
                return Split::Mixed;
            }
        }
        if rows.is_some_and(|rows| rows.axis >= ty.shape.len()) {
            return Split::Mixed;
        }
        self.learn(ty, &split);
        split
    }

    /// Notes the relation of the sizes in a value's shape to the dimension, from how the value
    /// lies.
    fn learn(&self, ty: &TensorType, split: &Split) {
        let mut sizes = self.sizes.borrow_mut();
        for (axis, &dim) in ty.shape.iter().enumerate() {
            let Dim::Symbol(id) = dim else { continue };
            match split {
                Split::Along(rows) if rows.axis == axis => {
                    sizes.growing.entry(id).or_insert_with(|| rows.each.clone());
                }
                Split::Along(_) | Split::Whole if !sizes.growing.contains_key(&id) => {
                    sizes.free.insert(id);
                }
                _ => {}
            }
        }
    }

    /// The relation to the dimension of the shapes among a node's attributes, and in its bodies.
    fn mentioned(&self, id: NodeId, attributes: &Attributes) -> Mentioned {
        let mut most = Mentioned::Nothing;
        for attribute in attributes.iter() {
            let shape = match attribute {
                Attribute::Shape(shape) => shape,
                // Each node of it is looked at by itself.
                Attribute::Body(_) => {
                    most = most.max(Mentioned::Dimension);
                    continue;
                }
                _ => continue,
            };
            for &dim in shape {
                let Dim::Symbol(root) = self.resolve(dim) else { continue };
                let sizes = self.sizes.borrow();
                let origin = self.graph.symbols().origin(root);
                most = most.max(match () {
                    () if sizes.growing.contains_key(&root) => Mentioned::Dimension,
                    () if sizes.free.contains(&root) => Mentioned::Nothing,
                    // A size that the node works out itself.
                    () if origin.is_some_and(|origin| origin.node == id) => Mentioned::Nothing,
                    () => Mentioned::Dependent,
                });
            }
        }
        most
    }

    /// The value of a node that is a constant scalar, or that could be fed, is not, and has a
    /// constant scalar by default.
    pub(crate) fn constant(&self, id: NodeId) -> Option<Array> {
        let mut at = id;
        let node: &Node = loop {
            let node = self.graph.get(at)?;
            match (node.operator.signature().effect, node.operands.as_slice()) {
                _ if self.given.contains_key(&at) => return None,
                (Effect::Feed, &[default]) => at = default,
                (Effect::None, []) => break node,
                _ => return None,
            }
        };
        let ty = node.ty.tensor()?;
        let dims = known_dims(&ty.shape).filter(|dims| dims.is_empty())?;
        let result = Concrete::new(ty.dtype, &dims);
        let lowered = node.operator.lower(&Lowering {
            operands: &[],
            result,
            results: &[result],
            attributes: &node.attributes,
            name: &node.name,
            seed: 0,
            bodies: &NoBodies,
        });
        match lowered.ok()? {
            Lowered::Constant(bytes) => Some(Array { dtype: ty.dtype, dims, bytes }),
            Lowered::Alias(_) | Lowered::Kernel(_) => None,
        }
    }

    /// The splits of a body's outputs, from those of its inputs.
    pub(crate) fn body(&self, body: &Body, inputs: &[Split]) -> Vec<Split> {
        let sizes = self.sizes.borrow().clone();
        let graph = body.graph();
        if !self.spend((sizes.growing.len() + sizes.free.len() + graph.len()) as u64) {
            return vec![Split::Mixed; body.outputs().len()];
        }
        let walk = Walk {
            graph,
            symbols: self.symbols,
            given: body.inputs().iter().copied().zip(inputs.iter().cloned()).collect(),
            sizes: RefCell::new(sizes),
            left: self.left,
            inner: RefCell::new(None),
        };
        let splits = walk.run(body.outputs().iter().copied());
        let of = |output: &NodeId| splits.of(*output).cloned().unwrap_or(Split::Mixed);
        let mixed = body.outputs().iter().find_map(|output| splits.culprits.get(output));
        if let Some(&culprit) = mixed {
            let meeting = splits.meetings.get(&culprit);
            let deeper = meeting.and_then(|meeting| meeting.inner.clone());
            let own = || Note {
                text: format!(
                    "in `{}`: {}",
                    shorten::name(graph.name()),
                    graph.print_call(culprit)
                ),
                location: graph.node(culprit).location,
            };
            self.inner.replace(Some(deeper.unwrap_or_else(own)));
        }
        body.outputs().iter().map(of).collect()
    }

    /// Takes some visits from those that are left. False if fewer are left.
    fn spend(&self, visits: u64) -> bool {
        let left = self.left.get().checked_sub(visits);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// The answer for a node with an effect, which its operator is not asked for.
fn visit_effect(node: &Node, before: &Splits) -> Option<Visit> {
    let types = node.ty.items();
    Some(match node.operator.signature().effect {
        Effect::Read => Visit::all(types, Split::Whole),
        Effect::Write => Visit::meets(types, WRITE),
        Effect::Feed => match node.operands.first() {
            Some(default) => Visit { items: before.items(*default).into(), meeting: None },
            None => Visit::meets(types, FED),
        },
        Effect::Random => Visit::meets(types, RANDOM),
        Effect::None | Effect::Order => return None,
    })
}

/// The split of the item that a node takes from the tuple that is its operand.
fn item_split(node: &Node, before: &Splits) -> Split {
    let tuple = node.operands.first().map_or(&[][..], |&tuple| before.items(tuple));
    let ItemAttributes { index } = node.attributes.read();
    let index = usize::try_from(index).ok();
    index.and_then(|index| tuple.get(index)).cloned().unwrap_or(Split::Mixed)
}

/// The relation of a node's attributes to the dimension, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mentioned {
    /// No size that has to do with the dimension.
    Nothing,
    /// The dimension, or sizes that grow with it.
    Dimension,
    /// A size that may depend on it in any way.
    Dependent,
}
