//! Reading a line that defines a node.

use smallvec::SmallVec;

use super::cursor::{Cursor, Read, advise, mistake};
use super::parser::{Parser, Section, WaitingBody};
use super::value::{read_attribute, read_type};
use crate::declare::Declared;
use crate::graph::is_name;
use crate::{
    Attribute, AttributeKind, AttributeSpec, Attributes, Diagnostic, Input, NodeId, Operands,
    Operator, OperatorRef, Role, Signature, TensorType,
};

impl<'t> Parser<'t> {
    /// Reads `NAME = OPERATOR(OPERANDS) ATTRIBUTES : TYPE  of FORWARD  after=[CONTROLS]` and makes
    /// the node.
    pub(super) fn read_node(
        &mut self,
        section: Section,
        mut cursor: Cursor<'t>,
        tail: Option<Cursor<'t>>,
    ) -> Read<()> {
        let name = cursor.name("a node's name")?;
        cursor.expect(b'=', "the node's name")?;
        if let Some(other) = self.graph.find(&name) {
            let other = (self.graph.describe(other), self.graph.node(other).location);
            return Err(Box::new(
                mistake(format!("the name `{}` is taken", crate::shorten::word(&name)))
                    .node(name)
                    .note(other.0, other.1),
            ));
        }
        if !is_name(&name) {
            self.give_up(&name);
            return Err(advise(
                format!("`{}` is not a name for a node", crate::shorten::word(&name)),
                "names are letters, digits, `_`, `.` and `/`, and begin with a letter, a digit or `_`",
            ));
        }
        match self.read_definition(section, &name, cursor, tail) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.give_up(&name);
                Ok(())
            }
            Err(diagnostic) => {
                self.give_up(&name);
                Err(Box::new(diagnostic.node(name)))
            }
        }
    }

    /// Reads everything behind `NAME =`, and makes the node. False where it cannot be made for
    /// reasons that have been reported.
    fn read_definition(
        &mut self,
        section: Section,
        name: &str,
        mut cursor: Cursor<'t>,
        tail: Option<Cursor<'t>>,
    ) -> Read<bool> {
        let operator = self.read_operator(&mut cursor)?;
        let operands = match cursor.peek() {
            Some(b'(') => self.read_references(&mut cursor, [b'(', b')'])?,
            _ => Some(Operands::new()),
        };
        // Before the attributes: arrays are written without their own type where the node's says
        // it.
        let tail = match tail {
            Some(tail) => self.read_tail(section, tail)?,
            None => return Err(no_type(cursor)),
        };
        let Some(tail) = tail else {
            return Ok(false);
        };
        let result = tail.ty.tensor();
        let bodies = self.take_bodies(operator.signature())?;
        let attributes = self.read_attributes(cursor, operator.signature(), result, &bodies)?;
        let (Some(operands), Some(attributes)) = (operands, attributes) else {
            return Ok(false);
        };
        self.graph.declare(name, operator, &operands, attributes, tail);
        Ok(true)
    }

    fn read_operator(&mut self, cursor: &mut Cursor<'t>) -> Read<OperatorRef> {
        let name = cursor.name("an operator")?;
        if let Some(operator) = self.registry.get(&name) {
            return Ok(operator.clone());
        }
        if name == Input.signature().name {
            return Ok((&Input).into());
        }
        let known = self.registry.iter();
        let nearest = crate::nearest(&name, known.map(|operator| operator.signature().name));
        let message = format!("there is no operator `{}`", crate::shorten::word(&name));
        if name.starts_with("closure/") {
            return Err(advise(
                message,
                "it was made from a closure, whose code no text holds: register an operator of that name with the registry that the text is read with",
            ));
        }
        Err(match nearest {
            Some(nearest) => advise(message, format!("did you mean `{nearest}`?")),
            None => mistake(message),
        })
    }

    /// Reads names of nodes in brackets. None if one of them is missing, which has been reported.
    fn read_references<N>(&mut self, cursor: &mut Cursor<'t>, brackets: [u8; 2]) -> Read<Option<N>>
    where
        N: Default + Extend<NodeId>,
    {
        let (mut found, mut is_complete) = (N::default(), true);
        cursor.list(brackets, "`=`", |cursor| {
            let name = cursor.name("the name of a node")?;
            match self.find(&name) {
                Some(id) => found.extend([id]),
                None => is_complete = false,
            }
            Ok(())
        })?;
        Ok(is_complete.then_some(found))
    }

    /// Reads the part behind the colon: type, forward node, controls. None if a node that is
    /// mentioned is missing, which has been reported.
    fn read_tail(&mut self, section: Section, mut cursor: Cursor<'t>) -> Read<Option<Declared>> {
        let ty = read_type(&mut cursor, &mut self.graph)?;
        let (mut of, mut controls) = (None, None);
        loop {
            let mut ahead = cursor;
            match ahead.word() {
                Some("of") if of.is_none() => {
                    let name = ahead.name("the name of the forward node")?;
                    of = Some(self.find(&name));
                }
                Some("after") if controls.is_none() => {
                    ahead.expect(b'=', "`after`")?;
                    controls = Some(self.read_references(&mut ahead, [b'[', b']'])?);
                }
                _ => break,
            }
            cursor = ahead;
        }
        cursor.finish()?;
        let role = match (section, of) {
            (Section::Forward, None) => Role::Forward,
            (Section::Update, None) => Role::Update,
            (Section::Backward, Some(Some(of))) => Role::Backward { of },
            (_, Some(None)) => return Ok(None),
            (Section::Backward, None) => {
                return Err(advise(
                    "a node of the backward part without its forward node",
                    "write `of` and the node whose derivative it is for behind the type",
                ));
            }
            (_, Some(_)) => {
                return Err(advise(
                    "`of` outside of the backward part",
                    "only nodes in `backward { .. }` are derived from another",
                ));
            }
        };
        let Some(controls) = controls.unwrap_or_else(|| Some(SmallVec::new())) else {
            return Ok(None);
        };
        Ok(Some(Declared { ty, role, controls }))
    }

    /// Reads the attributes behind the operands, in any order. None where a body of the node is
    /// broken.
    fn read_attributes(
        &mut self,
        mut cursor: Cursor<'t>,
        signature: &Signature,
        result: Option<&TensorType>,
        bodies: &[WaitingBody],
    ) -> Read<Option<Attributes>> {
        let mut values: SmallVec<[Option<Attribute>; 4]> = SmallVec::new();
        values.resize(signature.attributes.len(), None);
        while !cursor.is_at_end() {
            let mut ahead = cursor;
            let Some(key) = ahead.word() else {
                return Err(
                    cursor.expected("an attribute `NAME=VALUE`, or `:` and the node's type")
                );
            };
            let mut specs = signature.attributes.iter().zip(&mut values);
            let Some((spec, value)) = specs.find(|(spec, _)| spec.name == key) else {
                return Err(unknown_attribute(signature, key));
            };
            if value.is_some() {
                return Err(mistake(format!("the attribute `{key}` is given twice")));
            }
            ahead.expect(b'=', &format!("the attribute `{key}`"))?;
            let read =
                read_attribute(&mut ahead, spec.kind, &mut self.graph, result, &mut self.fills);
            *value = Some(read.map_err(|mut diagnostic| {
                diagnostic.message = format!("attribute `{key}`: {}", diagnostic.message);
                diagnostic
            })?);
            cursor = ahead;
        }
        complete(signature, values, result, bodies)
    }
}

/// The attributes in the signature's order: `values` as they were read, bodies, and those left out.
/// None where a body is broken.
fn complete(
    signature: &Signature,
    values: SmallVec<[Option<Attribute>; 4]>,
    result: Option<&TensorType>,
    bodies: &[WaitingBody],
) -> Read<Option<Attributes>> {
    let mut attributes = SmallVec::<[Attribute; 4]>::new();
    for (spec, value) in signature.attributes.iter().zip(values) {
        if spec.kind == AttributeKind::Body
            && let Some(waiting) = bodies.iter().find(|body| *body.keyword == *spec.name)
        {
            match &waiting.body {
                Some(body) => attributes.push(Attribute::Body(body.clone())),
                None => return Ok(None),
            }
            continue;
        }
        let value = value.or_else(|| implied(spec, result));
        attributes.push(value.ok_or_else(|| match spec.kind {
            AttributeKind::Body => advise(
                format!("`{}` lacks its body `{}`", signature.name, spec.name),
                format!("it stands in a block before the line: `{} NAME {{`", spec.name),
            ),
            _ => mistake(format!("`{}` lacks its attribute `{}`", signature.name, spec.name)),
        })?);
    }
    Ok(Some(Attributes::of(attributes)))
}

/// The value of an attribute that is left out: its default, or the node's element type or shape.
fn implied(spec: &AttributeSpec, result: Option<&TensorType>) -> Option<Attribute> {
    match (spec.default, spec.name, spec.kind, result) {
        (Some(default), ..) => Some(default.into()),
        (_, "dtype", AttributeKind::DType, Some(result)) => Some(Attribute::DType(result.dtype)),
        (_, "shape", AttributeKind::Shape, Some(result)) => {
            Some(Attribute::Shape(result.shape.clone()))
        }
        _ => None,
    }
}

/// The mistake in a line without a colon.
fn no_type(mut cursor: Cursor<'_>) -> Box<Diagnostic> {
    let mut ahead = cursor;
    // Attributes are left to the next attempt: they can be read only when the type is known.
    let mut diagnostic = if ahead.word().is_some() && ahead.peek() == Some(b'=') {
        mistake("expected `:` and the node's type before the end of the line")
    } else {
        cursor.expected("`:` and the node's type")
    };
    diagnostic.help = Some("a type is like `f32[N, 10]`, or `operation`".to_owned());
    diagnostic
}

fn unknown_attribute(signature: &Signature, key: &str) -> Box<Diagnostic> {
    let names: Vec<String> =
        signature.attributes.iter().map(|spec| format!("`{}`", spec.name)).collect();
    advise(
        format!("`{}` has no attribute `{}`", signature.name, crate::shorten::word(key)),
        match names.as_slice() {
            [] => "it has none".to_owned(),
            names => format!("its attributes are {}", names.join(", ")),
        },
    )
}
