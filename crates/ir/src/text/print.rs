//! Printing: blocks, columns, lines.

use std::fmt::{self, Write};
use std::mem::discriminant;

use super::names::write_name;
use super::signature::write_signatures;
use super::summary::write_summaries;
use super::write::Writer;
use crate::{Attribute, Body, Graph, Node, NodeId, Role};

/// The width of the widest name that widens its column; longer ones stand out of it.
const NAME_COLUMN: usize = 24;
/// The width of the widest definition that widens its column; longer ones push their type to the
/// right, and no other.
const DEFINITION_COLUMN: usize = 48;

impl fmt::Display for Graph {
    /// The text form for a person to read: of an array of more than 64 different elements only the
    /// first 8 are written, and how many more there are. [`Graph::to_text`] gives it whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_graph(f, self, Writer::shortened(self))
    }
}

/// Writes `graph NAME {`, blocks, summaries, signatures, `}`.
fn write_graph(out: &mut dyn Write, graph: &Graph, writer: Writer<'_>) -> fmt::Result {
    write_parts(out, graph, writer, true)
}

/// Writes a graph, with its summaries or without them.
fn write_parts(
    out: &mut dyn Write,
    graph: &Graph,
    writer: Writer<'_>,
    has_summaries: bool,
) -> fmt::Result {
    out.write_str("graph ")?;
    write_name(out, graph.name())?;
    if let Some(seed) = graph.seed() {
        write!(out, " seed={seed}")?;
    }
    out.write_str(" {\n")?;
    let mut printer = Printer { graph, writer, indent: 2 };
    printer.blocks(out)?;
    if has_summaries {
        write_summaries(out, graph)?;
    }
    write_signatures(out, graph, &mut printer.writer)?;
    out.write_str("}")
}

impl Graph {
    /// The text form with every element of every array. [`Graph::parse`] reads it back to a graph
    /// that prints the same, byte for byte.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write_graph(&mut text, self, Writer::lossless(self));
        text
    }

    /// A hash by which a checkpoint knows its graph: FNV-1a, in 64 bits, of [`Graph::to_text`]
    /// without the lines of summaries. The results of a graph do not depend on its summaries.
    pub fn fingerprint(&self) -> u64 {
        struct Hash(u64);
        impl Write for Hash {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for byte in text.bytes() {
                    self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
                }
                Ok(())
            }
        }
        let mut hash = Hash(0xcbf2_9ce4_8422_2325);
        // Hashing does not fail.
        let _ = write_parts(&mut hash, self, Writer::lossless(self), false);
        hash.0
    }

    /// A node's definition without its type: `logits = matmul(flat, w) transpose_b=true`. Long
    /// lists of operands or numbers, and long names, are cut short.
    pub fn print_call(&self, id: NodeId) -> String {
        let node = self.node(id);
        let mut call = String::new();
        // Writing to a string does not fail.
        let _ = write_name(&mut call, &crate::shorten::name(&node.name));
        call.push_str(" = ");
        let _ = Writer::brief(self).definition(&mut call, node);
        call
    }

    /// The lines of some nodes, in columns, for a reader: without blocks, and with long lists cut
    /// short.
    pub fn print_nodes(&self, ids: impl IntoIterator<Item = NodeId>) -> impl fmt::Display {
        PrintNodes { graph: self, ids: ids.into_iter().collect() }
    }
}

struct PrintNodes<'g> {
    graph: &'g Graph,
    ids: Vec<NodeId>,
}

impl fmt::Display for PrintNodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer =
            Printer { graph: self.graph, writer: Writer::brief(self.graph), indent: 0 };
        printer.lines(f, self.ids.iter().copied())
    }
}

/// The word before a block of nodes with this role.
pub(super) fn keyword(role: Role) -> &'static str {
    match role {
        Role::Forward => "forward",
        Role::Backward { .. } => "backward",
        Role::Update => "update",
    }
}

struct Printer<'g> {
    graph: &'g Graph,
    writer: Writer<'g>,
    /// Spaces before a line.
    indent: usize,
}

impl Printer<'_> {
    /// Writes all nodes in blocks by their role. Forward nodes of a body stand in it without a
    /// block.
    fn blocks(&mut self, out: &mut dyn Write) -> fmt::Result {
        let graph = self.graph;
        let mut start = 0;
        while let Some(first) = graph.get(NodeId::new(start)) {
            let is_other = |id| {
                graph
                    .get(id)
                    .is_none_or(|node| discriminant(&node.role) != discriminant(&first.role))
            };
            let end = (start + 1..graph.len())
                .find(|&end| is_other(NodeId::new(end)))
                .unwrap_or(graph.len());
            let ids = (start..end).map(NodeId::new);
            if graph.depth() > 0 && first.role == Role::Forward {
                self.lines(out, ids)?;
            } else {
                let indent = self.indent;
                writeln!(out, "{:indent$}{} {{", "", keyword(first.role))?;
                self.indent += 2;
                self.lines(out, ids)?;
                self.indent = indent;
                writeln!(out, "{:indent$}}}", "")?;
            }
            start = end;
        }
        Ok(())
    }

    /// Writes a body: `then cond/then {`, the nodes, `return` and the outputs, `}`.
    fn body(&mut self, out: &mut dyn Write, keyword: &str, body: &Body) -> fmt::Result {
        let indent = self.indent;
        write!(out, "{:indent$}{keyword} ", "")?;
        write_name(out, body.graph().name())?;
        out.write_str(" {\n")?;
        let mut inner = Printer {
            graph: body.graph(),
            writer: self.writer.enter(body.graph()),
            indent: indent + 2,
        };
        inner.blocks(out)?;
        write!(out, "{:indent$}  return", "")?;
        for (index, &output) in body.outputs().iter().enumerate() {
            out.write_str(if index == 0 { " " } else { ", " })?;
            write_name(out, &body.graph().node(output).name)?;
        }
        writeln!(out, "\n{:indent$}}}", "")?;
        self.writer.resume(&inner.writer);
        Ok(())
    }

    /// Writes the lines of some nodes, aligned to columns of their own.
    fn lines(
        &mut self,
        out: &mut dyn Write,
        ids: impl Iterator<Item = NodeId> + Clone,
    ) -> fmt::Result {
        let (mut name, mut definition) = (0, 0);
        let mut measured = self.writer.clone();
        for id in ids.clone() {
            let node = self.graph.node(id);
            let (named, defined) = (
                width(NAME_COLUMN, |out| write_name(out, &node.name)),
                width(DEFINITION_COLUMN, |out| measured.definition(out, node)),
            );
            name = name.max(named.unwrap_or(0));
            definition = definition.max(defined.unwrap_or(0));
        }
        let graph = self.graph;
        for id in ids {
            let node = graph.node(id);
            if !self.writer.is_brief() {
                for (index, value) in node.attributes.iter().enumerate() {
                    if let Attribute::Body(body) = value {
                        let spec = node.operator.signature().attributes.get(index);
                        self.body(out, spec.map_or("?", |spec| spec.name), body)?;
                    }
                }
            }
            self.line(out, id, node, name, definition)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        out: &mut dyn Write,
        id: NodeId,
        node: &Node,
        name: usize,
        definition: usize,
    ) -> fmt::Result {
        let indent = self.indent;
        write!(out, "{:indent$}", "")?;
        let mut column = Column { out, width: 0 };
        write_name(&mut column, &node.name)?;
        column.pad(name)?;
        column.write_str(" = ")?;
        self.writer.definition(&mut column, node)?;
        column.pad(name + 3 + definition)?;
        column.write_str(" : ")?;
        self.writer.ty(&mut column, &node.ty)?;
        if let Role::Backward { of } = node.role {
            out.write_str("  of ")?;
            write_name(out, self.graph.get(of).map_or("?", |of| &of.name))?;
        }
        let controls = self.graph.controls(id);
        for (index, &control) in controls.iter().enumerate() {
            out.write_str(if index == 0 { "  after=[" } else { ", " })?;
            write_name(out, &self.graph.node(control).name)?;
        }
        out.write_str(if controls.is_empty() { "\n" } else { "]\n" })
    }
}

/// The width of what `write` writes, `None` if it is more than `limit`; writing stops there.
fn width(limit: usize, write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> Option<usize> {
    struct Measure {
        width: usize,
        limit: usize,
    }
    impl Write for Measure {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.width += text.chars().count();
            if self.width > self.limit { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut measure = Measure { width: 0, limit };
    write(&mut measure).ok().map(|()| measure.width)
}

/// Counts the characters that are written through it, to align columns.
struct Column<'a> {
    out: &'a mut dyn Write,
    width: usize,
}

impl Column<'_> {
    fn pad(&mut self, to: usize) -> fmt::Result {
        while self.width < to {
            self.write_char(' ')?;
        }
        Ok(())
    }
}

impl Write for Column<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.width += text.chars().count();
        self.out.write_str(text)
    }
}
