//! Whatever fails while a file is replaced, there is the old file or the new one, and nothing else.

use std::path::PathBuf;

use abeyance_storage::{Disk, FaultyDisk, replace, temporary_files};

/// A folder of this test's own, empty, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("abeyance-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn whichever_call_fails_the_file_is_the_old_one_or_after_the_rename_the_new_one() {
    let new = [b'n'; 1000];
    for old in [None, Some(b"old".as_slice())] {
        let mut seen = Vec::new();
        for call in 0.. {
            let folder = Folder::new("replacing");
            let path = folder.0.join("model.graph");
            if let Some(old) = old {
                std::fs::write(&path, old).unwrap();
            }
            let storage = FaultyDisk::at(call);
            let replaced = replace(&storage, &path, |file| file.write_all(&new));
            let found = std::fs::read(&path).ok();
            assert!(temporary_files(&folder.0).unwrap().is_empty(), "call {call}");
            if !storage.has_failed() {
                replaced.unwrap();
                assert_eq!(found.as_deref(), Some(&new[..]));
                break;
            }
            assert_eq!(replaced.unwrap_err().to_string(), FaultyDisk::MESSAGE, "call {call}");
            let is_new = found.as_deref() == Some(&new[..]);
            assert!(is_new || found.as_deref() == old, "call {call}: {found:?}");
            seen.push(is_new);
        }
        // Create, ten writes or more, flush, sync, rename; the sync of the folder comes when the
        // new file is in place.
        assert!(seen.len() > 13, "{seen:?}");
        assert_eq!(seen.iter().position(|&is_new| is_new), Some(seen.len() - 1), "{seen:?}");
    }
}

#[test]
fn what_the_writer_objects_to_is_told_and_leaves_nothing() {
    let folder = Folder::new("objecting");
    let path = folder.0.join("model.graph");
    let error = replace(&Disk, &path, |file| {
        file.write_all(b"half")?;
        Err(std::io::Error::other("no more"))
    });
    assert_eq!(error.unwrap_err().to_string(), "no more");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}
