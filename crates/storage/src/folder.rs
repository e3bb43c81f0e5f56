//! Folders that are replaced as a whole or not at all.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Storage, folder, name, unfinished_name, write_to};

/// A folder that is being filled, beside the place where it will stand.
pub struct Filling<'s> {
    storage: &'s dyn Storage,
    folder: PathBuf,
}

impl Filling<'_> {
    /// Writes and syncs a file of that name in it.
    ///
    /// # Errors
    /// What `write` or the disk objects to; the folder has such a file already.
    pub fn file(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        write_to(self.storage, &self.folder.join(name), write)
    }
}

/// Puts a folder with the files that `fill` writes in the place of the folder at `path`, or makes
/// that folder.
///
/// Where a folder stands at `path` it is set aside and the new one takes its name, by two renames
/// one after the other, since no system renames over a folder with files in it. A program that
/// looks in between finds no folder there; one that is killed in between leaves the old one beside
/// it, as `.NAME.PROCESS-NUMBER.unfinished`.
///
/// # Errors
/// What `fill` or the disk objects to. The folder at `path` is then as it was, unless the last
/// steps fail, the sync of the folder around it and the removal of the old one: then it is the new
/// one, as a whole.
pub fn replace_folder(
    storage: &dyn Storage,
    path: &Path,
    fill: impl FnOnce(&Filling<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let name: &OsStr = name(path, "folder")?;
    let around = folder(path);
    let unfinished = around.join(unfinished_name(name));
    let filled = storage.create_folder(&unfinished).and_then(|()| {
        fill(&Filling { storage, folder: unfinished.clone() })?;
        storage.sync_folder(&unfinished)
    });
    let is_there = path.symlink_metadata().is_ok();
    let aside = is_there.then(|| around.join(unfinished_name(name)));
    let placed = filled.and_then(|()| {
        if let Some(aside) = &aside {
            storage.rename(path, aside)?;
        }
        storage.rename(&unfinished, path).inspect_err(|_| {
            // Back as it was; the error that counts is the first.
            if let Some(aside) = &aside {
                let _ = storage.rename(aside, path);
            }
        })
    });
    if let Err(error) = placed {
        let _ = storage.remove_folder(&unfinished);
        return Err(error);
    }
    storage.sync_folder(around)?;
    match &aside {
        Some(aside) => storage.remove_folder(aside),
        None => Ok(()),
    }
}
