//! A small network, its sessions, and folders for its packages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use abeyance_checkpoint::Checkpoint;
use abeyance_graph::{Graph, dims, glorot_uniform, zeros};
use abeyance_package::{Case, Packing, write};
use abeyance_session::{Session, SessionOptions, Value};
use ndarray::ArrayD;

/// A folder of a test's own, empty, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("abeyance-package-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of what is in it.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The files of a folder, by name; `None` if it is not there.
pub fn contents(folder: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let entries = std::fs::read_dir(folder).ok()?;
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    Some(entries.map(file).collect())
}

/// Sums of three numbers, weighted by what is learnt; what an optimizer keeps besides; and a
/// signature that draws.
pub fn network() -> Graph {
    let g = Graph::named("sums");
    let x = g.placeholder::<f32>("x", dims![_, 3]);
    let w = g.variable("w", glorot_uniform(dims![3, 2]));
    let slot = g.variable::<f32>("w/Momentum", zeros(dims![3, 2]));
    let sum = x.matmul(w);
    let step = slot.assign(slot * 0.9 + w);
    g.signature("train").input("numbers", x).output("sum", sum).step(step);
    g.signature("predict").input("numbers", x).output("sum", sum).output("largest", sum.argmax(-1));
    g.signature("noisy").input("numbers", x).output("sum", sum.dropout_keeping(0.5f32));
    g
}

/// A session of it that has other weights for each seed.
pub fn session(g: &Graph, seed: u64) -> Session {
    Session::with_options(g, SessionOptions::new().seed(seed).threads(1)).unwrap()
}

pub fn numbers(rows: usize) -> Value {
    let elements = (0..rows * 3).map(|index| (index as f32 * 0.7).sin()).collect();
    Value::F32(ArrayD::from_shape_vec(vec![rows, 3], elements).unwrap())
}

/// Its package with the weights of a seed and two cases, of one and two rows.
pub fn pack(folder: &Path, seed: u64) {
    let g = network();
    let session = session(&g, seed);
    let run = session.signature("predict").unwrap();
    let checkpoint = Checkpoint::of(&session);
    let mut packing = Packing::new("sums", &g, "predict").checkpoint(&checkpoint);
    for rows in [1, 2] {
        let inputs = vec![("numbers".to_owned(), numbers(rows))];
        packing = packing.case(Case::record(&run, inputs).unwrap());
    }
    write(folder, &packing).unwrap();
}
