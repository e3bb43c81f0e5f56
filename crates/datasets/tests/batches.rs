//! Batches show every example once an epoch, the same on every run, from any step on.

use std::collections::BTreeSet;

use abeyance_datasets::{Batches, Dataset};
use ndarray::{Array1, Array3, Axis, s};

/// `count` images of 2 by 3 pixels; number `n` is filled with the byte `n` and labelled `n`.
fn numbered(count: u8) -> Dataset {
    let images = Array3::from_shape_fn((usize::from(count), 2, 3), |(n, _, _)| n as u8);
    Dataset::new(images, (0..count).collect(), 256).unwrap()
}

/// The examples of the first batches, one after another.
fn digits(batches: Batches<'_>, steps: usize) -> Vec<u8> {
    batches.take(steps).flat_map(|batch| batch.digits.to_vec()).collect()
}

fn assert_is_an_epoch(examples: &[u8]) {
    let distinct: BTreeSet<u8> = examples.iter().copied().collect();
    assert_eq!(distinct.len(), examples.len(), "{examples:?}");
    assert!(examples.iter().all(|&n| usize::from(n) < examples.len()));
}

#[test]
fn every_epoch_shows_every_example_once_and_is_shuffled_anew() {
    let set = numbered(60);
    let mut epochs = BTreeSet::new();
    for epoch in digits(set.batches(20), 30).chunks(60) {
        assert_is_an_epoch(epoch);
        epochs.insert(epoch.to_vec());
    }
    assert_eq!(epochs.len(), 10, "an order came twice");
}

#[test]
fn a_remainder_is_carried_over_into_the_next_epoch() {
    let set = numbered(60);
    for size in [1, 7, 25, 59] {
        let shown = digits(set.batches(size), 60);
        assert_eq!(shown.len(), 60 * size);
        shown.chunks(60).for_each(assert_is_an_epoch);
        // The order is that of the epochs, whatever they are cut into.
        assert_eq!(shown[..60], digits(set.batches(60), 1));
    }
}

#[test]
fn images_and_labels_stay_together() {
    let set = numbered(50);
    for (step, batch) in set.batches(8).take(20).enumerate() {
        assert_eq!(batch.step, step as u64);
        assert_eq!(batch.images.shape(), [8, 2, 3, 1]);
        assert_eq!(batch.labels.shape(), [8, 256]);
        for (i, &digit) in batch.digits.iter().enumerate() {
            let pixel = f32::from(digit) / 255.0;
            assert!(batch.images.slice(s![i, .., .., ..]).iter().all(|&p| p == pixel));
            assert_eq!(batch.labels[[i, usize::from(digit)]], 1.0);
            assert_eq!(batch.labels.row(i).sum(), 1.0);
        }
    }
}

#[test]
fn a_seed_is_an_order() {
    let set = numbered(100);
    let order = |seed| digits(set.batches(10).seed(seed), 20);
    assert_eq!(order(3), order(3));
    assert_ne!(order(3), order(4));
    assert_eq!(order(0), digits(set.batches(10), 20));
    // The builder may also be called on a run that has begun.
    let mut begun = set.batches(10);
    begun.next();
    assert_eq!(digits(begun.seed(3).starting_at(0), 20), order(3));
}

/// Whoever stopped training under an older release goes on with the batches it would have had.
#[test]
fn the_order_is_the_same_for_ever() {
    let set = numbered(10);
    assert_eq!(
        digits(set.batches(10), 2),
        [2, 8, 6, 1, 9, 5, 7, 4, 0, 3, 0, 6, 4, 3, 8, 9, 7, 2, 5, 1]
    );
    assert_eq!(
        digits(set.batches(10).seed(42).starting_at(1_000_000), 1),
        [0, 9, 8, 6, 1, 5, 4, 3, 2, 7]
    );
}

#[test]
fn training_resumes_at_any_step() {
    let set = numbered(30);
    for size in [10, 7] {
        let whole: Vec<_> = set.batches(size).seed(5).take(40).collect();
        for step in 0..20 {
            let resumed: Vec<_> = set.batches(size).seed(5).starting_at(step).take(20).collect();
            assert_eq!(resumed, whole[step as usize..][..20], "from step {step}");
        }
        let skipped = set.batches(size).seed(5).nth(13);
        assert_eq!(skipped.as_ref(), whole.get(13));
    }
    assert_eq!(set.batches(10).starting_at(7).epoch(), 2);
}

#[test]
fn the_last_step_there_is_does_not_overflow() {
    let set = numbered(30);
    let steps: Vec<u64> =
        set.batches(30).starting_at(u64::MAX).take(2).map(|batch| batch.step).collect();
    assert_eq!(steps, [u64::MAX, 0]);
    assert!(set.batches(7).starting_at(u64::MAX).nth(usize::MAX).is_some());
}

#[test]
fn a_size_of_nothing_or_too_much_is_brought_into_range() {
    let set = numbered(12);
    assert_eq!(set.batches(0).size(), 1);
    assert_eq!(set.batches(0).next().unwrap().digits.len(), 1);
    assert_eq!(set.batches(usize::MAX).size(), 12);
    assert_is_an_epoch(&digits(set.batches(usize::MAX), 1));
    assert_eq!(set.sequential(0).len(), 12);
    assert_eq!(set.sequential(usize::MAX).len(), 1);
}

#[test]
fn nothing_has_no_batches() {
    let set = Dataset::new(Array3::zeros((0, 2, 3)), Array1::zeros(0), 10).unwrap();
    assert!(set.batches(5).next().is_none());
    assert!(set.batches(5).starting_at(9).nth(9).is_none());
    assert_eq!(set.batches(5).size_hint(), (0, Some(0)));
    assert_eq!(set.batches(5).epoch(), 0);
    assert_eq!(set.sequential(5).len(), 0);
}

#[test]
fn a_sequential_pass_is_the_data_set_in_order() {
    let set = numbered(25);
    let mut pass = set.sequential(10);
    assert_eq!(pass.len(), 3);
    let mut start = 0;
    for batch in pass.by_ref() {
        let end = start + batch.digits.len();
        assert_eq!(batch.digits, set.digits.slice(s![start..end]));
        assert_eq!(batch.images, set.images.slice(s![start..end, .., .., ..]));
        assert_eq!(batch.labels, set.labels.slice(s![start..end, ..]));
        start = end;
    }
    assert_eq!(start, 25);
    assert_eq!(pass.len(), 0);
    assert!(pass.next().is_none());
}

#[test]
fn fields_that_the_user_changed_are_batched_without_panic() {
    let sound = numbered(20);
    let mut set = sound.clone();
    // Another layout: rows in reverse.
    set.images.invert_axis(Axis(0));
    let batch = set.batches(6).next().unwrap();
    for (i, &digit) in batch.digits.iter().enumerate() {
        assert_eq!(batch.images[[i, 1, 1, 0]], f32::from(19 - digit) / 255.0);
    }
    // Fewer labels than images.
    let mut set = sound;
    set.labels = set.labels.slice(s![..7, ..]).to_owned();
    assert_eq!(set.len(), 7);
    assert_is_an_epoch(&digits(set.batches(7), 1));
    assert_eq!(set.sequential(10).next().unwrap().images.len_of(Axis(0)), 7);
}
