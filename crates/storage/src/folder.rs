//! Folders that are replaced as a whole or not at all.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Storage, folder, name, temporary_name, write_to};

/// Writes the files of a new folder, which has a temporary name until it is complete.
pub struct FolderWriter<'s> {
    storage: &'s dyn Storage,
    folder: PathBuf,
}

impl FolderWriter<'_> {
    /// Writes and syncs a file of that name.
    ///
    /// # Errors
    /// `write` or the disk fails, or the folder has such a file already.
    pub fn file(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        write_to(self.storage, &self.folder.join(name), write)
    }
}

/// Replaces the folder at `path` by one with the files that `fill` writes, or makes it.
///
/// Where a folder stands at `path` it is set aside and the new one takes its name, by two renames
/// one after the other, since no system renames over a folder with files in it. A program that
/// looks in between finds no folder there; one that is killed in between leaves the old one beside
/// it, as `.NAME.PROCESS-NUMBER.unfinished`.
///
/// # Errors
/// `fill` or the disk fails. The folder at `path` is then as it was, unless the last steps fail,
/// the sync of the folder around it and the removal of the old one: then it is the new one, as a
/// whole.
pub fn replace_folder(
    storage: &dyn Storage,
    path: &Path,
    fill: impl FnOnce(&FolderWriter<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let name: &OsStr = name(path, "folder")?;
    let around = folder(path);
    let temporary = around.join(temporary_name(name));
    let filled = storage.create_folder(&temporary).and_then(|()| {
        fill(&FolderWriter { storage, folder: temporary.clone() })?;
        storage.sync_folder(&temporary)
    });
    let is_there = path.symlink_metadata().is_ok();
    let aside = is_there.then(|| around.join(temporary_name(name)));
    let placed = filled.and_then(|()| {
        if let Some(aside) = &aside {
            storage.rename(path, aside)?;
        }
        storage.rename(&temporary, path).inspect_err(|_| {
            // Back as it was; the error that counts is the first.
            if let Some(aside) = &aside {
                let _ = storage.rename(aside, path);
            }
        })
    });
    if let Err(error) = placed {
        let _ = storage.remove_folder(&temporary);
        return Err(error);
    }
    storage.sync_folder(around)?;
    match &aside {
        Some(aside) => storage.remove_folder(aside),
        None => Ok(()),
    }
}
