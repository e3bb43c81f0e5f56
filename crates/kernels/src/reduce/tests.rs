//! Tests of reductions: against the definition, at borders, in long sums, and cut in any way.

use super::*;

/// The reduction by the definition, with the sum in `f64`.
fn naive(dims: &[usize], axes: &[usize], x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let outputs: usize = (0..dims.len()).filter(|a| !axes.contains(a)).map(|a| dims[a]).product();
    let (mut sums, mut largest) = (vec![0.0; outputs], vec![f64::NEG_INFINITY; outputs]);
    for (flat, &v) in x.iter().enumerate() {
        let (mut rest, mut at, mut scale) = (flat, 0, 1);
        for axis in (0..dims.len()).rev() {
            let index = rest % dims[axis];
            rest /= dims[axis];
            if !axes.contains(&axis) {
                at += index * scale;
                scale *= dims[axis];
            }
        }
        sums[at] += v;
        largest[at] = largest[at].max(v);
    }
    (sums, largest)
}

#[test]
fn every_set_of_axes_and_every_cut() {
    for dims in [
        &[4, 3, 5, 2][..],
        &[2, 1, 70, 3],
        &[130, 1, 3],
        &[3, 140],
        &[3000],
        &[20_000],
        &[700, 13],
        &[2500, 6],
        &[5, 3, 40, 12],
        &[61, 63],
        &[],
    ] {
        let len: usize = dims.iter().product();
        let x: Vec<f64> = (0..len).map(|i| ((i * 7919) % 1000) as f64 - 500.0).collect();
        for set in 0..1 << dims.len() {
            let axes: Vec<usize> = (0..dims.len()).filter(|a| set >> a & 1 == 1).collect();
            let plan = Reduction::new(dims, &axes);
            let (sums, largest) = naive(dims, &axes, &x);
            assert_eq!(plan.outputs(), sums.len());
            for piece in [1, 3, sums.len()] {
                let mut out = vec![0.0; sums.len()];
                for (p, out) in out.chunks_mut(piece).enumerate() {
                    plan.run(Operation::Sum, &x, out, p * piece).unwrap();
                }
                assert_eq!(out, sums, "{dims:?} over {axes:?}"); // small integers: exact
                for (p, out) in out.chunks_mut(piece).enumerate() {
                    plan.run(Operation::Max, &x, out, p * piece).unwrap();
                }
                assert_eq!(out, largest, "{dims:?} over {axes:?}");
            }
        }
    }
}

#[test]
fn reductions_of_nothing() {
    let plan = Reduction::new(&[2, 0], &[1]);
    let mut out = [7.0f32; 2];
    plan.run(Operation::Sum, &[], &mut out, 0).unwrap();
    assert_eq!(out, [0.0; 2]);
    plan.run(Operation::Prod, &[], &mut out, 0).unwrap();
    assert_eq!(out, [1.0; 2]);
    plan.run(Operation::Mean, &[], &mut out, 0).unwrap();
    assert!(out[0].is_nan());
    assert!(plan.run(Operation::Max, &[], &mut out, 0).is_err());
    assert!(plan.run(Operation::Mean, &[], &mut [0i32; 2], 0).is_err());
    let none = Reduction::new(&[0, 3], &[1]);
    none.run::<f32>(Operation::Max, &[], &mut [], 0).unwrap();
}

#[test]
fn nan_passes_and_integers_truncate_and_wrap() {
    let plan = Reduction::new(&[3], &[0]);
    let mut out = [0.0f32];
    plan.run(Operation::Max, &[1.0, f32::NAN, 2.0], &mut out, 0).unwrap();
    assert!(out[0].is_nan());
    plan.run(Operation::Min, &[1.0, f32::NEG_INFINITY, 2.0], &mut out, 0).unwrap();
    assert_eq!(out[0], f32::NEG_INFINITY);
    let mut out = [0i32];
    plan.run(Operation::Mean, &[-1, -2, -2], &mut out, 0).unwrap();
    assert_eq!(out, [-1]);
    plan.run(Operation::Sum, &[i32::MAX, 1, 0], &mut out, 0).unwrap();
    assert_eq!(out, [i32::MIN]);
    plan.run(Operation::Prod, &[3, 5, 7], &mut out, 0).unwrap();
    assert_eq!(out, [105]);
}

#[test]
fn the_mean_of_integers_does_not_wrap() {
    fn mean<T: Number, const N: usize>(dims: &[usize], axes: &[usize], x: &[T]) -> [T; N] {
        let mut out = [T::ZERO; N];
        Reduction::new(dims, axes).run(Operation::Mean, x, &mut out, 0).unwrap();
        out
    }
    assert_eq!(mean(&[2], &[0], &[200u8, 200]), [200]);
    assert_eq!(mean(&[2], &[0], &[i32::MAX, 1]), [1 << 30]);
    assert_eq!(mean(&[3], &[0], &[i64::MAX, i64::MAX, i64::MAX]), [i64::MAX]);
    assert_eq!(mean(&[2], &[0], &[i64::MIN, i64::MIN]), [i64::MIN]);
    assert_eq!(mean(&[2, 2], &[0], &[200u8, 9, 250, 10]), [225, 9]);
    assert_eq!(mean(&[2, 2, 2], &[0, 2], &[200u8, 9, 250, 10, 255, 0, 255, 255]), [116, 192]);
    assert_eq!(mean(&[2, 2, 2], &[1], &[200u8, 9, 250, 10, 255, 0, 255, 255]), [225, 9, 255, 127]);
    assert_eq!(mean(&[2], &[0], &[-3, 0]), [-1]);
    assert_eq!(mean(&[300_000], &[0], &vec![i32::MIN; 300_000]), [i32::MIN]);
}

#[test]
fn long_sums_stay_accurate() {
    let x = vec![0.1f32; 1_000_000];
    let exact = 0.1f32 as f64 * 1e6;
    for (dims, axes) in [
        (&[1_000_000][..], &[0][..]),
        (&[500_000, 2], &[0]),
        (&[1000, 1000], &[0, 1]),
        (&[5000, 200], &[0]),
        (&[20_000, 2, 25], &[0, 2]),
        (&[50_000, 1, 20], &[0]),
    ] {
        let plan = Reduction::new(dims, axes);
        let mut out = vec![0.0f32; plan.outputs()];
        plan.run(Operation::Sum, &x, &mut out, 0).unwrap();
        let error = (f64::from(out[0]) * out.len() as f64 / exact - 1.0).abs();
        assert!(error < 2e-6, "{dims:?}: {error}");
    }
}

#[test]
fn two_stages_give_the_sum_for_any_cut() {
    for (dims, axes) in [
        (&[1_000_003][..], &[0][..]),
        (&[60_001, 10], &[0]),
        (&[1, 700, 3, 200], &[0, 1, 3]),
        (&[600, 1000], &[0, 1]),
    ] {
        let len: usize = dims.iter().product();
        let x: Vec<i64> = (0..len as i64).map(|i| i * i % 1013).collect();
        let stages = TwoStage::new(dims, axes).expect("large enough");
        let whole = Reduction::new(dims, axes);
        for operation in [Operation::Sum, Operation::Mean, Operation::Max] {
            let mut expected = vec![0; whole.outputs()];
            whole.run(operation, &x, &mut expected, 0).unwrap();
            for piece in [stages.chunk(), stages.scratch()] {
                let mut scratch = vec![0; stages.scratch()];
                for (p, out) in scratch.chunks_mut(piece).enumerate() {
                    stages.partials(operation, &x, out, p * piece).unwrap();
                }
                let mut out = vec![0; whole.outputs()];
                stages.combine(operation, &scratch, &mut out, 0).unwrap();
                assert_eq!(out, expected, "{dims:?} over {axes:?}");
            }
        }
    }
    assert!(TwoStage::new(&[100, 10], &[0]).is_none());
    assert!(TwoStage::new(&[1000, 1000], &[1]).is_none());
}

#[test]
fn an_entry_of_a_batch_is_reduced_in_two_stages_as_it_is_alone() {
    for (dims, axes) in [
        (&[3, 300_001][..], &[1][..]),
        (&[3, 1, 60_001, 10], &[2]),
        (&[2, 3, 700, 3, 200], &[2, 4]),
        (&[3, 1000, 70], &[1]),
        (&[5, 400], &[1]),
    ] {
        let len: usize = dims.iter().product();
        let x: Vec<f32> = (0..len).map(|i| ((i * 7919) % 10_007) as f32 * 1e-3 - 5.0).collect();
        let sums = |dims: &[usize], x: &[f32]| {
            let whole = Reduction::new(dims, axes);
            let mut out = vec![0.0f32; whole.outputs()];
            match TwoStage::new(dims, axes) {
                Some(stages) => {
                    let mut scratch = vec![0.0; stages.scratch()];
                    for (p, out) in scratch.chunks_mut(stages.chunk()).enumerate() {
                        stages.partials(Operation::Sum, x, out, p * stages.chunk()).unwrap();
                    }
                    stages.combine(Operation::Sum, &scratch, &mut out, 0).unwrap();
                }
                None => whole.run(Operation::Sum, x, &mut out, 0).unwrap(),
            }
            out.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>()
        };
        let squares = |dims: &[usize], x: &[f32]| {
            let plan = squares::Squares::new(dims, axes);
            let mut out = vec![0.0f32; Reduction::new(dims, axes).outputs()];
            if plan.blocks() == 1 {
                plan.run(squares::Measure::Mean, x, &mut out, 0);
            } else {
                let mut buffer = vec![[0.0, 1.0]; plan.scratch()];
                for (p, out) in buffer.chunks_mut(plan.outputs()).enumerate() {
                    plan.partials(x, out, p * plan.outputs());
                }
                plan.combine(squares::Measure::Mean, &buffer, &mut out, 0);
            }
            out.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>()
        };
        let alone = [&[1], &dims[1..]].concat();
        for reduce in [&sums as &dyn Fn(&[usize], &[f32]) -> Vec<u32>, &squares] {
            let entries = x.chunks(len / dims[0]).flat_map(|x| reduce(&alone, x));
            assert_eq!(reduce(dims, &x), entries.collect::<Vec<_>>(), "{dims:?} over {axes:?}");
        }
    }
}

#[test]
fn truth_of_any_and_of_all() {
    let x: [u8; 6] = [0, 0, 1, 0, 1, 1];
    let plan = Reduction::new(&[3, 2], &[1]);
    let mut out = [7u8; 3];
    plan.run(Operation::Any, &x, &mut out, 0).unwrap();
    assert_eq!(out, [0, 1, 1]);
    plan.run(Operation::All, &x, &mut out, 0).unwrap();
    assert_eq!(out, [0, 0, 1]);
    let nothing = Reduction::new(&[3, 0], &[1]);
    nothing.run(Operation::Any, &[], &mut out, 0).unwrap();
    assert_eq!(out, [0; 3]);
    nothing.run(Operation::All, &[], &mut out, 0).unwrap();
    assert_eq!(out, [1; 3]);
    // More of them than a byte counts, in two stages.
    let stages = TwoStage::new(&[1 << 19], &[0]).expect("large enough");
    let mut scratch = vec![7u8; stages.scratch()];
    for operation in [Operation::Any, Operation::All] {
        let x = vec![1u8; 1 << 19];
        stages.partials(operation, &x, &mut scratch, 0).unwrap();
        stages.combine(operation, &scratch, &mut out[..1], 0).unwrap();
        assert_eq!(out[0], 1);
    }
}

#[test]
fn a_maximum_that_is_not_finite_is_0() {
    let x = [1.0f32, -2.0, f32::INFINITY, 0.5, f32::NAN, 3.0, f32::NEG_INFINITY, f32::NEG_INFINITY];
    let plan = Reduction::new(&[4, 2], &[1]);
    let mut out = [7.0f32; 4];
    plan.run(Operation::FiniteMax, &x, &mut out, 0).unwrap();
    assert_eq!(out, [1.0, 0.0, 0.0, 0.0]);
    let nothing = Reduction::new(&[4, 0], &[1]);
    out.fill(7.0);
    nothing.run(Operation::FiniteMax, &[], &mut out, 0).unwrap();
    assert_eq!(out, [0.0; 4]);
}
