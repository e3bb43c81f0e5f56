//! A folder of checkpoints.

use std::path::{Path, PathBuf};

use abeyance_session::Session;
use abeyance_storage::{Disk, Storage};

use crate::checkpoint::Checkpoint;
use crate::error::Error;

/// The number of checkpoints that are kept by default, as by TensorFlow's `Saver`.
pub const DEFAULT_KEEP: usize = 5;

/// A folder of checkpoints, one file for a step: `step-2000.safetensors`.
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
    storage: Box<dyn Storage + Send + Sync>,
}

impl Checkpoints {
    /// Opens a folder of checkpoints, which is made if it is not there. Temporary files that a
    /// killed program left are removed, so one program at a time may save there.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_on(folder, Box::new(Disk))
    }

    /// Opens a folder of checkpoints on another [`Storage`] than the disk, such as one that fails,
    /// for tests.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open_on(
        folder: impl AsRef<Path>,
        storage: Box<dyn Storage + Send + Sync>,
    ) -> Result<Self, Error> {
        let folder = folder.as_ref().to_owned();
        let failed = |what| {
            let path = folder.clone();
            move |error| Error::Disk { what, path, error }
        };
        std::fs::create_dir_all(&folder).map_err(failed("make the folder"))?;
        for path in abeyance_storage::temporary_files(&folder).map_err(failed("list"))? {
            // If it cannot be removed it does no harm.
            let _ = storage.remove(&path);
        }
        Ok(Self { folder, keep: DEFAULT_KEEP, storage })
    }

    /// Sets the number of checkpoints that are kept, the newest ones; 0 keeps all. The default is
    /// [`DEFAULT_KEEP`].
    pub fn keep(mut self, newest: usize) -> Self {
        self.keep = newest;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The steps of which there are checkpoints, with their files, oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<(u64, PathBuf)>, Error> {
        list(&self.folder)
    }

    /// Saves a checkpoint of a session, then removes the oldest beyond those that are kept. Returns
    /// the path of the new file.
    ///
    /// # Errors
    /// The operating system refuses to write or remove a file. Checkpoints that were there are then
    /// there still, as a whole.
    pub fn save(&self, session: &Session) -> Result<PathBuf, Error> {
        self.save_checkpoint(&Checkpoint::of(session))
    }

    /// Saves a checkpoint that was made already, then removes the oldest beyond those that are
    /// kept. Returns the path of the new file.
    ///
    /// # Errors
    /// The operating system refuses to write or remove a file. Checkpoints that were there are then
    /// there still, as a whole.
    pub fn save_checkpoint(&self, checkpoint: &Checkpoint) -> Result<PathBuf, Error> {
        let path = self.folder.join(file_name(checkpoint.step()));
        checkpoint.save_to(&*self.storage, &path)?;
        if self.keep > 0 {
            let older: Vec<(u64, PathBuf)> = self.list()?;
            let older = older.into_iter().filter(|(step, _)| *step < checkpoint.step());
            let older: Vec<PathBuf> = older.map(|(_, path)| path).collect();
            let surplus = (older.len() + 1).saturating_sub(self.keep);
            for path in older.into_iter().take(surplus) {
                let removed = self.storage.remove(&path);
                removed.map_err(|error| Error::Disk { what: "remove", path, error })?;
            }
        }
        Ok(path)
    }

    /// The newest checkpoint; none in an empty folder.
    ///
    /// # Errors
    /// It cannot be read or is damaged: the one before it is named then.
    pub fn latest(&self) -> Result<Option<Checkpoint>, Error> {
        Self::latest_in(&self.folder)
    }

    /// The newest checkpoint in a folder in which another program may be saving: nothing there is
    /// touched.
    ///
    /// # Errors
    /// The folder cannot be read; as [`Checkpoints::latest`].
    pub fn latest_in(folder: impl AsRef<Path>) -> Result<Option<Checkpoint>, Error> {
        let mut files = list(folder.as_ref())?;
        let Some((_, newest)) = files.pop() else {
            return Ok(None);
        };
        match (Checkpoint::load(&newest), files.pop()) {
            (Ok(checkpoint), _) => Ok(Some(checkpoint)),
            (Err(error), Some((_, before))) => Err(error.advise(format!(
                "the one before it is `{}`: remove the damaged one to go on from there",
                before.display()
            ))),
            (Err(error), None) => Err(error),
        }
    }
}

impl std::fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpoints")
            .field("folder", &self.folder)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// The steps of which there are checkpoints in a folder, with their files, oldest first.
fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let failed = |error| Error::Disk { what: "list", path: folder.to_owned(), error };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(step) = step_of(name) {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

fn file_name(step: u64) -> String {
    format!("step-{step}.safetensors")
}

/// The step in a file's name.
fn step_of(name: &str) -> Option<u64> {
    let step = name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()?;
    (file_name(step) == name).then_some(step)
}
