//! Reading: the lines of a text, its blocks, and what to do after a mistake.

use std::collections::{HashMap, HashSet};

use super::array::FILL_LIMIT;
use super::cursor::{Cursor, Read, advise, mistake};
use crate::{Context, Diagnostic, Diagnostics, Graph, Location, NodeId, Registry};

/// Reading stops after so many mistakes: by then it is some other mistake.
const MOST_MISTAKES: usize = 20;

impl Graph {
    /// Reads the text form of a graph, whose operators are looked up in `registry`. Every node passes the same checks
    /// and inference as one that is built by calls, and gets the type that the text declares, which the inferred
    /// one must agree with. The graph prints again as it was printed.
    ///
    /// Memory is in proportion to the text, but for the arrays of `fill(..)`, which together get at most 64 MiB.
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
            below: None,
            fills: FILL_LIMIT,
        };
        parser.run();
        let mut graph = parser.graph;
        *graph.context_mut() = Context::default();
        graph.check().map(|()| graph)
    }
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
    After,
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
    /// Whether that line was missed, and reported.
    is_headless: bool,
    /// Whether a node outside of blocks was reported.
    is_told: bool,
    /// Names of nodes that could not be made: who uses them is not reported again.
    broken: HashSet<Box<str>>,
    /// The lines of names not reached yet, once one was missed.
    below: Option<HashMap<&'t str, u32>>,
    pub(super) fills: usize,
}

impl<'t> Parser<'t> {
    fn run(&mut self) {
        for line in self.text.lines() {
            self.line = self.line.saturating_add(1);
            self.graph.context_mut().location = Location::Text(self.line);
            if let Err(diagnostic) = self.read_line(line) {
                self.report(*diagnostic);
            }
            if self.graph.mistakes() >= MOST_MISTAKES {
                self.report(Diagnostic::new(
                    format!("that is {MOST_MISTAKES} mistakes: reading stopped here"),
                    Location::Unknown,
                ));
                return;
            }
            if self.place == Place::After && self.graph.mistakes() > 0 {
                // What follows the end was reported once, or the end came by a mistake.
                return;
            }
        }
        self.check_end();
    }

    fn check_end(&mut self) {
        let (message, opened) = match self.place {
            Place::After => return,
            _ if self.is_headless => return,
            Place::Before => ("expected `graph NAME {`, found nothing", 0),
            Place::Graph => ("the text ends before the `}` of its graph", self.header),
            Place::Block(_, opened) => ("the text ends before the `}` of a block", opened),
        };
        self.line = self.line.max(1);
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
        if self.place == Place::After {
            return Err(cursor.expected("nothing after the `}` that ends the graph"));
        }
        if cursor.eat(b'}') {
            self.place = match self.place {
                Place::Block(..) => Place::Graph,
                Place::Graph => Place::After,
                _ => return Err(self.no_header()),
            };
            return cursor.finish();
        }
        let start = cursor;
        let word = cursor.name("a node, a block or `}`")?;
        if cursor.peek() == Some(b'=') {
            return self.read_statement(start, tail);
        }
        if word == "graph" {
            return self.read_header(cursor);
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
                        "there are `forward {`, `backward {` and `update {`",
                    ));
                }
            };
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
        cursor.expect(b'{', "the graph's name")?;
        cursor.finish()
    }

    fn read_statement(&mut self, start: Cursor<'t>, tail: Option<Cursor<'t>>) -> Read<()> {
        let section = match self.place {
            Place::Block(section, _) => section,
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
        if found.is_none() && self.broken.insert(name.into()) {
            let mut diagnostic = Diagnostic::new(
                format!("there is no node `{}` above", super::cursor::shorten(name)),
                Location::Unknown,
            );
            if let Some(line) = self.line_below(name) {
                let place = match line > self.line {
                    true => "below",
                    false => "by this line",
                };
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
    fn line_below(&mut self, name: &str) -> Option<u32> {
        let (text, this) = (self.text, self.line);
        let below = self.below.get_or_insert_with(|| {
            let mut below = HashMap::new();
            for (text, line) in text.lines().zip(1u32..).skip(this.saturating_sub(1) as usize) {
                let mut cursor = Cursor::new(text);
                if let Some(word) = cursor.word()
                    && cursor.eat(b'=')
                {
                    below.entry(word).or_insert(line);
                }
            }
            below
        });
        below.get(name).copied().filter(|&line| line >= this)
    }
}
