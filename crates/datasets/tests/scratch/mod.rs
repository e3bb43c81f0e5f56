//! Folders of the tests' own, and files to put there.

// Every test file is a program of its own and uses a part of this.
#![allow(dead_code)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A folder that is removed when the value is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder; `name` is to be the test's own.
    pub fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("abeyance-datasets-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An IDX file of elements of the type `code`.
pub fn idx(code: u8, dims: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, code, dims.len() as u8];
    file.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    file.extend(elements);
    file
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
