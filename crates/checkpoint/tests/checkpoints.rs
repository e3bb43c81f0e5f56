//! Checkpoints: training that stops and goes on, folders, other networks, damage, disks that fail.

use std::path::PathBuf;

use abeyance_checkpoint::{Checkpoint, Checkpoints, Error, Restore};
use abeyance_graph::{Graph, Operation, Tensor, dims, glorot_uniform, ones, zeros};
use abeyance_session::{Session, SessionOptions, feeds};
use abeyance_storage::FaultyDisk;
use abeyance_train::{Adam, Optimizer, global_step};
use ndarray::{Array2, array};

/// A folder of this test's own, empty, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("abeyance-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
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

/// Adam, dropout and a counter: all that a step goes on from.
fn network(g: &Graph) -> (Tensor<'_, f32>, Operation<'_>) {
    let x = g.placeholder::<f32>("x", dims![_, 4]);
    let w = g.variable("layer1/w", glorot_uniform(dims![4, 3]));
    let v = g.variable("layer2/w", glorot_uniform(dims![3, 1]));
    let y = x.matmul(w).tanh().dropout_keeping(0.5).matmul(v);
    let loss = (y - 1.0).square().reduce_mean(..);
    (x, Adam::new(0.01).minimize_counting(loss, global_step(g)))
}

fn batch(step: u64) -> Array2<f32> {
    Array2::from_shape_fn((5, 4), |(i, j)| {
        ((step * 20 + i as u64 * 4 + j as u64) % 17) as f32 / 17.0
    })
}

fn train(session: &Session, (x, step): (Tensor<'_, f32>, Operation<'_>), until: u64) {
    while session.step() < until {
        session.run(step, feeds![x => &batch(session.step())]).unwrap();
    }
}

fn seeded(g: &Graph, seed: u64) -> Session {
    Session::with_options(g, SessionOptions::new().seed(seed)).unwrap()
}

#[test]
fn training_that_was_resumed_is_training_that_never_stopped() {
    let folder = Folder::new("resumed");
    let g = Graph::named("resumed");
    let net = network(&g);
    let whole = seeded(&g, 7);
    train(&whole, net, 40);

    let checkpoints = Checkpoints::open(&folder.0).unwrap();
    let first = seeded(&g, 7);
    train(&first, net, 13);
    checkpoints.save(&first).unwrap();
    drop(first);

    let checkpoint = checkpoints.latest().unwrap().unwrap();
    assert_eq!((checkpoint.step(), checkpoint.seed(), checkpoint.graph()), (13, 7, "resumed"));
    let second = seeded(&g, checkpoint.seed());
    assert!(checkpoint.is_of(&second));
    checkpoint.restore(&second).unwrap();
    train(&second, net, 40);
    assert_eq!(second.state(), whole.state());
}

#[test]
fn the_newest_are_kept_and_the_unfinished_are_removed() {
    let folder = Folder::new("kept");
    let g = Graph::new();
    let net = network(&g);
    let session = Session::new(&g).unwrap();
    std::fs::write(folder.0.join(".step-3.safetensors.1-0.unfinished"), b"half").unwrap();
    std::fs::write(folder.0.join("step-007.safetensors"), b"not ours").unwrap();
    let checkpoints = Checkpoints::open(&folder.0).unwrap().keep(2);
    for step in [5, 9, 10, 100] {
        train(&session, net, step);
        checkpoints.save(&session).unwrap();
    }
    assert_eq!(
        folder.names(),
        ["step-007.safetensors", "step-10.safetensors", "step-100.safetensors"]
    );
    assert_eq!(checkpoints.latest().unwrap().unwrap().step(), 100);
}

#[test]
fn equal_states_have_equal_bytes() {
    let g = Graph::new();
    let net = network(&g);
    let (one, other) = (Session::new(&g).unwrap(), Session::new(&g).unwrap());
    train(&one, net, 3);
    train(&other, net, 3);
    let bytes = Checkpoint::of(&one).note("batch", 100).note("data", "mnist").to_bytes().unwrap();
    let same = Checkpoint::of(&other).note("data", "mnist").note("batch", 100).to_bytes().unwrap();
    assert_eq!(bytes, same);
    let read = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!(read.noted("batch"), Some("100"));
    assert_eq!(read.to_bytes().unwrap(), bytes);
}

#[test]
fn everything_that_does_not_fit_is_told_at_once_and_changes_nothing() {
    let g = Graph::named("digits");
    network(&g);
    let checkpoint = Checkpoint::of(&Session::new(&g).unwrap());

    let other = Graph::named("letters");
    other.variable::<f32>("encoder/w", zeros(dims![4, 3]));
    other.variable::<f32>("layer2/w", zeros(dims![3, 26]));
    other.variable::<f32>("global_step", 0.0);
    let session = Session::new(&other).unwrap();
    let before = session.state();
    let error = checkpoint.restore(&session).unwrap_err();
    insta::assert_snapshot!(error);
    assert_eq!(session.state(), before);

    let restore = Restore::new().rename("layer1", "encoder").only("encoder").partial();
    let comparison = restore.compare(&checkpoint, &session);
    assert!(comparison.fits(), "{comparison}");
    restore.apply(&checkpoint, &session).unwrap();
    let w = session.variable::<f32>("encoder/w").unwrap();
    assert!(w.iter().any(|&w| w != 0.0));
    assert!(session.variable::<f32>("layer2/w").unwrap().iter().all(|&w| w == 0.0));

    let slip = Restore::new().rename("layer9", "encoder").partial();
    insta::assert_snapshot!(slip.apply(&checkpoint, &session).unwrap_err());
}

#[test]
fn another_seed_is_refused() {
    let g = Graph::new();
    network(&g);
    let checkpoint = Checkpoint::of(&seeded(&g, 1));
    let error = checkpoint.restore(&seeded(&g, 2)).unwrap_err().to_string();
    assert!(error.contains("seed 1") && error.contains("seed 2"), "{error}");
}

#[test]
fn weights_of_another_program_are_taken_but_not_gone_on_from() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", ones(dims![2]));
    let session = Session::new(&g).unwrap();
    let header = br#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}      "#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend([3.0f32, 4.0].into_iter().flat_map(f32::to_le_bytes));
    let foreign = Checkpoint::from_bytes(&bytes).unwrap();
    assert!(!foreign.is_complete());
    assert!(foreign.restore(&session).unwrap_err().to_string().contains("another program"));
    Restore::new().apply(&foreign, &session).unwrap();
    assert_eq!(session.run(w, []).unwrap(), array![3.0, 4.0].into_dyn());
}

#[test]
fn every_flipped_bit_and_every_truncation_is_found() {
    let g = Graph::new();
    let net = network(&g);
    let session = Session::new(&g).unwrap();
    train(&session, net, 2);
    let checkpoint = Checkpoint::of(&session);
    let bytes = checkpoint.to_bytes().unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // In the names of its own fields a changed bit can make a file that says nothing of ours:
        // it is no training state.
        if let Ok(read) = Checkpoint::from_bytes(&damaged) {
            assert!(!read.is_complete(), "bit {bit} of byte {}", bit / 8);
        }
    }
    for end in 0..bytes.len() {
        assert!(Checkpoint::from_bytes(&bytes[..end]).is_err(), "{end}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Checkpoint::from_bytes(&longer).is_err());
}

#[test]
fn whatever_fails_while_saving_the_old_checkpoint_is_whole_and_the_failure_is_told() {
    let g = Graph::new();
    let net = network(&g);
    let session = Session::new(&g).unwrap();
    train(&session, net, 1);
    let mut failures = 0;
    for at in 0.. {
        let folder = Folder::new("failing");
        Checkpoints::open(&folder.0).unwrap().save(&session).unwrap();
        let next = Session::new(&g).unwrap();
        train(&next, net, 2);
        let storage = FaultyDisk::at(at);
        let failing = Checkpoints::open_on(&folder.0, Box::new(storage.clone())).unwrap().keep(1);
        let saved = failing.save(&next);
        let newest = Checkpoints::open(&folder.0).unwrap().latest().unwrap().unwrap();
        match saved {
            Ok(_) if !storage.has_failed() => {
                // Nothing failed: there are no more steps to fail at.
                assert_eq!(newest.to_bytes().unwrap(), Checkpoint::of(&next).to_bytes().unwrap());
                assert_eq!(folder.names(), ["step-2.safetensors"]);
                break;
            }
            Ok(_) => panic!("the failure of call {at} was not told"),
            Err(Error::Disk { error, .. }) => assert_eq!(error.to_string(), FaultyDisk::MESSAGE),
            Err(other) => panic!("{other}"),
        }
        failures += 1;
        let whole = [&session, &next].map(|session| Checkpoint::of(session).to_bytes().unwrap());
        assert!(whole.contains(&newest.to_bytes().unwrap()), "call {at}");
        let unfinished = folder.names().iter().filter(|name| name.starts_with('.')).count();
        assert_eq!(unfinished, 0, "call {at}");
    }
    // Create, several writes, flush, sync, rename, sync of the folder, removal of the old one.
    assert!(failures > 12, "{failures}");
}
