//! Reading bodies: blocks that are graphs of their own, before the line of the node that has them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::cursor::{Cursor, Read, advise, mistake};
use super::parser::{Frame, Parser, Position, WaitingBody};
use crate::{Body, Context, Location, MAX_DEPTH, Signature};

impl<'t> Parser<'t> {
    /// Begins a body: the lines that follow are read into a graph of its own.
    pub(super) fn open_body(&mut self, keyword: Cow<'t, str>, name: &str) -> Read<()> {
        let known = self.graph.symbols().len();
        let too_many = known > self.symbols;
        if too_many || self.graph.depth() >= MAX_DEPTH {
            self.is_stopped = true;
            return Err(mistake(if too_many {
                "too many bodies, with too many dimensions of unknown size".to_owned()
            } else {
                format!("bodies are nested more than {MAX_DEPTH} deep: reading stopped here")
            }));
        }
        self.symbols -= known;
        let mut graph = self.graph.for_body(name);
        let mistakes = self.graph.take_mistakes();
        let before = mistakes.len();
        for mistake in mistakes {
            graph.report(mistake);
        }
        let position = std::mem::replace(&mut self.position, Position::Body(self.line));
        self.frames.push(Frame {
            graph: std::mem::replace(&mut self.graph, graph),
            position,
            broken: std::mem::take(&mut self.broken),
            bodies: std::mem::take(&mut self.bodies),
            outputs: self.outputs.take(),
            keyword,
            opened: self.line,
            mistakes: before,
        });
        Ok(())
    }

    /// Reads `return NAME, NAME`.
    pub(super) fn read_outputs(&mut self, mut cursor: Cursor<'t>) -> Read<()> {
        if self.outputs.is_some() {
            return Err(mistake("a second `return` in one body"));
        }
        let mut outputs = Some(Vec::new());
        while !cursor.is_at_end() {
            let name = cursor.name("the name of a node")?;
            match (self.find(&name), &mut outputs) {
                (Some(id), Some(outputs)) => outputs.push(id),
                _ => outputs = None,
            }
            if !cursor.eat(b',') {
                break;
            }
        }
        self.outputs = Some(outputs);
        cursor.finish()
    }

    /// Ends a body: reading goes on in the graph around it.
    pub(super) fn close_body(&mut self) {
        if self.outputs.is_none() {
            self.report(*advise(
                "a body that gives nothing",
                "say what it gives before its `}`: `return NAME, NAME`",
            ));
        }
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let mut graph = std::mem::replace(&mut self.graph, frame.graph);
        *graph.context_mut() = Context::default();
        self.symbols = self.symbols.saturating_sub(graph.symbols().len());
        let mistakes = graph.take_mistakes();
        let is_right = mistakes.len() == frame.mistakes;
        for mistake in mistakes {
            self.graph.report(mistake);
        }
        self.graph.adopt(&graph);
        let outputs = std::mem::replace(&mut self.outputs, frame.outputs).flatten();
        let body = outputs.filter(|_| is_right);
        self.position = frame.position;
        self.broken = frame.broken;
        self.bodies = frame.bodies;
        self.bodies.push(WaitingBody {
            keyword: frame.keyword.into(),
            body: body.map(|outputs| Arc::new(Body::new(graph, outputs))),
            opened: frame.opened,
        });
    }

    /// The bodies that stand before a node of that operator.
    pub(super) fn take_bodies(&mut self, signature: &Signature) -> Read<Vec<WaitingBody>> {
        let bodies = std::mem::take(&mut self.bodies);
        let mut seen = HashSet::new();
        for body in &bodies {
            let is_one = signature
                .attributes
                .iter()
                .any(|spec| spec.kind == crate::AttributeKind::Body && *spec.name == *body.keyword);
            if !is_one || !seen.insert(&*body.keyword) {
                let what = if is_one { "two" } else { "no" };
                return Err(Box::new(
                    mistake(format!(
                        "`{}` has {what} `{}`",
                        signature.name,
                        crate::shorten::word(&body.keyword)
                    ))
                    .note("this body", Location::Text(body.opened)),
                ));
            }
        }
        Ok(bodies)
    }

    /// Reports the bodies that are left at the end of a graph.
    pub(super) fn no_bodies_wait(&mut self) {
        for body in std::mem::take(&mut self.bodies) {
            if body.body.is_some() {
                let opened = Location::Text(body.opened);
                self.report(mistake("a body without a node after it").note("this body", opened));
            }
        }
    }
}
