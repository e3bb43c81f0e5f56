//! Checks of a node before it is appended: operands, attributes, sizes, and the operator's shape
//! rule.

use petgraph::graph::{DiGraph, NodeIndex};
use smallvec::SmallVec;

use crate::input::is_input;
use crate::{
    Attribute, Attributes, Dim, Effect, Fault, Inference, OperandSpec, OperatorRef, Signature,
    Symbols, TensorType, Type, element_count, known_dims, shorten,
};

use super::{Edge, Graph, Node, NodeId, Role};

impl Graph {
    /// The type of the result of a node that is appended next, by its operator's shape rule.
    ///
    /// # Errors
    /// The fault; none where an operand is invalid, whose fault has been reported.
    pub(super) fn infer(
        &mut self,
        id: NodeId,
        operator: &OperatorRef,
        operands: &[NodeId],
        attributes: &Attributes,
    ) -> Result<Type, Option<Fault>> {
        let signature = *operator.signature();
        let types = operand_types(&self.nodes, &signature, operands)?;
        if signature.effect != Effect::Order && !signature.takes_tuple {
            check_operands(&signature, &types)?;
        }
        check_attributes(&signature, attributes, &self.symbols)?;
        self.check_place(operator)?;
        for body in attributes.bodies() {
            body.check(self)?;
        }
        if let (Effect::Write, Some(&target)) = (signature.effect, operands.first()) {
            check_variable(self.node(target))?;
        }
        // What a rule found out about dimensions before it objected is not true: without this, one
        // mistake would bring about others.
        let mark = self.symbols.begin_trial(id);
        let mut cx = Inference::building(types, attributes, &mut self.symbols);
        let inferred = operator.infer(&mut cx);
        let crossing = cx.crossing;
        drop(cx);
        self.symbols.set_cause(None);
        let inferred = inferred.and_then(|ty| {
            for tensor in ty.items() {
                check_size(&self.resolve(&tensor.shape), tensor.dtype.size())?;
            }
            Ok(ty)
        });
        if inferred.is_ok() && crossing && self.context.role == Role::Forward {
            self.crossings.push(id);
        }
        inferred.map_err(|fault| {
            self.symbols.roll_back(mark);
            Some(fault)
        })
    }

    /// Checks that an operator can stand in this graph: a body has no effects, a program no inputs.
    fn check_place(&self, operator: &OperatorRef) -> Result<(), Fault> {
        let effect = operator.signature().effect;
        match (self.depth, is_input(operator)) {
            (0, true) => Err(Fault::new("an input stands in a body only")
                .help("what is given to a program is a placeholder")),
            (0, false) | (_, true) => Ok(()),
            _ if matches!(effect, Effect::Read | Effect::Write | Effect::Feed) => {
                Err(Fault::new(format!(
                    "stands in the body `{}`, which may compute but not have effects",
                    self.name
                ))
                .help("make it outside, where the body can use it, or let the body give the new value and assign that outside"))
            }
            _ => Ok(()),
        }
    }
}

/// The types of the values that an operator gets from its operands: the items of a tuple if it
/// takes one.
///
/// # Errors
/// An operand without one value; no fault where an operand is invalid.
fn operand_types<'g>(
    nodes: &'g DiGraph<Node, Edge, u32>,
    signature: &Signature,
    operands: &[NodeId],
) -> Result<SmallVec<[&'g TensorType; 4]>, Option<Fault>> {
    let mut types: SmallVec<[&TensorType; 4]> = SmallVec::new();
    for &operand in operands {
        let node = &nodes[NodeIndex::from(operand)];
        match &node.ty {
            Type::Tensor(tensor) => types.push(tensor),
            Type::Invalid => return Err(None),
            Type::Tuple(items) if signature.takes_tuple && operands.len() == 1 => {
                types.extend(items);
            }
            Type::Tuple(_) if signature.effect == Effect::Order => {}
            Type::Tuple(items) => {
                return Err(Some(
                    Fault::new(format!(
                        "`{}` has {} results",
                        shorten::name(&node.name),
                        items.len()
                    ))
                    .help("take one of them with `item`"),
                ));
            }
            // A group depends on operations without taking a value from them.
            Type::Operation if signature.effect == Effect::Order => {}
            Type::Operation => {
                return Err(Some(Fault::new(format!(
                    "`{}` is an operation and has no value",
                    shorten::name(&node.name)
                ))));
            }
        }
    }
    Ok(types)
}

/// Checks that the first operand of a write is a variable.
fn check_variable(target: &Node) -> Result<(), Fault> {
    if target.operator.signature().effect == Effect::Read {
        return Ok(());
    }
    let name = shorten::name(&target.name);
    Err(Fault::new(format!("`{name}` is not a variable"))
        .help("only variables can be assigned to; make one with `g.variable(name, initial)`"))
}

/// Checks number and element types of the operands.
fn check_operands(signature: &Signature, types: &[&TensorType]) -> Result<(), Fault> {
    if !signature.accepts(types.len()) {
        return Err(Fault::new(format!(
            "takes {} operand{}{}, not {}",
            signature.operands.len(),
            if signature.operands.len() == 1 { "" } else { "s" },
            if signature.variadic { " or more" } else { "" },
            types.len()
        )));
    }
    for (index, ty) in types.iter().enumerate() {
        let Some(spec) = signature.operand(index) else {
            continue;
        };
        if !spec.dtypes.contains(ty.dtype) {
            return Err(Fault::new(format!(
                "operand `{}` is {}, which is not one of {}",
                spec.name, ty.dtype, spec.dtypes
            )));
        }
        if spec.group == OperandSpec::APART {
            continue;
        }
        let first = (0..index)
            .find(|&other| signature.operand(other).is_some_and(|other| other.group == spec.group));
        if let Some(first) = first.and_then(|first| types.get(first))
            && first.dtype != ty.dtype
        {
            return Err(Fault::new(format!(
                "operand `{}` is {} where another is {}",
                spec.name, ty.dtype, first.dtype
            ))
            .help("convert one of them with `cast`"));
        }
    }
    Ok(())
}

/// Checks number, kinds and dimensions of the attributes.
fn check_attributes(
    signature: &Signature,
    attributes: &Attributes,
    symbols: &Symbols,
) -> Result<(), Fault> {
    if attributes.len() != signature.attributes.len() {
        return Err(Fault::new(format!(
            "takes {} attributes, not {}",
            signature.attributes.len(),
            attributes.len()
        )));
    }
    for (spec, value) in signature.attributes.iter().zip(attributes.iter()) {
        if spec.kind != value.kind() {
            return Err(Fault::new(format!(
                "attribute `{}` is a {:?}, not a {:?}",
                spec.name,
                value.kind(),
                spec.kind
            )));
        }
        if let Attribute::Shape(shape) = value {
            if let Some(axis) = shape.iter().position(|&dim| !symbols.owns(dim)) {
                return Err(Fault::new(format!(
                    "dimension {axis} of the shape {} is an unknown size of another graph",
                    symbols.display(shape)
                ))
                .help("take it from a tensor of this graph: `dims![x.dim(0), 10]`"));
            }
            check_size(shape, 1)?;
        }
    }
    Ok(())
}

/// The most dimensions a tensor may have.
pub(crate) const MAX_RANK: usize = 32;

/// Checks that a tensor fits memory, as far as its sizes are known. `element` is in bytes.
fn check_size(shape: &[Dim], element: usize) -> Result<(), Fault> {
    if shape.len() > MAX_RANK {
        return Err(Fault::new(format!(
            "a tensor of {} dimensions is more than the {MAX_RANK} there may be",
            shape.len()
        )));
    }
    let Some(mut dims) = known_dims(shape) else {
        return Ok(());
    };
    dims.push(element);
    match element_count(&dims) {
        Some(_) => Ok(()),
        None => Err(Fault::new(format!(
            "a tensor of {} elements is larger than any memory",
            dims[..shape.len()].iter().map(|dim| dim.to_string()).collect::<Vec<_>>().join(" x ")
        ))),
    }
}
