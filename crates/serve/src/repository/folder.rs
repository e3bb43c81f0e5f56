//! A folder of models: `NAME/VERSION/...`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file of a version, as far as it tells whether the version has changed.
pub(super) type FileState = (PathBuf, u64, SystemTime);

/// A version's files as they lie in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionFiles {
    pub(super) path: PathBuf,
    pub(super) stamps: Vec<FileState>,
}

/// The most versions of a model, and the most models of a folder, that are looked at.
const MOST: usize = 10_000;

/// The models and their versions in a folder. What is no folder, or whose name begins with a point,
/// is passed over; so are versions that are no whole numbers.
pub(super) fn scan(folder: &Path) -> io::Result<BTreeMap<String, BTreeMap<u64, VersionFiles>>> {
    let mut models = BTreeMap::new();
    for entry in std::fs::read_dir(folder)?.take(MOST) {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || !entry.path().is_dir() {
            continue;
        }
        let mut versions = BTreeMap::new();
        // It may be gone again by now.
        let Ok(inside) = std::fs::read_dir(entry.path()) else { continue };
        for version in inside.take(MOST).flatten() {
            let number = version.file_name().to_str().and_then(number);
            if let (Some(number), true) = (number, version.path().is_dir()) {
                let path = version.path();
                // What cannot be listed cannot be loaded either, and is told then.
                let stamps = abeyance_package::files(&path).unwrap_or_default();
                versions.insert(number, VersionFiles { path, stamps });
            }
        }
        if !versions.is_empty() {
            models.insert(name, versions);
        }
    }
    Ok(models)
}

/// A version's number, as it is written without leading zeros.
fn number(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}
