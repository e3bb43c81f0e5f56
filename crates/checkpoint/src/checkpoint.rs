//! A checkpoint, its bytes and its file.

use std::path::Path;

use abeyance_ir::Array;
use abeyance_session::{Session, SessionState};
use abeyance_storage::{Disk, Storage, replace};

use crate::error::Error;
use crate::safetensors::{self, Metadata, Tensors};

/// No larger file is read.
const MOST_BYTES: u64 = 1 << 36;

/// The variables of a session by name, and the counters and the seed from which its training goes
/// on.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// `None` if another program wrote the file: then it has values, and nothing to go on from.
    pub(crate) metadata: Option<Metadata>,
    pub(crate) tensors: Tensors,
}

impl Checkpoint {
    /// Takes a checkpoint of a session, between two of its runs.
    pub fn of(session: &Session) -> Self {
        let SessionState { seed, step, draws, variables } = session.state();
        let metadata = Metadata {
            graph: session.graph_name().to_owned(),
            fingerprint: fingerprint(session),
            seed,
            step,
            draws,
            ..Metadata::default()
        };
        let tensors =
            variables.into_iter().map(|(name, array)| (name.to_string(), array)).collect();
        Self { metadata: Some(metadata), tensors }
    }

    /// Makes a checkpoint of arrays by name, without a training. Of two of one name the last
    /// counts. Its file has a checksum as every checkpoint's, and is of step 0 and of no graph.
    pub fn of_arrays(arrays: impl IntoIterator<Item = (String, Array)>) -> Self {
        Self { metadata: None, tensors: arrays.into_iter().collect() }
    }

    /// Keeps the variables whose names `keep` accepts and drops the others: those that a network
    /// needs that is trained no further, for instance.
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let kept = self.tensors.iter().filter(|(name, _)| keep(name));
        let tensors = kept.map(|(name, array)| (name.clone(), array.clone())).collect();
        Self { metadata: self.metadata.clone(), tensors }
    }

    /// Adds a note, such as the size of batches, under a key.
    pub fn note(mut self, key: &str, value: impl ToString) -> Self {
        let metadata = self.metadata.get_or_insert_default();
        metadata.notes.insert(key.to_owned(), value.to_string());
        self
    }

    /// The notes, with their keys, in the order of keys.
    pub fn notes(&self) -> impl Iterator<Item = (&str, &str)> {
        let notes = self.metadata.iter().flat_map(|metadata| &metadata.notes);
        notes.map(|(key, value)| (&**key, &**value))
    }

    /// The note under a key.
    pub fn noted(&self, key: &str) -> Option<&str> {
        self.metadata.as_ref()?.notes.get(key).map(|value| &**value)
    }

    /// The number of training steps behind it; 0 if another program wrote it.
    pub fn step(&self) -> u64 {
        self.metadata.as_ref().map_or(0, |metadata| metadata.step)
    }

    /// The seed of the session it was taken of, which a session that goes on from it must have; 0
    /// if another program wrote it.
    pub fn seed(&self) -> u64 {
        self.metadata.as_ref().map_or(0, |metadata| metadata.seed)
    }

    /// The name of the graph it was taken of; empty if another program wrote it.
    pub fn graph(&self) -> &str {
        self.metadata.as_ref().map_or("", |metadata| &metadata.graph)
    }

    /// True if the session's graph is to the letter the one it was taken of. One that differs can
    /// still be restored if its variables are the same, but need not go on to the same bits.
    pub fn is_of(&self, session: &Session) -> bool {
        self.metadata.as_ref().is_some_and(|metadata| metadata.fingerprint == fingerprint(session))
    }

    /// True if it says how training goes on. One that another program wrote has only values.
    pub fn is_complete(&self) -> bool {
        self.metadata.is_some()
    }

    /// The values of variables by name, in the order of names.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = (&str, &Array)> {
        self.tensors.iter().map(|(name, array)| (&**name, array))
    }

    /// The value of the variable of that name.
    pub fn variable(&self, name: &str) -> Option<&Array> {
        self.tensors.get(name)
    }

    /// The bytes of its file: the same for the same state.
    ///
    /// # Errors
    /// More than 100 MB of names.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        safetensors::write(self.metadata.as_ref().unwrap_or(&Metadata::default()), &self.tensors)
    }

    /// Reads the bytes of a file, of Abeyance or of another program that writes `safetensors`.
    ///
    /// # Errors
    /// They are no such file, damaged, of a newer version, or hold element types that no graph has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (metadata, tensors) = safetensors::read(bytes)?;
        Ok(Self { metadata, tensors })
    }

    /// Writes it to a file, which is replaced as a whole or, if anything fails, not at all.
    ///
    /// # Errors
    /// The operating system refuses to write the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.save_to(&Disk, path.as_ref())
    }

    pub(crate) fn save_to(&self, storage: &dyn Storage, path: &Path) -> Result<(), Error> {
        let bytes = self.to_bytes()?;
        replace(storage, path, |file| file.write_all(&bytes)).map_err(|error| Error::Disk {
            what: "write",
            path: path.to_owned(),
            error,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read; as [`Checkpoint::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = abeyance_storage::read(path, MOST_BYTES).map_err(|error| Error::Disk {
            what: "read",
            path: path.to_owned(),
            error,
        })?;
        Self::from_bytes(&bytes).map_err(|error| error.of(path))
    }
}

fn fingerprint(session: &Session) -> String {
    format!("{:016x}", session.fingerprint())
}
