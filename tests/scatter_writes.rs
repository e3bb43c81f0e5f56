//! Changing some rows or elements of a variable: `assign_scatter`, `assign_scatter_add`,
//! `assign_scatter_sub`.

use abeyance::prelude::*;
use ndarray::{Array2, arr1, arr2};

#[test]
fn rows_are_replaced_and_the_last_of_several_updates_is_kept() {
    let g = Graph::new();
    let v = g.variable("v", arr2(&[[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    let at = g.placeholder::<i32>("at", dims![_]);
    let rows = g.placeholder::<f32>("rows", dims![_, 2]);
    let step = v.assign_scatter(at, rows);
    assert_eq!(step.to_string(), "assign_scatter : f32[3, 2]");
    let session = Session::new(&g).unwrap();
    let fed = arr2(&[[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]);
    // The result is the new value; the variable has its old one until the run is over.
    let (new, old) = session.run((step, v), feeds![at => &[2, 0, 2], rows => &fed]).unwrap();
    let right = arr2(&[[30.0, 40.0], [3.0, 4.0], [50.0, 60.0]]).into_dyn();
    assert_eq!(new, right);
    assert_eq!(old, arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).into_dyn());
    assert_eq!(session.run(v, []).unwrap(), right);
    // Nothing to change is no change.
    let none = Array2::<f32>::zeros((0, 2));
    session.run(Operation::from(step), feeds![at => &[0i32; 0], rows => &none]).unwrap();
    assert_eq!(session.run(v, []).unwrap(), right);
}

#[test]
fn updates_of_one_row_add_up_in_their_order() {
    let g = Graph::new();
    // 1 + 1e8 + -1e8 in f32: in this order 0; the sum of the updates first would give 1.
    let v = g.variable("v", arr1(&[1.0f32, 7.0]));
    let at = g.constant_array(&arr1(&[0i64, 0]));
    let step = v.assign_scatter_add(at, g.constant_array(&arr1(&[1e8f32, -1e8])));
    let n = g.state("n", arr1(&[250u8, 1, 2]));
    let less = n.assign_scatter_sub(
        g.constant_array(&arr1(&[2i32, 0, 2])),
        g.constant_array(&arr1(&[1u8, 50, 3])),
    );
    let session = Session::new(&g).unwrap();
    let (sum, less) = session.run((step, less), []).unwrap();
    assert_eq!(sum, arr1(&[0.0, 7.0]).into_dyn());
    assert_eq!(less, arr1(&[200, 1, 254]).into_dyn()); // wraps around
}

#[test]
fn elements_and_slices_change_by_their_coordinates() {
    let g = Graph::new();
    let v = g.variable("v", zeros::<f64>(dims![2, 3, 2]));
    let elements = g.constant_array(&arr2(&[[0i64, 2, 1], [1, 0, 0], [0, 2, 1]]));
    let set = v.assign_scatter_nd(elements, g.constant_array(&arr1(&[1.0, 2.0, 3.0])));
    let slices = g.constant_array(&arr2(&[[1i32, 2], [1, 2]]));
    let (more, less) = {
        let _after = g.after([set]);
        let added =
            v.assign_scatter_nd_add(slices, g.constant_array(&arr2(&[[10.0, 20.0], [30.0, 40.0]])));
        let _after = g.after([added]);
        (added, v.assign_scatter_nd_sub(elements, g.constant_array(&arr1(&[0.5, 0.5, 1.0]))))
    };
    let session = Session::new(&g).unwrap();
    // Each builds on the one before.
    let (set, more, less) = session.run((set, more, less), []).unwrap();
    assert_eq!(
        set.iter().copied().collect::<Vec<_>>(),
        [0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    );
    assert_eq!(
        more.iter().copied().collect::<Vec<_>>(),
        [0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 2.0, 0.0, 0.0, 0.0, 40.0, 60.0]
    );
    assert_eq!(
        less.iter().copied().collect::<Vec<_>>(),
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.5, 1.5, 0.0, 0.0, 0.0, 40.0, 60.0]
    );
    assert_eq!(session.run(v, []).unwrap(), less);
}

#[test]
fn a_run_that_fails_changes_nothing() {
    let g = Graph::new();
    let v = g.variable("v", arr1(&[1.0f32, 2.0, 3.0]));
    let at = g.placeholder::<i64>("at", dims![_]);
    let step = v.assign_scatter(at, g.placeholder::<f32>("new", dims![_]));
    let other = g.state("other", 0i64);
    let counted = other.assign_add(1);
    let session = Session::new(&g).unwrap();
    let new = g.tensor::<f32>("new").unwrap();
    for wrong in [3, -1, i64::MAX, i64::MIN] {
        let error = session
            .run((step, counted), feeds![at => &[0, wrong], new => &[9.0, 9.0]])
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("index {wrong} at position 1 is not below 3")), "{error}");
    }
    assert_eq!(session.run(v, []).unwrap(), arr1(&[1.0, 2.0, 3.0]).into_dyn());
    assert_eq!(session.run(other.scalar(), []).unwrap(), 0);
}

#[test]
fn the_bits_are_the_same_for_any_number_of_threads_and_with_passes_on_or_off() {
    let rows = 5_000;
    let g = Graph::new();
    let v = g.variable("v", random_normal::<f32>(dims![rows, 16], 0.0, 1.0));
    let at = (g.random_uniform::<f32>(dims![3_000], 0.0, 1.0) * 700.0).cast::<i32>();
    let noise = g.random_normal::<f32>(dims![3_000, 16], 0.0, 1.0);
    let added = v.assign_scatter_add(at, noise);
    let set = {
        let _after = g.after([added]);
        v.assign_scatter(at + 350, noise * 0.5)
    };
    let run = |threads, optimize| {
        let options = SessionOptions::new().threads(threads).seed(7).optimize(optimize);
        let session = Session::with_options(&g, options).unwrap();
        for _ in 0..3 {
            session.run(Operation::from(set), []).unwrap();
        }
        session.variable::<f32>("v").unwrap().mapv(f32::to_bits)
    };
    let one = run(1, true);
    assert!(run(1, false) == one);
    assert!(run(3, true) == one);
    assert!(run(4, false) == one);
}

#[test]
fn both_file_forms_keep_such_writes() {
    let g = Graph::new();
    let v = g.variable("v", zeros::<f32>(dims![4]));
    let _ = v.assign_scatter(g.constant(1i32), 2.0);
    let _ = v.assign_scatter_nd_sub(g.constant_array(&arr1(&[3i64])), 1.0);
    let text = g.to_string();
    assert_eq!(Graph::parse(&text).unwrap().to_string(), text);
    let folder = std::env::temp_dir().join(format!("scatter_writes_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("writes.graph");
    g.save(&path).unwrap();
    let loaded = Graph::load(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(loaded.to_string(), text);
    let session = Session::new(&loaded).unwrap();
    let step = loaded.tensor::<f32>("assign_scatter").unwrap();
    assert_eq!(session.run(step, []).unwrap(), arr1(&[0.0, 2.0, 0.0, 0.0]).into_dyn());
}

#[test]
fn mistakes_name_the_method_and_the_line() {
    let g = Graph::new();
    let v = g.variable("v", zeros::<f32>(dims![3, 2]));
    let row = g.placeholder::<f32>("row", dims![2]);
    v.assign_scatter(3i64, row);
    let line = line!() - 1;
    v.assign_scatter_add(g.placeholder::<i32>("at", dims![_]), row);
    row.assign_scatter_sub(0i64, 1.0);
    g.variable("s", 0.0f32).assign_scatter(0i32, 1.0);
    v.assign_scatter_nd(g.constant_array(&arr1(&[0i64, 2])), 1.0);
    v.assign_scatter_nd_add(g.constant_array(&arr1(&[0i64, 0, 0])), 1.0);
    v.assign_scatter_nd_sub(0i64, 1.0);
    g.variable("none", zeros::<f32>(dims![0, 2])).assign_scatter(0i64, row);
    let mistakes = g.check().unwrap_err();
    let message = mistakes.to_string();
    for part in [
        "assign_scatter: index 3 at position 0 is out of range: the dimension has size 3",
        "assign_scatter_add: updates of shape [2] are not rows of the variable [3, 2] for indices of shape [N]: those are [N, 2]",
        "assign_scatter_sub: `row` is not a variable",
        "assign_scatter: the variable is a scalar, which has no rows",
        "assign_scatter_nd: index 2 at position 0 is out of range: the dimension has size 2",
        "assign_scatter_nd_add: indices of shape [3] have 3 coordinates, and [3, 2] has 2 dimensions",
        "assign_scatter_nd_sub: a scalar holds no coordinates",
        "assign_scatter: index 0 at position 0 is out of range: the dimension has size 0",
        &format!("tests/scatter_writes.rs:{line}:"),
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(mistakes.0.len(), 8, "{message}");
    assert!(message.matches("tests/scatter_writes.rs").count() >= 8);
}
