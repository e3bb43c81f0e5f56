//! Signatures as text: how they are written and read.

use std::fmt::{self, Write};

use super::cursor::{Cursor, Read, advise};
use super::literal::read_array;
use super::names::write_name;
use super::parser::Parser;
use super::write::Writer;
use crate::{Graph, NodeId, SignaturePart};

/// Writes all signatures of a graph.
pub(super) fn write_signatures(
    out: &mut dyn Write,
    graph: &Graph,
    writer: &mut Writer<'_>,
) -> fmt::Result {
    let name = |id: NodeId| graph.get(id).map_or("?", |node| &*node.name);
    for signature in graph.signatures() {
        out.write_str("  signature ")?;
        write_name(out, &signature.name)?;
        out.write_str(" {\n")?;
        for (port, node) in &signature.inputs {
            write_port(out, "input ", port, name(*node))?;
        }
        for (node, array) in &signature.feeds {
            write!(out, "    feed   {} = ", name(*node))?;
            writer.array(out, array, graph.get(*node).and_then(|node| node.ty.tensor()))?;
            out.write_char('\n')?;
        }
        for (port, node) in &signature.outputs {
            write_port(out, "output", port, name(*node))?;
        }
        for step in &signature.steps {
            writeln!(out, "    run    {}", name(*step))?;
        }
        out.write_str("  }\n")?;
    }
    Ok(())
}

fn write_port(out: &mut dyn Write, keyword: &str, port: &str, node: &str) -> fmt::Result {
    write!(out, "    {keyword} ")?;
    write_name(out, port)?;
    writeln!(out, " = {node}")
}

impl<'t> Parser<'t> {
    /// Reads a line of the signature of that name: `input images = x`, `feed keep = 0.75`,
    /// `output loss = mul`, `run train_step`.
    pub(super) fn read_signature_part(
        &mut self,
        signature: &str,
        mut cursor: Cursor<'t>,
    ) -> Read<()> {
        let keyword = cursor.name("`input`, `feed`, `output` or `run`")?;
        match &*keyword {
            "input" | "output" => {
                let port = cursor.name("the name of an input or output")?;
                cursor.expect(b'=', "the name")?;
                let node = cursor.name("the name of a tensor")?;
                cursor.finish()?;
                let Some(node) = self.find(&node) else {
                    return Ok(());
                };
                let part = match &*keyword {
                    "input" => SignaturePart::Input(&port, node),
                    _ => SignaturePart::Output(&port, node),
                };
                self.graph.add_to_signature(signature, part);
            }
            "feed" => {
                let node = cursor.name("the name of a tensor")?;
                cursor.expect(b'=', "the tensor")?;
                let Some(node) = self.find(&node) else {
                    return Ok(());
                };
                let result = self.graph.node(node).ty.tensor().cloned();
                let array = read_array(&mut cursor, &self.graph, result.as_ref(), &mut self.fills)?;
                cursor.finish()?;
                self.graph.add_to_signature(signature, SignaturePart::Feed(node, array));
            }
            "run" => {
                let node = cursor.name("the name of a node")?;
                cursor.finish()?;
                if let Some(node) = self.find(&node) {
                    self.graph.add_to_signature(signature, SignaturePart::Step(node));
                }
            }
            other => {
                return Err(advise(
                    format!("`{}` is no part of a signature", crate::shorten::word(other)),
                    "its lines are `input NAME = TENSOR`, `feed TENSOR = VALUE`, `output NAME = TENSOR` and `run NODE`",
                ));
            }
        }
        Ok(())
    }
}
