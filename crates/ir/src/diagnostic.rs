//! Diagnostics: the mistakes of a program, printed as a compiler prints them.

use std::collections::BTreeSet;
use std::fmt;

use parking_lot::Mutex;

/// The location at which a node was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Location {
    /// An unknown location.
    #[default]
    Unknown,
    /// A call in a Rust program.
    Source(SourcePlace),
    /// A line of a graph's text form, counted from 1.
    Text(u32),
}

/// A place in a Rust program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePlace {
    file: &'static str,
    line: u32,
    column: u32,
}

/// The most bytes that the names of files in graphs may take together. They are kept for as long as
/// the program runs, since locations are copied all over.
const MOST_FILE_NAMES: usize = 1 << 20;

impl SourcePlace {
    /// A place that was recorded by the program that saved a graph. None if there are too many
    /// files, or the name of this one is longer than 4096 bytes.
    pub fn recorded(file: &str, line: u32, column: u32) -> Option<Self> {
        static FILES: Mutex<(BTreeSet<&'static str>, usize)> = Mutex::new((BTreeSet::new(), 0));
        let mut kept = FILES.lock();
        let (files, bytes) = &mut *kept;
        let file = match files.get(file) {
            Some(&file) => file,
            None if file.len() > 4096 || *bytes + file.len() > MOST_FILE_NAMES => return None,
            None => {
                let file: &'static str = Box::leak(file.into());
                *bytes += file.len();
                files.insert(file);
                file
            }
        };
        Some(Self { file, line, column })
    }

    /// The file, as the compiler was given it.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// The line, counted from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column, counted from 1.
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl Location {
    /// The place from which the function that calls this was called, through every
    /// `#[track_caller]`.
    #[track_caller]
    pub fn caller() -> Self {
        let at = std::panic::Location::caller();
        Location::Source(SourcePlace { file: at.file(), line: at.line(), column: at.column() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Unknown => f.write_str("(unknown place)"),
            Location::Source(at) => write!(f, "{}:{}:{}", at.file(), at.line(), at.column()),
            Location::Text(line) => write!(f, "line {line} of the graph's text"),
        }
    }
}

/// A fault that a rule of an operator finds. The graph makes a [`Diagnostic`] of it, with node,
/// operands and places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The fault, with the shapes or numbers concerned.
    pub message: String,
    /// The way to mend it, where that is known.
    pub help: Option<String>,
}

impl Fault {
    /// A fault without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// Adds advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<abeyance_launch::Failure> for Fault {
    fn from(failure: abeyance_launch::Failure) -> Self {
        Fault::new(failure.0)
    }
}

/// A thing that a diagnostic points at: an operand, the other write, the origin of a dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The thing in words: `flat : f32[N, 784]`.
    pub text: String,
    /// The location at which it was made.
    pub location: Location,
}

/// A mistake of a program.
#[derive(Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The mistake in words.
    pub message: String,
    /// The name of the node it is about, if there is one.
    pub node: Option<String>,
    /// The location at which that node was made.
    pub location: Location,
    /// The operands and whatever else bears on the mistake.
    pub notes: Vec<Note>,
    /// The way to mend it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic that is about no node.
    pub fn new(message: impl Into<String>, location: Location) -> Self {
        Self { message: message.into(), node: None, location, notes: Vec::new(), help: None }
    }

    /// Names the node it is about.
    pub fn node(mut self, name: impl Into<String>) -> Self {
        self.node = Some(name.into());
        self
    }

    /// Adds something to point at.
    pub fn note(mut self, text: impl Into<String>, location: Location) -> Self {
        self.notes.push(Note { text: text.into(), location });
        self
    }

    /// Adds advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {self:?}")
    }
}

/// The text without its `error: `. This is what `unwrap` and a `main` that returns an error show,
/// the latter behind an `Error: ` of its own, so it is for reading too.
impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.location != Location::Unknown {
            write!(f, "\n  --> {}", self.location)?;
        }
        for note in &self.notes {
            write!(f, "\n   | {}", note.text)?;
            if note.location != Location::Unknown {
                write!(f, "  ({})", note.location)?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n   = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// All mistakes of a program, reported together, at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// The mistakes, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {self:?}")
    }
}

/// The text without the `error: ` it begins with, as for one [`Diagnostic`].
impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            match index {
                0 => write!(f, "{diagnostic:?}")?,
                _ => write!(f, "\n\n{diagnostic}")?,
            }
        }
        if self.0.len() > 1 {
            write!(f, "\n\n{} errors", self.0.len())?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
