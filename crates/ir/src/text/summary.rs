//! Summaries as text: how they are written and read.

use std::fmt::{self, Write};

use super::cursor::{Cursor, Read, advise, mistake};
use super::names::write_name;
use super::parser::Parser;
use crate::{Graph, SummaryKind};

/// The forms of the line, for messages.
const LINE: &str = "`summary scalar TAG = TENSOR`, `summary histogram TAG = TENSOR, TENSOR` or `summary image TAG = TENSOR`";

/// Writes all summaries of a graph: `summary histogram weights = layer1/w, w`.
pub(super) fn write_summaries(out: &mut dyn Write, graph: &Graph) -> fmt::Result {
    for summary in graph.summaries() {
        write!(out, "  summary {} ", summary.kind)?;
        write_name(out, &summary.tag)?;
        for (index, &node) in summary.nodes.iter().enumerate() {
            out.write_str(if index == 0 { " = " } else { ", " })?;
            write_name(out, graph.get(node).map_or("?", |node| &node.name))?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

impl<'t> Parser<'t> {
    /// Reads the rest of a line behind `summary`: `scalar loss = mul`.
    pub(super) fn read_summary(&mut self, cursor: Cursor<'t>) -> Read<()> {
        self.read_kind_and_tensors(cursor).map_err(|mut diagnostic| {
            diagnostic.help.get_or_insert_with(|| format!("its line is {LINE}"));
            diagnostic
        })
    }

    fn read_kind_and_tensors(&mut self, mut cursor: Cursor<'t>) -> Read<()> {
        let word = cursor.name("`scalar`, `histogram` or `image`")?;
        let Some(kind) = SummaryKind::from_name(&word) else {
            let message = format!("`{}` is no kind of summary", crate::shorten::word(&word));
            let names = SummaryKind::ALL.map(SummaryKind::name);
            return Err(match crate::nearest(&word, names) {
                Some(nearest) => advise(message, format!("did you mean `{nearest}`?")),
                None => mistake(message),
            });
        };
        let tag = cursor.name("the summary's tag, plain or in quotes")?;
        cursor.expect(b'=', "the tag")?;
        let (mut nodes, mut is_complete) = (Vec::new(), true);
        loop {
            let name = cursor.name("the name of a tensor")?;
            match self.find(&name) {
                Some(node) => nodes.push(node),
                None => is_complete = false,
            }
            if !cursor.eat(b',') {
                break;
            }
        }
        cursor.finish()?;
        if is_complete {
            self.graph.add_summary(kind, &tag, nodes);
        }
        Ok(())
    }
}
