//! Reading: the lines of a text, its blocks, and what to do after a mistake.

use std::collections::HashSet;
use std::sync::Arc;

use super::array::FILL_LIMIT;
use super::cursor::{Cursor, Read, advise, mistake};
use super::literal::{SHORTENED, shortened};
use crate::{
    Body, Context, Diagnostic, Diagnostics, Graph, Location, MAX_DEPTH, NodeId, Registry, Signature,
};

/// Reading stops after so many mistakes: by then it is some other mistake.
const MOST_MISTAKES: usize = 20;

/// And when what is said of those takes so many bytes.
const MOST_SAID: usize = 16 << 10;

/// All bodies together may hold so many unknown dimensions: each has a table of its own, of those
/// it knows from outside too, which is not in proportion to the text's length.
const MOST_SYMBOLS: usize = 1 << 20;

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
        let mut parser = Parser {
            text,
            registry,
            graph: Graph::default(),
            line: 0,
            place: Place::Before,
            header: 0,
            is_headless: false,
            is_told: false,
            broken: HashSet::new(),
            fills: FILL_LIMIT,
            frames: Vec::new(),
            bodies: Vec::new(),
            outputs: None,
            symbols: MOST_SYMBOLS,
            signature: Box::default(),
            is_stopped: false,
        };
        parser.run();
        let mut graph = parser.graph;
        *graph.context_mut() = Context::default();
        match graph.take_mistakes() {
            mistakes if mistakes.is_empty() => Ok(graph),
            mistakes => Err(Diagnostics(mistakes)),
        }
    }
}

/// Some other file, or none: whatever else could be said of its lines is of no use.
fn no_graph() -> Box<Diagnostic> {
    advise(
        "this is no graph: a graph's text begins with `graph NAME {`",
        "a graph is saved with `graph.save(path)` or `graph.save_text(path)`, and made from an ONNX model with `abeyance convert`",
    )
}

/// The part of the program that a block is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Forward,
    Backward,
    Update,
}

/// Where in the structure the next line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Graph,
    Block(Section, u32),
    /// In a body, outside of its blocks; opened in that line.
    Body(u32),
    /// In a signature; opened in that line.
    Signature(u32),
    After,
}

/// A graph in the midst of which a body is being read.
struct Frame<'t> {
    graph: Graph,
    place: Place,
    broken: HashSet<Box<str>>,
    bodies: Vec<WaitingBody>,
    outputs: Option<Outputs>,
    /// What the body is for.
    keyword: std::borrow::Cow<'t, str>,
    /// Where it begins.
    opened: u32,
    /// The mistakes made before it.
    mistakes: usize,
}

/// What a body gives; `None` if one of the nodes is missing, which has been reported.
type Outputs = Option<Vec<NodeId>>;

/// A body whose node is still to come.
pub(super) struct WaitingBody {
    pub(super) keyword: Box<str>,
    /// `None` if it could not be read, which has been reported.
    pub(super) body: Option<Arc<Body>>,
    opened: u32,
}

/// Reads a text line by line.
pub(super) struct Parser<'t> {
    text: &'t str,
    pub(super) registry: &'t Registry,
    pub(super) graph: Graph,
    line: u32,
    place: Place,
    /// The line of `graph NAME {`.
    header: u32,
    /// True if that line was missed, and reported.
    is_headless: bool,
    /// True if a node outside of blocks was reported.
    is_told: bool,
    /// Names of nodes that could not be made: who uses them is not reported again.
    broken: HashSet<Box<str>>,
    pub(super) fills: usize,
    /// The graphs around the one that is being read.
    frames: Vec<Frame<'t>>,
    /// Bodies that were read, for the next node.
    bodies: Vec<WaitingBody>,
    /// What the body that is being read gives, once that was said.
    outputs: Option<Outputs>,
    /// How many unknown dimensions bodies may still hold.
    symbols: usize,
    /// The name of the signature that is being read.
    signature: Box<str>,
    is_stopped: bool,
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
                || self.graph.diagnostic_bytes() >= MOST_SAID
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
            if self.place == Place::After && self.graph.error_count() > 0 {
                // What follows the end was reported once, or the end came by a mistake.
                return;
            }
        }
        self.check_end();
    }

    fn check_end(&mut self) {
        self.line = self.line.max(1);
        let (message, opened) = match self.place {
            Place::After => return,
            _ if self.is_headless => return,
            Place::Before => return self.report(*no_graph()),
            Place::Graph => ("the text ends before the `}` of its graph", self.header),
            Place::Block(_, opened) => ("the text ends before the `}` of a block", opened),
            Place::Body(opened) => ("the text ends before the `}` of a body", opened),
            Place::Signature(opened) => ("the text ends before the `}` of a signature", opened),
        };
        let mut diagnostic = Diagnostic::new(message, Location::Unknown);
        if opened > 0 {
            diagnostic = diagnostic.note("opened by this `{`", Location::Text(opened));
        }
        self.report(diagnostic);
    }

    fn report(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.location = Location::Text(self.line);
        self.graph.report(diagnostic);
    }

    fn read_line(&mut self, line: &'t str) -> Read<()> {
        let (mut cursor, tail) = Cursor::split(line);
        if cursor.is_at_end() && tail.is_none() {
            return Ok(());
        }
        if self.place == Place::Before && !self.is_graph() {
            self.is_stopped = true;
            return Err(no_graph());
        }
        if self.place == Place::After {
            return Err(cursor.expected("nothing after the `}` that ends the graph"));
        }
        if cursor.eat(b'}') {
            let at = self.place;
            if matches!(at, Place::Graph | Place::Body(_)) {
                self.no_bodies_wait();
            }
            self.place = match (at, self.frames.last()) {
                (Place::Block(..), None) | (Place::Signature(_), _) => Place::Graph,
                (Place::Block(..), Some(frame)) => Place::Body(frame.opened),
                (Place::Graph, _) => Place::After,
                (Place::Body(_), _) => {
                    self.close_body();
                    return cursor.finish();
                }
                _ => return Err(self.no_header()),
            };
            return cursor.finish();
        }
        if let Place::Signature(_) = self.place {
            let signature = std::mem::take(&mut self.signature);
            let read = self.read_signature_part(&signature, cursor);
            self.signature = signature;
            return read;
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
        if word == "signature"
            && self.place == Place::Graph
            && let Ok(name) = ahead.name("a name")
            && ahead.eat(b'{')
        {
            ahead.finish()?;
            self.place = Place::Signature(self.line);
            self.signature = name.into();
            let is_new = self.graph.find_signature(&self.signature).is_err();
            self.graph.begin_signature(&self.signature);
            return if is_new {
                Ok(())
            } else {
                Err(mistake(format!(
                    "a second signature `{}`",
                    crate::shorten::word(&self.signature)
                )))
            };
        }
        if matches!(self.place, Place::Block(..) | Place::Body(_))
            && let Ok(name) = ahead.name("a name")
            && ahead.eat(b'{')
        {
            ahead.finish()?;
            return self.open_body(word, &name);
        }
        if word == "summary" {
            return self.read_summary_at(cursor);
        }
        if word == "return" && matches!(self.place, Place::Body(_)) {
            return self.read_outputs(cursor);
        }
        if cursor.eat(b'{') {
            let section = match &*word {
                "forward" => Section::Forward,
                "backward" => Section::Backward,
                "update" => Section::Update,
                _ => {
                    // Its nodes are read as something, so that they are not reported each.
                    self.place = Place::Block(Section::Forward, self.line);
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
            let before = std::mem::replace(&mut self.place, Place::Block(section, self.line));
            cursor.finish()?;
            return match before {
                Place::Block(_, opened) => Err(Box::new(
                    mistake("expected `}` before the next block")
                        .note("the block before it", Location::Text(opened)),
                )),
                Place::Before => Err(self.no_header()),
                _ => Ok(()),
            };
        }
        if self.place == Place::Before {
            self.place = Place::Block(Section::Forward, self.line);
            return Err(self.no_header());
        }
        self.give_up(&word);
        Err(cursor.expected("`=` after the name of a node"))
    }

    /// Reads a summary, which stands outside of blocks and bodies.
    fn read_summary_at(&mut self, cursor: Cursor<'t>) -> Read<()> {
        let (message, opened) = match self.place {
            Place::Graph => return self.read_summary(cursor),
            Place::Block(_, opened) if self.frames.is_empty() => ("a summary in a block", opened),
            Place::Block(_, opened) | Place::Body(opened) => ("a summary in a body", opened),
            _ => return Err(self.no_header()),
        };
        Err(Box::new(
            advise(message, "summaries stand behind the blocks, outside of their `}`")
                .note("opened by this `{`", Location::Text(opened)),
        ))
    }

    fn read_header(&mut self, mut cursor: Cursor<'t>) -> Read<()> {
        if self.place != Place::Before {
            return Err(advise(
                "a second graph, or a block that is not closed",
                "a text holds one graph",
            ));
        }
        self.header = self.line;
        self.place = Place::Graph;
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
        let section = match self.place {
            Place::Block(section, _) => section,
            Place::Body(_) => Section::Forward,
            Place::Graph => {
                if !std::mem::replace(&mut self.is_told, true) {
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
                self.place = Place::Block(Section::Forward, self.line);
                Section::Forward
            }
        };
        self.read_node(section, start, tail)
    }

    /// Begins a body: what follows is read into a graph of its own.
    fn open_body(&mut self, keyword: std::borrow::Cow<'t, str>, name: &str) -> Read<()> {
        let known = self.graph.symbols().len();
        let too_many = known > self.symbols;
        if too_many || self.graph.depth() >= MAX_DEPTH {
            self.is_stopped = true;
            return Err(mistake(match too_many {
                true => "too many bodies, with too many dimensions of unknown size".to_owned(),
                false => {
                    format!("bodies are nested more than {MAX_DEPTH} deep: reading stopped here")
                }
            }));
        }
        self.symbols -= known;
        let mut graph = self.graph.for_body(name);
        let mistakes = self.graph.take_mistakes();
        let before = mistakes.len();
        for mistake in mistakes {
            graph.report(mistake);
        }
        let place = std::mem::replace(&mut self.place, Place::Body(self.line));
        self.frames.push(Frame {
            graph: std::mem::replace(&mut self.graph, graph),
            place,
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
    fn read_outputs(&mut self, mut cursor: Cursor<'t>) -> Read<()> {
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
    fn close_body(&mut self) {
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
        self.place = frame.place;
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

    /// At the end of a graph no body may be left.
    fn no_bodies_wait(&mut self) {
        for body in std::mem::take(&mut self.bodies) {
            if body.body.is_some() {
                let opened = Location::Text(body.opened);
                self.report(mistake("a body without a node after it").note("this body", opened));
            }
        }
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

    /// A line could not be read: what uses the node that it may have defined is not reported.
    pub(super) fn give_up(&mut self, name: &str) {
        if self.graph.find(name).is_none() {
            self.broken.insert(name.into());
        }
    }

    /// The node of that name. `None` if there is none, which is then reported, but only once.
    pub(super) fn find(&mut self, name: &str) -> Option<NodeId> {
        let found = self.graph.find(name);
        // A line may have very many names. One mistake more than are shown ends the reading behind
        // it.
        let is_reported = self.graph.error_count() >= MOST_MISTAKES;
        if found.is_none() && !is_reported && self.broken.insert(name.into()) {
            let mut diagnostic = Diagnostic::new(
                format!("there is no node `{}` above", crate::shorten::word(name)),
                Location::Unknown,
            );
            if let Some(line) = self.line_below(name) {
                let place = if line > self.line { "below" } else { "by this line" };
                diagnostic = diagnostic
                    .note(format!("`{name}` is defined {place}"), Location::Text(line))
                    .help("a node can only use nodes above it");
            } else if let Some(nearest) =
                crate::nearest(name, self.graph.iter().map(|(_, node)| &*node.name))
            {
                diagnostic = diagnostic.help(format!("did you mean `{nearest}`?"));
            }
            self.report(diagnostic);
        }
        found
    }

    /// The line that defines a name, this one or one further down.
    fn line_below(&self, name: &str) -> Option<u32> {
        // Looked for again for each name that is reported, which are few: a table would take more
        // than the text.
        let lines = self.text.lines().zip(1u32..).skip(self.line.saturating_sub(1) as usize);
        let mut lines = lines.filter(|(text, _)| {
            let mut cursor = Cursor::new(text);
            cursor.word() == Some(name) && cursor.eat(b'=')
        });
        lines.next().map(|(_, line)| line)
    }
}
