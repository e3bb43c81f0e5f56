//! Schedules against their formulas.

use abeyance_graph::{Graph, Scalar, dims};
use abeyance_session::{Session, feeds};
use abeyance_train::{
    GradientDescent, Optimizer, cosine_decay, cosine_decay_restarts, exponential_decay,
    global_step, inverse_time_decay, linear_warmup, natural_exp_decay, piecewise_constant,
    polynomial_decay,
};

/// Compares a schedule with a formula at these steps.
fn compare(
    schedule: impl for<'g> FnOnce(Scalar<'g, i64>) -> Scalar<'g, f64>,
    formula: impl Fn(f64) -> f64,
) {
    let g = Graph::new();
    let step = global_step(&g);
    let rate = schedule(step);
    let session = Session::new(&g).unwrap();
    for at in [0, 1, 2, 9, 10, 11, 19, 20, 21, 25, 30, 99, 1000, 20_000_001] {
        let (found, wanted) = (session.run(rate, feeds![step => at]).unwrap(), formula(at as f64));
        assert!(
            (found - wanted).abs() <= 1e-12 * wanted.abs().max(1.0),
            "step {at}: {found} for {wanted}"
        );
    }
}

#[test]
fn exponential() {
    compare(
        |step| exponential_decay(0.1, step, 10, 0.96, false),
        |step| 0.1 * 0.96f64.powf(step / 10.0),
    );
    compare(
        |step| exponential_decay(0.1, step, 10, 0.96, true),
        |step| 0.1 * 0.96f64.powf((step / 10.0).floor()),
    );
}

#[test]
fn natural_exponential() {
    compare(
        |step| natural_exp_decay(0.1, step, 10, 0.5, false),
        |step| 0.1 * (-0.5 * step / 10.0).exp(),
    );
    compare(
        |step| natural_exp_decay(0.1, step, 10, 0.5, true),
        |step| 0.1 * (-0.5 * (step / 10.0).floor()).exp(),
    );
}

#[test]
fn inverse_time() {
    compare(
        |step| inverse_time_decay(0.1, step, 10, 0.5, false),
        |step| 0.1 / (1.0 + 0.5 * step / 10.0),
    );
    compare(
        |step| inverse_time_decay(0.1, step, 10, 0.5, true),
        |step| 0.1 / (1.0 + 0.5 * (step / 10.0).floor()),
    );
}

#[test]
fn polynomial() {
    for power in [1.0, 0.5, 2.0] {
        compare(
            |step| polynomial_decay(0.1, step, 20, 0.01, power, false),
            |step| (0.1 - 0.01) * (1.0 - step.min(20.0) / 20.0).powf(power) + 0.01,
        );
        compare(
            |step| polynomial_decay(0.1, step, 20, 0.01, power, true),
            |step| {
                let steps = 20.0 * (step / 20.0).ceil().max(1.0);
                (0.1 - 0.01) * (1.0 - step / steps).powf(power) + 0.01
            },
        );
    }
}

#[test]
fn cosine() {
    use std::f64::consts::PI;
    for alpha in [0.0, 0.25] {
        compare(
            |step| cosine_decay(0.1, step, 20, alpha),
            |step| {
                let cosine = 0.5 * (1.0 + (PI * step.min(20.0) / 20.0).cos());
                0.1 * ((1.0 - alpha) * cosine + alpha)
            },
        );
    }
}

#[test]
fn cosine_restarts() {
    use std::f64::consts::PI;
    // Period by period, where TensorFlow's formula takes logarithms.
    let formula = |step: f64, t_mul: f64, m_mul: f64, alpha: f64| {
        let (mut start, mut length, mut height) = (0.0, 10.0, 1.0);
        while step >= start + length {
            start += length;
            length *= t_mul;
            height *= m_mul;
        }
        let cosine = height * 0.5 * (1.0 + (PI * (step - start) / length).cos());
        0.1 * ((1.0 - alpha) * cosine + alpha)
    };
    for (t_mul, m_mul, alpha) in
        [(1.0, 1.0, 0.0), (2.0, 1.0, 0.0), (2.0, 0.5, 0.1), (3.0, 0.9, 0.5)]
    {
        compare(
            |step| cosine_decay_restarts(0.1, step, 10, t_mul, m_mul, alpha),
            |step| formula(step, t_mul, m_mul, alpha),
        );
    }
}

/// At the first step of each period the rate is the highest, not the lowest, however logarithms are
/// rounded.
#[test]
fn cosine_restarts_restart_on_the_step() {
    let g = Graph::new();
    let step = global_step(&g);
    for t_mul in [1.0, 1.5, 2.0, 3.0, 10.0] {
        let rate = cosine_decay_restarts(1.0, step, 1024, t_mul, 1.0, 0.0);
        let session = Session::new(&g).unwrap();
        let (mut start, mut length) = (0.0, 1024.0);
        while start < 1e6 && f64::fract(start) == 0.0 {
            let found = session.run(rate, feeds![step => start as i64]).unwrap();
            assert!(found > 0.999_999, "t_mul {t_mul}, step {start}: {found}");
            start += length;
            length *= t_mul;
        }
    }
}

#[test]
fn pieces() {
    compare(
        |step| piecewise_constant(step, &[9, 20], &[1.0, 0.5, 0.1]),
        |step| match step {
            ..=9.0 => 1.0,
            ..=20.0 => 0.5,
            _ => 0.1,
        },
    );
    compare(|step| piecewise_constant(step, &[], &[0.7]), |_| 0.7);
}

#[test]
fn warm_up_of_a_number_and_of_a_schedule() {
    compare(|step| linear_warmup(0.1, step, 20), |step| 0.1 * (step / 20.0).min(1.0));
    compare(
        |step| linear_warmup(exponential_decay(0.1, step, 10, 0.96, true), step, 20),
        |step| 0.1 * 0.96f64.powf((step / 10.0).floor()) * (step / 20.0).min(1.0),
    );
    // A schedule of another float type.
    compare(
        |step| linear_warmup(step.cast::<f32>() * 0.0 + 0.5, step, 1),
        |step| 0.5 * step.min(1.0),
    );
}

#[test]
fn a_schedule_written_with_operators() {
    compare(
        |step| {
            let rate = (step.cast::<f32>() / -2000.0).exp() * 0.003 + 0.0001;
            rate.cast::<f64>().scalar()
        },
        |step| {
            let rate = (step as f32 / -2000.0).exp() * 0.003 + 0.0001;
            f64::from(rate)
        },
    );
}

#[test]
fn the_step_counts_and_the_rate_follows() {
    let g = Graph::new();
    let w = g.variable("w", 8.0f32);
    let step = global_step(&g);
    let rate = exponential_decay(1.0, step, 1, 0.5, false);
    // The gradient is 1, so each step subtracts the rate.
    let train_step = GradientDescent::new(rate).minimize_counting(w, step);
    let session = Session::new(&g).unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(
            session.run((rate, step, train_step), []).map(|(rate, step, ())| (rate, step)).unwrap(),
        );
    }
    assert_eq!(seen, [(1.0, 0), (0.5, 1), (0.25, 2), (0.125, 3)]);
    assert_eq!(session.run((w.scalar(), step), []).unwrap(), (6.125, 4));
}

#[test]
fn there_is_one_global_step() {
    let g = Graph::new();
    let step = global_step(&g);
    let _scope = g.scope("train");
    assert_eq!(global_step(&g).id(), step.id());
    assert_eq!(step.name(), "global_step");
    g.check().unwrap();
}

#[test]
fn mistakes_name_the_call() {
    let g = Graph::new();
    let step = global_step(&g);
    let line = line!();
    exponential_decay(0.1, step, 0, 0.9, false);
    polynomial_decay(0.1, step, -1, 0.1, 1.0, true);
    piecewise_constant(step, &[1, 2], &[0.1, 0.2]);
    piecewise_constant(step, &[2, 1], &[0.1, 0.2, 0.3]);
    linear_warmup(0.1, step, 0);
    cosine_decay(0.1, step, 0, 0.0);
    cosine_decay_restarts(0.1, step, -5, 2.0, 1.0, 0.0);
    cosine_decay_restarts(0.1, step, 10, 0.5, 1.0, 0.0);
    exponential_decay(0.1, g.state("steps", abeyance_graph::zeros(dims![2])), 10, 0.9, false);
    exponential_decay(0.1, step, 10, -0.9, false);
    inverse_time_decay(0.1, step, 10, f64::NAN, false);
    polynomial_decay(0.1, step, 10, 0.1, -1.0, false);
    let mistakes = g.check().unwrap_err();
    let told: Vec<String> = mistakes.iter().map(|mistake| mistake.message.clone()).collect();
    assert_eq!(
        told,
        [
            "exponential_decay: the rate cannot decay over 0 steps",
            "polynomial_decay: the rate cannot decay over -1 steps",
            "piecewise_constant: 2 boundaries make 3 pieces, and there are 2 values",
            "piecewise_constant: the boundaries [2, 1] do not increase",
            "linear_warmup: the rate cannot grow over 0 steps",
            "cosine_decay: the rate cannot decay over 0 steps",
            "cosine_decay_restarts: the rate cannot decay over -5 steps",
            "cosine_decay_restarts: periods of a rate cannot grow by a factor of 0.5",
            "exponential_decay: a scalar has no dimensions, and `steps : i64[2]` has 1",
            "exponential_decay: a rate with a `decay_rate` of -0.9 does not stay finite",
            "inverse_time_decay: a rate with a `decay_rate` of NaN does not stay finite",
            "polynomial_decay: a rate with a `power` of -1 does not stay finite",
        ]
    );
    for (index, mistake) in mistakes.iter().enumerate() {
        let place = format!("schedules.rs:{}:", line + 1 + index as u32);
        assert!(mistake.location.to_string().contains(&place), "{mistake}");
    }
}
