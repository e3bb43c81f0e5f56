//! Graphs in files.

use std::path::Path;

use abeyance_ir::{self as ir, Diagnostic, Diagnostics, Location, MAGIC, Registry};
use abeyance_storage::{Disk, Storage, replace};

use crate::Graph;

/// No larger file is read.
const MOST_BYTES: u64 = 1 << 33;

impl Graph {
    /// Saves the graph: forward, backward and update nodes, first values, summaries, signatures and
    /// seed, and where in the program each node was made. A file at `path` is replaced as a whole
    /// or, if anything fails, not at all.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// let g = Graph::named("double");
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// g.signature("predict").input("x", x).output("y", x + x);
    /// let path = std::env::temp_dir().join("double.graph");
    /// g.save(&path)?;
    /// assert_eq!(Graph::load(&path)?.to_text(), g.to_text());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), abeyance_ir::Diagnostics>(())
    /// ```
    ///
    /// # Errors
    /// The graph's mistakes, if it has any; what the disk objects to.
    #[track_caller]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Diagnostics> {
        self.save_on(&Disk, path)
    }

    /// Saves the graph as [`Graph::save`] does on another storage than the disk: one that fails,
    /// for tests.
    ///
    /// # Errors
    /// As [`Graph::save`].
    #[track_caller]
    pub fn save_on(
        &self,
        storage: &dyn Storage,
        path: impl AsRef<Path>,
    ) -> Result<(), Diagnostics> {
        self.check()?;
        let bytes = self.ir().to_bytes()?;
        write(storage, path.as_ref(), &bytes, Location::caller())
    }

    /// Saves the graph as its whole text, [`Graph::to_text`], which says all but where nodes were
    /// made.
    ///
    /// # Errors
    /// As [`Graph::save`].
    #[track_caller]
    pub fn save_text(&self, path: impl AsRef<Path>) -> Result<(), Diagnostics> {
        self.check()?;
        write(&Disk, path.as_ref(), self.to_text().as_bytes(), Location::caller())
    }

    /// Reads a graph from a file in either form, whichever it is.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, of a version to come, or holds no graph that could be
    /// built.
    #[track_caller]
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        Self::load_with_operators(path, &Registry::default())
    }

    /// Reads a graph from a file in either form, whose nodes may have the operators of a registry
    /// besides the built-in ones.
    ///
    /// # Errors
    /// As [`Graph::load`].
    #[track_caller]
    pub fn load_with_operators(
        path: impl AsRef<Path>,
        operators: &Registry,
    ) -> Result<Self, Diagnostics> {
        let (path, location) = (path.as_ref(), Location::caller());
        let bytes = abeyance_storage::read(path, MOST_BYTES)
            .map_err(|error| failed("read", path, &error, location))?;
        Self::from_bytes_with_operators(&bytes, operators).map_err(|mut mistakes| {
            for mistake in &mut mistakes.0 {
                mistake.notes.insert(
                    0,
                    ir::Note {
                        text: format!("in `{}`", path.display()),
                        location: Location::Unknown,
                    },
                );
            }
            mistakes
        })
    }

    /// Reads a graph from the bytes of a file in either form.
    ///
    /// # Errors
    /// As [`Graph::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Diagnostics> {
        Self::from_bytes_with_operators(bytes, &Registry::default())
    }

    /// Reads a graph from the bytes of a file in either form, whose nodes may have the operators of
    /// a registry besides the built-in ones.
    ///
    /// # Errors
    /// As [`Graph::load`].
    pub fn from_bytes_with_operators(
        bytes: &[u8],
        operators: &Registry,
    ) -> Result<Self, Diagnostics> {
        // The mark of the file form is no text: its first byte stands in no UTF-8.
        if bytes.first() == MAGIC.first() {
            return ir::Graph::from_bytes(bytes, &Self::registry(operators)).map(Self::from_ir);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse_with_operators(text, operators),
            Err(error) => Err(Diagnostic::new(
                format!(
                    "this is no graph: byte {} is neither text nor of a graph file",
                    error.valid_up_to()
                ),
                Location::Unknown,
            )
            .help("a graph file is made with `graph.save(path)`")
            .into()),
        }
    }
}

fn write(
    storage: &dyn Storage,
    path: &Path,
    bytes: &[u8],
    location: Location,
) -> Result<(), Diagnostics> {
    replace(storage, path, |file| file.write_all(bytes))
        .map_err(|error| failed("write", path, &error, location).into())
}

fn failed(what: &str, path: &Path, error: &std::io::Error, location: Location) -> Diagnostic {
    Diagnostic::new(format!("cannot {what} `{}`: {error}", path.display()), location)
}
