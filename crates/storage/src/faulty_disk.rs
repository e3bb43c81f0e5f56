//! A disk on which one call fails, for tests of saving.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Disk, Output, Storage};

/// The most bytes of one write, so that a small file takes several.
const MOST_WRITTEN: usize = 100;

/// The disk, except that one call fails: making a file or a folder, writing, flushing, syncing,
/// renaming or removing.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    calls: Arc<AtomicUsize>,
    at: usize,
}

impl FaultyDisk {
    /// The message of the failure.
    pub const MESSAGE: &str = "the disk is full";

    /// Makes the call of that number fail, counted from 0.
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

struct FaultyOutput {
    inner: Box<dyn Output>,
    storage: FaultyDisk,
}

impl Write for FaultyOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.storage.call()?;
        self.inner.write(bytes.get(..MOST_WRITTEN).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.storage.call()?;
        self.inner.flush()
    }
}

impl Output for FaultyOutput {
    fn sync(&mut self) -> io::Result<()> {
        self.storage.call()?;
        self.inner.sync()
    }
}

impl Storage for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.call()?;
        Ok(Box::new(FaultyOutput { inner: Disk.create(path)?, storage: self.clone() }))
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
