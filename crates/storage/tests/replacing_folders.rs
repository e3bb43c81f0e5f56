//! Whatever fails while a folder is replaced, there is the old folder or the new one, as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use abeyance_storage::{Disk, FaultyDisk, replace_folder};

/// A folder of this test's own, empty, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("abeyance-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The names of the files and folders in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The files of a folder, by name; `None` if it is not there.
fn contents(folder: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let entries = std::fs::read_dir(folder).ok()?;
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    Some(entries.map(file).collect())
}

fn files(files: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

#[test]
fn whichever_call_fails_the_folder_is_the_old_one_or_the_new_one() {
    let old = files(&[("graph", b"old"), ("left over", b"old")]);
    let new = files(&[("graph", &[b'n'; 300]), ("weights", &[b'w'; 300])]);
    for with_old in [false, true] {
        let mut news = 0;
        for call in 0.. {
            let folder = Folder::new("replacing-folders");
            let path = folder.0.join("model");
            if with_old {
                std::fs::create_dir(&path).unwrap();
                old.iter()
                    .for_each(|(name, bytes)| std::fs::write(path.join(name), bytes).unwrap());
            }
            let storage = FaultyDisk::at(call);
            let replaced = replace_folder(&storage, &path, |filling| {
                new.iter()
                    .try_for_each(|(name, bytes)| filling.file(name, |file| file.write_all(bytes)))
            });
            let found = contents(&path);
            if !storage.has_failed() {
                replaced.unwrap();
                assert_eq!(found, Some(new.clone()));
                assert_eq!(folder.names(), ["model"]);
                break;
            }
            assert_eq!(replaced.unwrap_err().to_string(), FaultyDisk::MESSAGE, "call {call}");
            let is_new = found.as_ref() == Some(&new);
            assert!(is_new || found == with_old.then(|| old.clone()), "call {call}: {found:?}");
            news += usize::from(is_new);
            // Only the old folder may be left over, once the new one is in its place.
            assert!(
                folder.names().len() <= 1 + usize::from(is_new),
                "call {call}: {:?}",
                folder.names()
            );
        }
        // The sync of the folder around, and the removal of the old one.
        assert_eq!(news, 1 + usize::from(with_old));
    }
}

#[test]
fn what_the_writer_objects_to_leaves_nothing() {
    let folder = Folder::new("objecting-folders");
    let path = folder.0.join("model");
    let error = replace_folder(&Disk, &path, |filling| {
        filling.file("graph", |file| file.write_all(b"half"))?;
        Err(std::io::Error::other("no more to say"))
    });
    assert_eq!(error.unwrap_err().to_string(), "no more to say");
    assert_eq!(folder.names(), [""; 0]);
    let error = replace_folder(&Disk, &folder.0.join(".."), |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("is not the name of a folder"), "{error}");
}
