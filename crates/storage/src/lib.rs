//! Files that are replaced as a whole or not at all, whatever fails and whenever the program is
//! killed: the new content is written to a file beside the old one, synced, put in its place by a
//! rename, and the folder is synced.
//!
//! [`replace_folder`] does so with a folder of files.
//!
//! [`Storage`] has the operations that this needs, so that tests can make every one of them fail
//! ([`FaultyDisk`]). This crate must not know what is in a file.

mod faulty_disk;
mod folder;

pub use faulty_disk::FaultyDisk;
pub use folder::{FolderWriter, replace_folder};

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The operations on a disk that replacing a file or a folder needs.
pub trait Storage {
    /// Makes a file that is not there yet, for writing.
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;

    /// Renames a file within its folder, and replaces a file of the new name.
    ///
    /// # Errors
    /// As [`fs::rename`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Syncs a folder, so that new names in it survive a power failure.
    ///
    /// # Errors
    /// As [`File::sync_all`].
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As [`fs::remove_file`].
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder that is not there yet.
    ///
    /// # Errors
    /// As [`fs::create_dir`].
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with its files.
    ///
    /// # Errors
    /// As [`fs::remove_dir_all`].
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub trait Output: Write {
    /// Syncs the file, so that its bytes survive a power failure.
    ///
    /// # Errors
    /// As [`File::sync_all`].
    fn sync(&mut self) -> io::Result<()>;
}

/// The disk itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Only Unix opens folders; elsewhere the rename itself is all there is.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }
}

impl Output for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The end of the names of temporary files.
const UNFINISHED: &str = ".unfinished";

/// Replaces the file at `path` by one with the bytes that `write` writes, or makes it.
///
/// # Errors
/// `write` or the disk fails. The file at `path` is then as it was, but for an error of the last
/// step, the sync of the folder: then it is the old one or the new one, as a whole.
pub fn replace(
    storage: &dyn Storage,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let name = name(path, "file")?;
    let folder = folder(path);
    let temporary = folder.join(temporary_name(name));
    let written =
        write_to(storage, &temporary, write).and_then(|()| storage.rename(&temporary, path));
    if let Err(error) = written {
        // What is left over is removed if it can be; the error that counts is the first.
        let _ = storage.remove(&temporary);
        return Err(error);
    }
    storage.sync_folder(folder)
}

fn write_to(
    storage: &dyn Storage,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 16, storage.create(path)?);
    write(&mut file)?;
    file.flush()?;
    file.get_mut().sync()
}

/// The last part of a path, which names a file or a folder.
fn name<'a>(path: &'a Path, kind: &str) -> io::Result<&'a OsStr> {
    path.file_name().ok_or_else(|| {
        let message = format!("`{}` is not the name of a {kind}", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// The folder of a file, `.` for a bare name.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A temporary name beside `name`, such as `.model.graph.4711-0.unfinished`: hidden, with the
/// process and a number that it has not used yet.
fn temporary_name(name: &OsStr) -> OsString {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut temporary = OsString::from(".");
    temporary.push(name);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    temporary.push(format!(".{}-{number}{UNFINISHED}", std::process::id()));
    temporary
}

/// The temporary files in a folder, which a killed program did not finish writing.
///
/// # Errors
/// The folder cannot be read.
pub fn temporary_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Reads a file of at most `most` bytes. Its length is checked before memory is taken.
///
/// # Errors
/// It cannot be read, is no file, or is longer.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let data = file.metadata()?;
    if data.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    let too_long = |len: u64| {
        let message = format!("it has {len} bytes, more than the {most} that are read");
        io::Error::new(io::ErrorKind::FileTooLarge, message)
    };
    if data.len() > most {
        return Err(too_long(data.len()));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(data.len()).unwrap_or(usize::MAX))?;
    // A device or a pipe may go on for ever.
    let mut limited = io::Read::take(file, most.saturating_add(1));
    io::Read::read_to_end(&mut limited, &mut bytes)?;
    if bytes.len() as u64 > most { Err(too_long(bytes.len() as u64)) } else { Ok(bytes) }
}
