//! Averages of variables against the rule, and their life beside a training.

use abeyance_graph::{AnyTensor, Graph, dims, random_normal};
use abeyance_session::Session;
use abeyance_train::{
    ExponentialMovingAverage, GradientDescent, Optimizer, global_step, trainable_variables,
};

fn only_mistake(g: &Graph) -> abeyance_ir::Diagnostic {
    let mistakes = g.check().unwrap_err();
    assert_eq!(mistakes.0.len(), 1, "{mistakes}");
    mistakes.0.into_iter().next().unwrap()
}

/// Trains `w` from 8 by the gradient 1 and the rate 1, and compares its average with the rule.
fn compare(num_updates: bool, decay: impl Fn(f64) -> f64) {
    let g = Graph::new();
    let (w, narrow) = (g.variable("w", 8.0f64), g.variable("narrow", 8.0f32));
    let step = global_step(&g);
    let train_step = GradientDescent::new(1.0).minimize_counting(w + narrow.cast::<f64>(), step);
    let average = ExponentialMovingAverage::new(0.75);
    let average = if num_updates { average.num_updates(step) } else { average };
    let averages = average.apply_after(train_step);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    let mut wanted = 8.0;
    for n in 0..20 {
        session.run(averages.operation(), []).unwrap();
        let value = 8.0 - f64::from(n) - 1.0;
        let decay = decay(f64::from(n));
        wanted = decay * wanted + (1.0 - decay) * value;
        let (found, current) = session.run((averages.average(w).scalar(), w.scalar()), []).unwrap();
        assert!((found - wanted).abs() < 1e-12, "{n}: {found} for {wanted}");
        assert_eq!(current, value);
        let narrow = session.run(averages.average(narrow).scalar(), []).unwrap();
        assert!((f64::from(narrow) - wanted).abs() < 1e-5);
    }
    let shadow = session.variable::<f64>("w/ExponentialMovingAverage");
    assert!((shadow.unwrap().sum() - wanted).abs() < 1e-12);
}

#[test]
fn the_decay_is_constant() {
    compare(false, |_| 0.75);
}

#[test]
fn the_decay_grows_with_the_number_of_updates() {
    // The count after the step: 1 in the first.
    compare(true, |n| f64::min(0.75, (2.0 + n) / (11.0 + n)));
}

#[test]
fn the_count_is_that_after_the_step_as_in_the_usual_program_of_tensorflow() {
    let g = Graph::new();
    let w = g.variable("w", 10.0f64);
    let step = global_step(&g);
    let train_step = GradientDescent::new(0.25).minimize_counting(w.square(), step); // halves w
    let average = ExponentialMovingAverage::new(0.999).num_updates(step);
    let averages = average.apply_after(train_step);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    session.run(averages.operation(), []).unwrap();
    // 2/11 · 10 + 9/11 · 5
    let found = session.run(averages.average(w).scalar(), []).unwrap();
    assert!((found - 5.909_090_909_090_909).abs() < 1e-14, "{found}");
}

#[test]
fn a_count_that_the_step_does_not_change_is_read_as_it_is() {
    let g = Graph::new();
    let w = g.variable("w", 10.0f64);
    let count = g.state("count", 0i64);
    let train_step = GradientDescent::new(0.25).minimize(w.square());
    let after = ExponentialMovingAverage::new(0.999).num_updates(count).apply_after(train_step);
    let alone = ExponentialMovingAverage::new(0.999).num_updates(count).apply(&g, [w]);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    session.run((after.operation(), alone.operation()), []).unwrap();
    let averages = (after.average(w).scalar(), alone.average(w).scalar());
    let (after, alone) = session.run(averages, []).unwrap();
    assert!((after - 5.5).abs() < 1e-14 && alone == 10.0, "{after} {alone}");
}

#[test]
fn averages_start_where_the_variables_do() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", random_normal(dims![5], 0.0, 1.0));
    let train_step = GradientDescent::new(0.1).minimize(w.square().reduce_sum(..));
    let averages = ExponentialMovingAverage::new(1.0).apply_after(train_step);
    let average = averages.average(w);
    let session = Session::new(&g).unwrap();
    let first = session.run(w, []).unwrap();
    assert_eq!(session.run(average, []).unwrap(), first);
    session.run(averages.operation(), []).unwrap();
    assert_ne!(session.run(w, []).unwrap(), first);
    assert_eq!(session.run(average, []).unwrap(), first);
}

#[test]
fn a_decay_outside_of_0_to_1_is_a_mistake() {
    for decay in [1.5, -0.1, f64::NAN] {
        let g = Graph::new();
        let w = g.variable("w", 8.0f32);
        ExponentialMovingAverage::new(decay).apply(&g, [w]).swap();
        let message = format!("apply: averages cannot keep {decay} of themselves");
        assert_eq!(only_mistake(&g).message, message);
    }
}

#[test]
fn swapping_twice_changes_nothing() {
    let g = Graph::new();
    let w = g.variable("w", 8.0f32);
    let train_step = GradientDescent::new(0.25).minimize(w.square());
    let averages = ExponentialMovingAverage::new(0.5).apply_after(train_step);
    let swap = averages.swap();
    let both = (w.scalar(), averages.average(w).scalar());
    let session = Session::new(&g).unwrap();
    session.run(swap, []).unwrap();
    assert_eq!(session.run(both, []).unwrap(), (8.0, 8.0));
    session.run(averages.operation(), []).unwrap();
    assert_eq!(session.run(both, []).unwrap(), (4.0, 6.0));
    session.run(swap, []).unwrap();
    assert_eq!(session.run(both, []).unwrap(), (6.0, 4.0));
    session.run(swap, []).unwrap();
    assert_eq!(session.run(both, []).unwrap(), (4.0, 6.0));
}

#[test]
fn named_variables_are_averaged_with_the_values_before_the_run() {
    let g = Graph::new();
    let (w, frozen) = (g.variable("w", 8.0f32), g.state("frozen", 2.0f64));
    let all = trainable_variables(&g).into_iter().chain([frozen.into()]);
    let averages = ExponentialMovingAverage::new(0.5).apply(&g, all);
    let train_step = GradientDescent::new(0.25).minimize(w.square());
    let session = Session::new(&g).unwrap();
    session.run((train_step, averages.operation()), []).unwrap();
    assert_eq!(session.run(averages.average(w).scalar(), []).unwrap(), 8.0);
    session.run(averages.operation(), []).unwrap();
    assert_eq!(session.run(averages.average(w).scalar(), []).unwrap(), 6.0);
    assert_eq!(session.run(averages.average(frozen).scalar(), []).unwrap(), 2.0);
}

#[test]
fn a_failing_step_leaves_the_averages() {
    let g = Graph::new();
    let w = g.variable("w", 8.0f32);
    let x = g.placeholder::<i64>("x", dims![]);
    let broken = x / 0;
    let train_step = GradientDescent::new(0.25).minimize(w * broken.cast::<f32>());
    let averages = ExponentialMovingAverage::new(0.5).apply_after(train_step);
    let session = Session::new(&g).unwrap();
    let feeds = abeyance_session::feeds![x => 1i64];
    assert!(session.run(averages.operation(), feeds).is_err());
    assert!(!session.variable::<bool>("moving_average/started").unwrap()[[]]);
}

#[test]
fn averages_are_not_trained_and_names_that_are_taken_do_not_matter() {
    let g = Graph::new();
    let w = g.variable("w", 8.0f32);
    g.state("w/ExponentialMovingAverage", 0.0f32);
    g.state("moving_average", 0.0f32);
    let train_step = GradientDescent::new(0.25).minimize(w.square());
    let first = ExponentialMovingAverage::new(0.5).apply_after(train_step);
    let second = ExponentialMovingAverage::new(0.9).apply_after(train_step);
    assert_eq!(trainable_variables(&g).len(), 1);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    session.run((first.operation(), second.operation()), []).unwrap();
    let averages = (first.average(w).scalar(), second.average(w).scalar());
    assert_eq!(session.run(averages, []).unwrap(), (6.0, 7.6));
}

#[test]
fn nothing_to_average_is_a_mistake() {
    let average = ExponentialMovingAverage::new(0.5);

    let g = Graph::new();
    let averages = average.apply_after(g.no_op());
    averages.swap();
    averages.average(g.variable("w", 1.0f32));
    assert_eq!(
        only_mistake(&g).message,
        "apply_after: `group : operation` changes no trainable variable to average"
    );

    let g = Graph::new();
    ExponentialMovingAverage::new(0.5).apply(&g, [] as [AnyTensor<'_>; 0]);
    assert_eq!(only_mistake(&g).message, "apply: there are no variables to average");
}

#[test]
fn only_float_variables_are_averaged() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let x = g.placeholder::<f32>("x", dims![_]);
    let inputs = [w.into(), x.into(), AnyTensor::from(g.state("n", 1i64))];
    let average = ExponentialMovingAverage::new(0.5);
    let line = line!() + 1;
    let averages = average.apply(&g, inputs);
    averages.average(g.variable("other", 1.0f32));
    let mistakes = g.check().unwrap_err();
    let told: Vec<&str> = mistakes.iter().map(|told| &*told.message).collect();
    assert_eq!(
        told,
        [
            "apply: `x : f32[N]` has no average: it is not a variable of f32 or f64",
            "apply: `n : i64[]` has no average: it is not a variable of f32 or f64",
            "average: there is no average of `other : f32[]`",
        ]
    );
    let place = format!("moving_average.rs:{line}:");
    assert!(mistakes.0[0].location.to_string().contains(&place));
}
