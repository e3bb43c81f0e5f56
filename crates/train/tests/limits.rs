//! Every optimizer at the limits of its settings and of gradients: what it takes stays finite, what
//! it cannot take it refuses.

use abeyance_graph::{Float, Graph, dims};
use abeyance_session::{Session, feeds};
use abeyance_train::{
    Adadelta, Adagrad, Adam, AdamW, Ftrl, GradientDescent, Momentum, Optimizer, ProximalAdagrad,
    ProximalGradientDescent, RmsProp, clip_by_global_norm, linear_warmup,
};
use ndarray::arr1;

/// Gradients that stay the same in every step, one for each weight.
const GRADIENTS: [f64; 8] = [0.0, 1.0, -1.0, 1e-3, 0.1, -1e-30, 1e15, 1e-10];

/// The weights after so many steps of these gradients, from weights of 1.
fn train<'g, T: Float, O: Optimizer<'g>>(
    g: &'g Graph,
    optimizer: O,
    gradients: &[f64],
    steps: usize,
) -> Vec<f64> {
    let count = gradients.len();
    let slopes = g
        .constant_array(&gradients.iter().map(|&v| T::from_f64(v)).collect::<ndarray::Array1<T>>());
    let w = g.variable("w", g_ones::<T>(count));
    let step = optimizer.minimize((w * slopes).reduce_sum(..));
    let session = Session::new(g).unwrap_or_else(|error| panic!("{error}"));
    for _ in 0..steps {
        session.run(step, []).unwrap();
    }
    let mut weights = Vec::new();
    for name in session.variables().map(str::to_owned).collect::<Vec<_>>() {
        let values: Vec<f64> = match session.variable::<f32>(&name) {
            Ok(values) => values.iter().map(|&v| f64::from(v)).collect(),
            Err(_) => session.variable::<f64>(&name).unwrap().iter().copied().collect(),
        };
        assert!(values.iter().all(|v| v.is_finite()), "{name} is {values:?}");
        if name == "w" {
            weights = values;
        }
    }
    weights
}

fn g_ones<T: Float>(count: usize) -> ndarray::Array1<T> {
    ndarray::Array1::from_elem(count, T::from_f64(1.0))
}

/// The settings at their borders, for both types.
macro_rules! sweep {
    ($($name:ident: $($optimizer:expr),+;)*) => {$(
        #[test]
        fn $name() {
            for steps in [1, 10_000] {
                $({
                    eprintln!("{} for {steps} steps", stringify!($optimizer));
                    train::<f32, _>(&Graph::new(), $optimizer, &GRADIENTS, steps);
                    train::<f64, _>(&Graph::new(), $optimizer, &GRADIENTS, steps);
                })+
            }
        }
    )*};
}

sweep! {
    gradient_descent_stays_finite: GradientDescent::new(0.1), GradientDescent::new(0.0), GradientDescent::new(-0.1);
    momentum_stays_finite: Momentum::new(0.1, 0.9), Momentum::new(0.1, 0.0), Momentum::new(0.1, 1.0),
        Momentum::new(0.0, 1.0), Momentum::new(0.1, 1.0).nesterov(true);
    adagrad_stays_finite: Adagrad::new(0.1), Adagrad::new(0.0), Adagrad::new(0.1).initial_accumulator(1e-30);
    adadelta_stays_finite: Adadelta::new(1.0), Adadelta::new(1.0).rho(0.0), Adadelta::new(1.0).rho(1.0),
        Adadelta::new(0.0), Adadelta::new(0.1).epsilon(1e-30);
    adam_stays_finite: Adam::new(0.001), Adam::new(0.0), Adam::new(0.1).beta1(0.0), Adam::new(0.1).beta2(0.0),
        Adam::new(0.1).beta1(0.0).beta2(0.0).epsilon(0.0), Adam::new(0.001).epsilon(0.0),
        Adam::new(0.001).beta1(0.999_999).beta2(0.999_999), Adam::new(0.1).epsilon(1e-30);
    adam_w_stays_finite: AdamW::new(0.001, 0.01), AdamW::new(0.001, 0.0), AdamW::new(0.001, 1.0),
        AdamW::new(0.001, 0.01).epsilon(0.0);
    rms_prop_stays_finite: RmsProp::new(0.01), RmsProp::new(0.0), RmsProp::new(0.01).decay(0.0),
        RmsProp::new(0.01).decay(1.0), RmsProp::new(0.01).momentum(1.0), RmsProp::new(0.01).epsilon(0.0),
        RmsProp::new(0.01).decay(0.0).epsilon(0.0), RmsProp::new(0.01).decay(0.5).epsilon(0.0).centered(true);
    centred_rms_prop_stays_finite: RmsProp::new(0.01).centered(true), RmsProp::new(0.01).centered(true).decay(0.0),
        RmsProp::new(0.01).centered(true).decay(1.0), RmsProp::new(0.01).centered(true).momentum(0.9),
        RmsProp::new(0.01).centered(true).decay(0.99);
    proximal_rules_stay_finite: ProximalGradientDescent::new(0.1).l1(0.1).l2(0.1), ProximalGradientDescent::new(0.0).l1(1.0),
        ProximalAdagrad::new(0.1).l1(0.1).l2(0.1), ProximalAdagrad::new(0.0), ProximalAdagrad::new(0.1).initial_accumulator(1e-30);
    ftrl_stays_finite: Ftrl::new(0.1), Ftrl::new(0.1).initial_accumulator(0.0), Ftrl::new(0.1).learning_rate_power(0.0),
        Ftrl::new(0.1).initial_accumulator(0.0).learning_rate_power(0.0),
        Ftrl::new(0.1).initial_accumulator(0.0).learning_rate_power(-1.0),
        Ftrl::new(0.1).initial_accumulator(0.0).l1(0.1), Ftrl::new(0.1).initial_accumulator(0.0).l2(0.1);
}

#[test]
fn gradients_of_any_size_train_once_they_are_clipped() {
    fn train<'g>(g: &'g Graph, optimizer: impl Optimizer<'g>) {
        let w = g.variable("w", arr1(&[1.0f32, 1.0, 1.0]));
        let slopes = g.constant_array(&arr1(&[3e38f32, -1e30, 0.0]));
        let gradients = optimizer.compute_gradients((w * slopes).reduce_sum(..));
        let step = optimizer.apply_gradients(clip_by_global_norm(gradients, 1.0));
        let session = Session::new(g).unwrap_or_else(|error| panic!("{error}"));
        for _ in 0..100 {
            session.run(step, []).unwrap();
        }
        let w = session.variable::<f32>("w").unwrap();
        assert!(w.iter().all(|v| v.is_finite()) && w[[0]] < 1.0, "{w}");
    }
    train(&Graph::new(), Adam::new(0.001));
    train(&Graph::new(), RmsProp::new(0.001));
    train(&Graph::new(), Adadelta::new(0.1));
    train(&Graph::new(), Ftrl::new(0.1));
    train(&Graph::new(), Adagrad::new(0.1));
}

#[test]
fn ftrl_from_an_accumulator_of_0_is_0_where_no_gradient_was() {
    let g = Graph::new();
    // By hand: new = 4, linear = 2 - (2 - 0) / 0.1 · 1 = -18, quadratic = 2 / 0.1 = 20: 18 / 20.
    let ftrl = Ftrl::new(0.1).initial_accumulator(0.0);
    let w = train::<f64, _>(&g, ftrl, &[2.0, 0.0], 1);
    assert!((w[0] - 0.9).abs() < 1e-15 && w[1] == 0.0, "{w:?}");
}

#[test]
fn a_step_of_ftrl_at_a_computed_rate_of_0_changes_nothing() {
    let g = Graph::new();
    let w = g.variable("w", arr1(&[1.0f32, 2.0]));
    let count = abeyance_train::global_step(&g);
    let loss = w.square().reduce_sum(..);
    let step = Ftrl::new(linear_warmup(0.5, count, 2)).minimize_counting(loss, count);
    let session = Session::new(&g).unwrap();
    session.run(step, []).unwrap();
    assert_eq!(session.variable::<f32>("w").unwrap(), arr1(&[1.0, 2.0]).into_dyn());
    assert_eq!(session.variable::<f32>("w/Ftrl").unwrap(), arr1(&[0.1, 0.1]).into_dyn());
    session.run(step, []).unwrap();
    let moved = session.variable::<f32>("w").unwrap();
    assert!(moved.iter().all(|v| v.is_finite()) && moved != arr1(&[1.0, 2.0]).into_dyn());
}

#[test]
fn a_weight_without_gradient_stays_where_it_is_without_epsilon() {
    for steps in [1, 100] {
        let g = Graph::new();
        let w = train::<f32, _>(&g, Adam::new(0.1).epsilon(0.0), &[0.0, 1.0], steps);
        assert!(w[0] == 1.0 && w[1] < 1.0, "{w:?}");
        let g = Graph::new();
        let rms_prop = RmsProp::new(0.01).decay(0.0).epsilon(0.0);
        let w = train::<f32, _>(&g, rms_prop, &[0.0, 1.0], steps);
        assert!(w[0] == 1.0 && w[1] < 1.0, "{w:?}");
    }
}

/// The mistakes that the graph reports of an optimizer's settings.
fn told<'g, O: Optimizer<'g>>(g: &'g Graph, optimizer: O) -> Vec<String> {
    let w = g.variable("w", 1.0f32);
    optimizer.minimize(w.square());
    let Err(mistakes) = g.check() else { return Vec::new() };
    for mistake in &mistakes.0 {
        assert!(mistake.location.to_string().contains("limits.rs"), "{mistake}");
    }
    mistakes.0.iter().map(|mistake| mistake.message.clone()).collect()
}

#[test]
fn settings_beyond_the_limits_are_refused_by_name() {
    macro_rules! refused {
        ($($optimizer:expr => $message:expr;)*) => {$(
            assert_eq!(told(&Graph::new(), $optimizer), [$message], "{}", stringify!($optimizer));
        )*};
    }
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    refused! {
        GradientDescent::new(inf) => "GradientDescent: the learning rate is inf and has to be a finite number";
        GradientDescent::new(nan) => "GradientDescent: the learning rate is NaN and has to be a finite number";
        GradientDescent::new(1e300) =>
            "GradientDescent: the learning rate is 1e300, which f32 rounds to inf, and has to be a finite number";
        Momentum::new(0.1, 1.5) => "Momentum: the momentum is 1.5 and has to be at least 0 and at most 1";
        Momentum::new(0.1, nan) => "Momentum: the momentum is NaN and has to be at least 0 and at most 1";
        Momentum::new(inf, 0.9) => "Momentum: the learning rate is inf and has to be a finite number";
        Adagrad::new(0.1).initial_accumulator(0.0) =>
            "Adagrad: the first accumulator is 0 and has to be above 0, and finite";
        Adagrad::new(0.1).initial_accumulator(1e-50) =>
            "Adagrad: the first accumulator is 1e-50, which f32 rounds to 0, and has to be above 0, and finite";
        Adagrad::new(-inf) => "Adagrad: the learning rate is -inf and has to be a finite number";
        Adadelta::new(0.1).rho(1.1) => "Adadelta: rho is 1.1 and has to be at least 0 and at most 1";
        Adadelta::new(0.1).epsilon(0.0) => "Adadelta: epsilon is 0 and has to be above 0, and finite";
        Adam::new(0.1).beta1(1.0) => "Adam: beta1 is 1 and has to be at least 0 and below 1";
        Adam::new(0.1).beta2(1.0 - 1e-9) =>
            "Adam: beta2 is 9.99999999e-1, which f32 rounds to 1, and has to be at least 0 and below 1";
        Adam::new(0.1).epsilon(-1e-8) => "Adam: epsilon is -0.00000001 and has to be 0 or more, and finite";
        AdamW::new(nan, 0.0) => "AdamW: the learning rate is NaN and has to be a finite number";
        AdamW::new(0.1, 1.5) => "AdamW: the weight decay is 1.5 and has to be at least 0 and at most 1";
        RmsProp::new(0.1).decay(-0.1) => "RMSProp: the decay is -0.1 and has to be at least 0 and at most 1";
        RmsProp::new(0.1).momentum(2.0) => "RMSProp: the momentum is 2 and has to be at least 0 and at most 1";
        RmsProp::new(0.1).epsilon(nan) => "RMSProp: epsilon is NaN and has to be 0 or more, and finite";
        ProximalGradientDescent::new(-0.1) =>
            "ProximalGradientDescent: the learning rate is -0.1 and has to be 0 or more, and finite";
        ProximalGradientDescent::new(0.1).l1(-1.0) =>
            "ProximalGradientDescent: l1 is -1 and has to be 0 or more, and finite";
        ProximalAdagrad::new(0.1).l2(inf) => "ProximalAdagrad: l2 is inf and has to be 0 or more, and finite";
        ProximalAdagrad::new(0.1).initial_accumulator(0.0) =>
            "ProximalAdagrad: the first accumulator is 0 and has to be above 0, and finite";
        Ftrl::new(0.0) => "Ftrl: the learning rate is 0 and has to be above 0, and finite";
        Ftrl::new(0.1).learning_rate_power(nan) =>
            "Ftrl: the learning rate power is NaN and has to be 0 or less, and finite";
    }
}

#[test]
fn of_two_settings_both_are_told_and_f64_is_not_rounded() {
    let found = told(&Graph::new(), Adam::new(0.1).beta1(2.0).beta2(-1.0));
    assert_eq!(found.len(), 2, "{found:?}");
    let g = Graph::new();
    let w = g.variable("w", 1.0f64);
    Adam::new(0.1).beta2(1.0 - 1e-9).minimize(w.square());
    g.check().unwrap();
}

#[test]
fn a_rate_that_is_fed_is_taken_as_it_is() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let rate = g.placeholder::<f32>("rate", dims![]);
    let step = GradientDescent::new(rate).minimize(w.square());
    let session = Session::new(&g).unwrap();
    session.run(step, feeds![rate => f32::INFINITY]).unwrap();
    assert_eq!(session.run(w.scalar(), []).unwrap(), f32::NEG_INFINITY);
}
