//! Reading: the lines of a text and its blocks.

use super::cursor::{Cursor, Read, advise, mistake};
use super::literal::{SHORTENED, shortened};
use super::parser::{MOST_MESSAGE_BYTES, MOST_MISTAKES, Parser, Position, Section};
use crate::{Context, Diagnostic, Diagnostics, Graph, Location, Registry};

impl Graph {
    /// Reads the text form of a graph, whose operators are looked up in `registry`. Every node
    /// passes the same checks and inference as one that is built by calls, and gets the type that
    /// the text declares, which the inferred one must agree with. The graph prints again as it was
    /// printed.
    ///
    /// Memory is in proportion to the text, but for the arrays of `fill(..)`, which together get at
    /// most 64 MiB.
    ///
    /// # Errors
    /// The mistakes with their lines, up to about 20.
    pub fn parse(text: &str, registry: &Registry) -> Result<Graph, Diagnostics> {
        let mut parser = Parser::new(text, registry);
        parser.run();
        let mut graph = parser.graph;
        *graph.context_mut() = Context::default();
        match graph.take_mistakes() {
            mistakes if mistakes.is_empty() => Ok(graph),
            mistakes => Err(Diagnostics(mistakes)),
        }
    }
}

/// The mistake of a text that is no graph: whatever else is wrong with its lines is of no use.
fn no_graph() -> Box<Diagnostic> {
    advise(
        "this is no graph: a graph's text begins with `graph NAME {`",
        "a graph is saved with `graph.save(path)` or `graph.save_text(path)`, and made from an ONNX model with `abeyance convert`",
    )
}

impl<'t> Parser<'t> {
    fn run(&mut self) {
        for line in self.text.lines() {
            self.line = self.line.saturating_add(1);
            self.graph.context_mut().location = Location::Text(self.line);
            if let Err(mut diagnostic) = self.read_line(line) {
                // Whatever it is a part of.
                if diagnostic.message.ends_with(SHORTENED) {
                    diagnostic.message = SHORTENED.to_owned();
                    self.is_stopped = true;
                }
                self.report(*diagnostic);
            }
            if self.graph.error_count() >= MOST_MISTAKES
                || self.graph.diagnostic_bytes() >= MOST_MESSAGE_BYTES
            {
                self.report(Diagnostic::new(
                    format!("that is {} mistakes: reading stopped here", self.graph.error_count()),
                    Location::Unknown,
                ));
                return;
            }
            if self.is_stopped {
                return;
            }
            if self.position == Position::After && self.graph.error_count() > 0 {
                // What follows the end was reported once, or the end came by a mistake.
                return;
            }
        }
        self.check_end();
    }

    /// Reports a text that ends too early.
    fn check_end(&mut self) {
        self.line = self.line.max(1);
        let (message, opened) = match self.position {
            Position::After => return,
            _ if self.is_headless => return,
            Position::Before => return self.report(*no_graph()),
            Position::Graph => ("the text ends before the `}` of its graph", self.header),
            Position::Block(_, opened) => ("the text ends before the `}` of a block", opened),
            Position::Body(opened) => ("the text ends before the `}` of a body", opened),
            Position::Signature(opened) => ("the text ends before the `}` of a signature", opened),
        };
        let mut diagnostic = Diagnostic::new(message, Location::Unknown);
        if opened > 0 {
            diagnostic = diagnostic.note("opened by this `{`", Location::Text(opened));
        }
        self.report(diagnostic);
    }

    /// Reads a line, according to the structure that it stands in.
    fn read_line(&mut self, line: &'t str) -> Read<()> {
        let (mut cursor, tail) = Cursor::split(line);
        if cursor.is_at_end() && tail.is_none() {
            return Ok(());
        }
        if self.position == Position::Before && !self.is_graph() {
            self.is_stopped = true;
            return Err(no_graph());
        }
        if self.position == Position::After {
            return Err(cursor.expected("nothing after the `}` that ends the graph"));
        }
        if cursor.eat(b'}') {
            return self.read_end(cursor);
        }
        if let Position::Signature(_) = self.position {
            return self.read_signature_line(cursor);
        }
        let start = cursor;
        let word = cursor.name("a node, a block or `}`")?;
        if cursor.peek() == Some(b'=') {
            return self.read_statement(start, tail);
        }
        if word == "graph" {
            return self.read_header(cursor);
        }
        let mut ahead = cursor;
        if let Ok(name) = ahead.name("a name")
            && ahead.eat(b'{')
        {
            match self.position {
                Position::Graph if word == "signature" => {
                    ahead.finish()?;
                    return self.open_signature(&name);
                }
                Position::Block(..) | Position::Body(_) => {
                    ahead.finish()?;
                    return self.open_body(word, &name);
                }
                _ => {}
            }
        }
        if word == "summary" {
            return self.read_summary_at(cursor);
        }
        if word == "return" && matches!(self.position, Position::Body(_)) {
            return self.read_outputs(cursor);
        }
        if cursor.eat(b'{') {
            return self.open_block(&word, cursor, line);
        }
        if self.position == Position::Before {
            self.position = Position::Block(Section::Forward, self.line);
            return Err(self.no_header());
        }
        self.give_up(&word);
        Err(cursor.expected("`=` after the name of a node"))
    }

    /// Reads the rest of a line behind the `}` that ends a block, body, signature or graph.
    fn read_end(&mut self, mut cursor: Cursor<'t>) -> Read<()> {
        let at = self.position;
        if matches!(at, Position::Graph | Position::Body(_)) {
            self.no_bodies_wait();
        }
        self.position = match (at, self.frames.last()) {
            (Position::Block(..), None) | (Position::Signature(_), _) => Position::Graph,
            (Position::Block(..), Some(frame)) => Position::Body(frame.opened),
            (Position::Graph, _) => Position::After,
            (Position::Body(_), _) => {
                self.close_body();
                return cursor.finish();
            }
            _ => return Err(self.no_header()),
        };
        cursor.finish()
    }

    /// Reads a line of the signature that is open.
    fn read_signature_line(&mut self, cursor: Cursor<'t>) -> Read<()> {
        let signature = std::mem::take(&mut self.signature);
        let read = self.read_signature_part(&signature, cursor);
        self.signature = signature;
        read
    }

    /// Begins a signature.
    fn open_signature(&mut self, name: &str) -> Read<()> {
        self.position = Position::Signature(self.line);
        self.signature = name.into();
        let is_new = self.graph.find_signature(name).is_err();
        self.graph.begin_signature(name);
        if is_new {
            Ok(())
        } else {
            Err(mistake(format!("a second signature `{}`", crate::shorten::word(name))))
        }
    }

    /// Begins a block of nodes of one role, behind its `{`.
    fn open_block(&mut self, word: &str, mut cursor: Cursor<'t>, line: &str) -> Read<()> {
        let section = match word {
            "forward" => Section::Forward,
            "backward" => Section::Backward,
            "update" => Section::Update,
            _ => {
                // Its nodes are read as something, so that they are not reported each.
                self.position = Position::Block(Section::Forward, self.line);
                return Err(advise(
                    format!("`{word}` is not a block"),
                    "there are `forward {`, `backward {`, `update {` and `signature NAME {`",
                ));
            }
        };
        // `update { 12 lines, shown with --backward }`
        if !cursor.is_at_end() && line.contains("shown with --") {
            return Err(shortened());
        }
        let block = Position::Block(section, self.line);
        let before = std::mem::replace(&mut self.position, block);
        cursor.finish()?;
        match before {
            Position::Block(_, opened) => Err(Box::new(
                mistake("expected `}` before the next block")
                    .note("the block before it", Location::Text(opened)),
            )),
            Position::Before => Err(self.no_header()),
            _ => Ok(()),
        }
    }

    /// Reads a summary, which stands outside of blocks and bodies.
    fn read_summary_at(&mut self, cursor: Cursor<'t>) -> Read<()> {
        let (message, opened) = match self.position {
            Position::Graph => return self.read_summary(cursor),
            Position::Block(_, opened) if self.frames.is_empty() => {
                ("a summary in a block", opened)
            }
            Position::Block(_, opened) | Position::Body(opened) => ("a summary in a body", opened),
            _ => return Err(self.no_header()),
        };
        Err(Box::new(
            advise(message, "summaries stand behind the blocks, outside of their `}`")
                .note("opened by this `{`", Location::Text(opened)),
        ))
    }

    fn read_header(&mut self, mut cursor: Cursor<'t>) -> Read<()> {
        if self.position != Position::Before {
            return Err(advise(
                "a second graph, or a block that is not closed",
                "a text holds one graph",
            ));
        }
        self.header = self.line;
        self.position = Position::Graph;
        let name = cursor.name("the graph's name, plain or in quotes")?;
        self.graph.set_name(&name);
        let mut ahead = cursor;
        if ahead.word() == Some("seed") {
            ahead.expect(b'=', "`seed`")?;
            match ahead.word().and_then(|word| word.parse().ok()) {
                Some(seed) => self.graph.set_seed(Some(seed)),
                None => return Err(ahead.expected("a seed, a whole number below 2^64")),
            }
            cursor = ahead;
        }
        cursor.expect(b'{', "the graph's name")?;
        cursor.finish()
    }

    fn read_statement(&mut self, start: Cursor<'t>, tail: Option<Cursor<'t>>) -> Read<()> {
        let section = match self.position {
            Position::Block(section, _) => section,
            Position::Body(_) => Section::Forward,
            Position::Graph => {
                if !std::mem::replace(&mut self.has_reported_outside, true) {
                    self.report(*advise(
                        "a node outside of a block",
                        "nodes stand in `forward { .. }`, `backward { .. }` and `update { .. }`",
                    ));
                }
                Section::Forward
            }
            _ => {
                let diagnostic = self.no_header();
                self.report(*diagnostic);
                self.position = Position::Block(Section::Forward, self.line);
                Section::Forward
            }
        };
        self.read_node(section, start, tail)
    }

    /// True if anything of a graph stands in the text: a header, which is the first line if all is
    /// well, a block, the definition of a node.
    fn is_graph(&self) -> bool {
        let is_part = |line: &str| {
            let mut cursor = Cursor::new(line);
            match cursor.word() {
                Some("graph" | "forward" | "backward" | "update" | "signature") => {
                    line.contains('{')
                }
                Some(_) if cursor.eat(b'=') => {
                    cursor.word().is_some_and(|operator| self.registry.get(operator).is_some())
                }
                _ => false,
            }
        };
        self.text.lines().any(is_part)
    }

    fn no_header(&mut self) -> Box<Diagnostic> {
        self.is_headless = true;
        advise("a graph's text begins with `graph NAME {`", "write that line before this one")
    }
}
