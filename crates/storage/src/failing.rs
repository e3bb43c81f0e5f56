//! A disk that fails, for tests of what is saved.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Disk, Output, Storage};

/// Writes at most this many bytes at a time, so that there are writes in the midst of a small file.
const PIECE: usize = 100;

/// The disk, but that one of the calls to it fails: making a file or a folder, writing, flushing,
/// syncing, renaming, removing.
#[derive(Clone, Debug)]
pub struct Failing {
    calls: Arc<AtomicUsize>,
    at: usize,
}

impl Failing {
    /// What its failure says.
    pub const MESSAGE: &str = "the disk is full";

    /// The call of that number fails, counted from 0.
    pub fn at(call: usize) -> Self {
        Self { calls: Arc::default(), at: call }
    }

    /// True if that call was made.
    pub fn has_failed(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > self.at
    }

    fn call(&self) -> io::Result<()> {
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.at {
            Err(io::Error::other(Self::MESSAGE))
        } else {
            Ok(())
        }
    }
}

struct FailingOutput {
    inner: Box<dyn Output>,
    storage: Failing,
}

impl Write for FailingOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.storage.call()?;
        self.inner.write(bytes.get(..PIECE).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.storage.call()?;
        self.inner.flush()
    }
}

impl Output for FailingOutput {
    fn sync(&mut self) -> io::Result<()> {
        self.storage.call()?;
        self.inner.sync()
    }
}

impl Storage for Failing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.call()?;
        Ok(Box::new(FailingOutput { inner: Disk.create(path)?, storage: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call()?;
        Disk.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call()?;
        Disk.sync_folder(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call()?;
        Disk.remove(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.call()?;
        Disk.create_folder(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.call()?;
        Disk.remove_folder(path)
    }
}
