//! Running the command, in a folder of the test's own, on a small data set and small graphs.
#![allow(dead_code, missing_docs)] // not every test needs everything

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use abeyance::prelude::*;

pub struct Folder(pub PathBuf);

impl Folder {
    /// Empty, and removed at the end.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("abeyance-cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// With digits in `data` and a network in `net.graph`.
    pub fn with_network(name: &str) -> Self {
        let folder = Self::new(name);
        digits(&folder.0.join("data"));
        let g = Graph::named("net");
        network(&g);
        g.save(folder.0.join("net.graph")).unwrap();
        folder
    }

    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abeyance"));
        command.current_dir(&self.0).args(arguments.split_whitespace());
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &str) -> Ran {
        Ran::new(self.command(arguments).output().unwrap())
    }

    /// Runs what must succeed, and gives what it printed.
    pub fn succeed(&self, arguments: &str) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments}\n{}", ran.errors);
        ran.output
    }

    /// That two files have the same bytes.
    #[track_caller]
    pub fn assert_same(&self, one: &str, other: &str) {
        assert!(self.read(one) == self.read(other), "{one} and {other} differ");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Ran {
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl Ran {
    pub fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            output: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Images of 6 by 6 pixels, in which the row of the digit is bright: 300 to train on, 100 to test
/// on.
pub fn digits(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (half, count) in [("train", 300u32), ("t10k", 100)] {
        let digit = |index: u32| index % 6;
        let mut images = vec![0, 0, 8, 3];
        [count, 6, 6].iter().for_each(|size| images.extend(size.to_be_bytes()));
        let mut labels = vec![0, 0, 8, 1];
        labels.extend(count.to_be_bytes());
        for index in 0..count {
            for pixel in 0..36 {
                let noise = (index * 7919 + pixel * 104_729) % 90;
                images.push((noise + if pixel / 6 == digit(index) { 120 } else { 0 }) as u8);
            }
            labels.push(digit(index) as u8);
        }
        std::fs::write(folder.join(format!("{half}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{half}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// All that training goes on from: slots of an optimizer, dropout, a rate that falls.
pub fn network(g: &Graph) {
    let x = g.placeholder::<f32>("x", dims![_, 6, 6, 1]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 10]);
    let keep = g.placeholder_with_default("keep", 1.0f32);
    let w = g.variable("w", glorot_uniform(dims![36, 20]));
    let v = g.variable("v", glorot_uniform(dims![20, 10]));
    let logits = x.reshape(dims![_, 36]).matmul(w).relu().dropout_keeping(keep).matmul(v);
    let loss = logits.softmax_cross_entropy(y_).reduce_mean(..);
    let accuracy = logits.argmax(-1).equal(y_.argmax(-1)).cast::<f32>().reduce_mean(..);
    let step = global_step(g);
    let rate = 0.01 / (1.0 + step.cast::<f32>() / 100.0);
    let train_step = Adam::new(rate).minimize_counting(loss, step);
    for name in ["train", "evaluate"] {
        let batch = g.signature(name).input("images", x).input("labels", y_);
        batch.output("loss", loss).output("accuracy", accuracy);
    }
    g.signature("train").feed(keep, 0.75f32).step(train_step);
    let predict = g.signature("predict").input("images", x);
    predict.output("digit", logits.argmax(-1)).output("probabilities", logits.softmax());
}
