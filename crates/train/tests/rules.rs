//! Each optimizer against its rule written out in plain Rust, in f64 to 1e-12.

mod logistic;

use abeyance_train::{
    Adadelta, Adagrad, Adam, AdamW, Ftrl, GradientDescent, Momentum, ProximalAdagrad,
    ProximalGradientDescent, RmsProp,
};
use logistic::{assert_close, compare, values};

#[test]
fn gradient_descent() {
    compare(
        |_, _| GradientDescent::new(0.3),
        |_, p, g| {
            for i in 0..4 {
                p[i] -= 0.3 * g[i];
            }
        },
    );
}

#[test]
fn momentum() {
    let mut accum = [0.0; 4];
    let session = compare(
        |_, _| Momentum::new(0.1, 0.9),
        |_, p, g| {
            for i in 0..4 {
                accum[i] = 0.9 * accum[i] + g[i];
                p[i] -= 0.1 * accum[i];
            }
        },
    );
    assert_close(30, &values(&session, "w/Momentum", "b/Momentum"), &accum);
}

#[test]
fn nesterov_momentum() {
    let mut accum = [0.0; 4];
    compare(
        |_, _| Momentum::new(0.1, 0.9).nesterov(true),
        |_, p, g| {
            for i in 0..4 {
                accum[i] = 0.9 * accum[i] + g[i];
                p[i] -= 0.1 * g[i] + 0.1 * 0.9 * accum[i];
            }
        },
    );
}

#[test]
fn adagrad() {
    let mut accum = [0.1; 4];
    let session = compare(
        |_, _| Adagrad::new(0.2),
        |_, p, g| {
            for i in 0..4 {
                accum[i] += g[i] * g[i];
                p[i] -= 0.2 * g[i] / accum[i].sqrt();
            }
        },
    );
    assert_close(30, &values(&session, "w/Adagrad", "b/Adagrad"), &accum);
}

#[test]
fn adagrad_from_another_first_value() {
    let mut accum = [2.0; 4];
    compare(
        |_, _| Adagrad::new(0.2).initial_accumulator(2.0),
        |_, p, g| {
            for i in 0..4 {
                accum[i] += g[i] * g[i];
                p[i] -= 0.2 * g[i] / accum[i].sqrt();
            }
        },
    );
}

#[test]
fn rms_prop_whose_mean_square_starts_at_one() {
    let mut ms = [1.0; 4];
    let session = compare(
        |_, _| RmsProp::new(0.05),
        |_, p, g| {
            for i in 0..4 {
                ms[i] = 0.9 * ms[i] + (1.0 - 0.9) * g[i] * g[i];
                p[i] -= 0.05 * g[i] / (ms[i] + 1e-10).sqrt();
            }
        },
    );
    assert_close(30, &values(&session, "w/RMSProp", "b/RMSProp"), &ms);
    let slots = session.variables().filter(|name| name.contains("RMSProp"));
    assert_eq!(slots.collect::<Vec<_>>(), ["w/RMSProp", "b/RMSProp"]);
}

#[test]
fn rms_prop_with_momentum_and_epsilon_inside_the_root() {
    let (mut ms, mut mom) = ([1.0; 4], [0.0; 4]);
    let session = compare(
        |_, _| RmsProp::new(0.05).decay(0.8).momentum(0.7).epsilon(0.3),
        |_, p, g| {
            for i in 0..4 {
                ms[i] = 0.8 * ms[i] + (1.0 - 0.8) * g[i] * g[i];
                mom[i] = 0.7 * mom[i] + 0.05 * g[i] / (ms[i] + 0.3).sqrt();
                p[i] -= mom[i];
            }
        },
    );
    assert_close(30, &values(&session, "w/RMSProp_1", "b/RMSProp_1"), &mom);
}

#[test]
fn centered_rms_prop() {
    let (mut ms, mut mg, mut mom) = ([1.0; 4], [0.0; 4], [0.0; 4]);
    let session = compare(
        |_, _| RmsProp::new(0.05).momentum(0.5).centered(true),
        |_, p, g| {
            for i in 0..4 {
                ms[i] = 0.9 * ms[i] + (1.0 - 0.9) * g[i] * g[i];
                mg[i] = 0.9 * mg[i] + (1.0 - 0.9) * g[i];
                mom[i] = 0.5 * mom[i] + 0.05 * g[i] / (ms[i] - mg[i] * mg[i] + 1e-10).sqrt();
                p[i] -= mom[i];
            }
        },
    );
    assert_close(30, &values(&session, "w/RMSProp_1", "b/RMSProp_1"), &mg);
    assert_close(30, &values(&session, "w/RMSProp_2", "b/RMSProp_2"), &mom);
}

/// The change that Adam subtracts in step `t`.
fn adam(t: i32, rate: f64, betas: [f64; 2], epsilon: f64, m: &mut f64, v: &mut f64, g: f64) -> f64 {
    let [beta1, beta2] = betas;
    *m = beta1 * *m + (1.0 - beta1) * g;
    *v = beta2 * *v + (1.0 - beta2) * g * g;
    let rate = rate * (1.0 - beta2.powi(t)).sqrt() / (1.0 - beta1.powi(t));
    rate * *m / (v.sqrt() + epsilon)
}

#[test]
fn adam_with_epsilon_outside_the_root() {
    let (mut m, mut v) = ([0.0; 4], [0.0; 4]);
    let session = compare(
        |_, _| Adam::new(0.01),
        |t, p, g| {
            for i in 0..4 {
                p[i] -= adam(t, 0.01, [0.9, 0.999], 1e-8, &mut m[i], &mut v[i], g[i]);
            }
        },
    );
    assert_close(30, &values(&session, "w/Adam", "b/Adam"), &m);
    assert_close(30, &values(&session, "w/Adam_1", "b/Adam_1"), &v);
    let power = |name: &str| session.variable::<f64>(name).unwrap().sum();
    assert!((power("beta1_power") - 0.9f64.powi(31)).abs() < 1e-15);
    assert!((power("beta2_power") - 0.999f64.powi(31)).abs() < 1e-14);
}

#[test]
fn adam_with_other_numbers() {
    let (mut m, mut v) = ([0.0; 4], [0.0; 4]);
    compare(
        |_, _| Adam::new(0.2).beta1(0.5).beta2(0.75).epsilon(0.1),
        |t, p, g| {
            for i in 0..4 {
                p[i] -= adam(t, 0.2, [0.5, 0.75], 0.1, &mut m[i], &mut v[i], g[i]);
            }
        },
    );
}

#[test]
fn adam_w_decays_apart_from_the_rate() {
    let (mut m, mut v) = ([0.0; 4], [0.0; 4]);
    compare(
        |_, _| AdamW::new(0.01, 0.02),
        |t, p, g| {
            for i in 0..4 {
                p[i] -= 0.02 * p[i];
                p[i] -= adam(t, 0.01, [0.9, 0.999], 1e-8, &mut m[i], &mut v[i], g[i]);
            }
        },
    );
}

/// Adadelta with `rate`, `rho` and `epsilon`, and the slots after 30 steps.
fn adadelta(optimizer: Adadelta<'static>, rate: f64, rho: f64, epsilon: f64) {
    let (mut accum, mut accum_update) = ([0.0; 4], [0.0; 4]);
    let session = compare(
        |_, _| optimizer,
        |_, p, g| {
            for i in 0..4 {
                accum[i] = rho * accum[i] + (1.0 - rho) * g[i] * g[i];
                let change =
                    (accum_update[i] + epsilon).sqrt() / (accum[i] + epsilon).sqrt() * g[i];
                p[i] -= rate * change;
                accum_update[i] = rho * accum_update[i] + (1.0 - rho) * change * change;
            }
        },
    );
    assert_close(30, &values(&session, "w/Adadelta", "b/Adadelta"), &accum);
    let last = values(&session, "w/Adadelta_1", "b/Adadelta_1");
    assert_close(30, &last, &accum_update);
}

#[test]
fn adadelta_with_epsilon_inside_both_roots() {
    adadelta(Adadelta::new(0.5), 0.5, 0.95, 1e-8);
    adadelta(Adadelta::new(1.0).rho(0.5).epsilon(0.01), 1.0, 0.5, 0.01);
}

/// The numbers of an FTRL rule.
struct FtrlNumbers {
    rate: f64,
    power: f64,
    initial: f64,
    l1: f64,
    l2: f64,
}

/// TensorFlow's rule as its kernel spells it out. Gives how often a weight was 0 after a step.
fn ftrl(numbers: &FtrlNumbers) -> usize {
    let &FtrlNumbers { rate, power, initial, l1, l2 } = numbers;
    let (mut accum, mut linear, mut zeros) = ([initial; 4], [0.0f64; 4], 0);
    let session = compare(
        |_, _| {
            Ftrl::new(rate).learning_rate_power(power).initial_accumulator(initial).l1(l1).l2(l2)
        },
        |_, p, g| {
            for i in 0..4 {
                let new = accum[i] + g[i] * g[i];
                linear[i] += g[i] - (new.powf(-power) - accum[i].powf(-power)) / rate * p[i];
                let quadratic = new.powf(-power) / rate + 2.0 * l2;
                p[i] = if linear[i].abs() > l1 {
                    (linear[i].signum() * l1 - linear[i]) / quadratic
                } else {
                    0.0
                };
                accum[i] = new;
                zeros += usize::from(p[i] == 0.0);
            }
        },
    );
    assert_close(30, &values(&session, "w/Ftrl", "b/Ftrl"), &accum);
    assert_close(30, &values(&session, "w/Ftrl_1", "b/Ftrl_1"), &linear);
    zeros
}

#[test]
fn ftrl_without_regularization() {
    let zeros = ftrl(&FtrlNumbers { rate: 0.3, power: -0.5, initial: 0.1, l1: 0.0, l2: 0.0 });
    assert_eq!(zeros, 0);
}

#[test]
fn ftrl_with_l1_sets_weights_to_zero() {
    let zeros = ftrl(&FtrlNumbers { rate: 0.3, power: -0.5, initial: 0.1, l1: 0.2, l2: 0.05 });
    assert!(zeros > 10, "{zeros}");
}

#[test]
fn ftrl_with_another_power_and_first_value() {
    ftrl(&FtrlNumbers { rate: 0.3, power: -0.75, initial: 1.0, l1: 0.01, l2: 0.1 });
    ftrl(&FtrlNumbers { rate: 0.3, power: 0.0, initial: 0.5, l1: 0.0, l2: 0.01 });
}

/// sign(x) * max(|x| - threshold, 0)
fn shrink(x: f64, threshold: f64) -> f64 {
    x.signum() * (x.abs() - threshold).max(0.0)
}

#[test]
fn proximal_gradient_descent() {
    let mut zeros = 0;
    compare(
        |_, _| ProximalGradientDescent::new(0.3).l1(0.1).l2(0.05),
        |_, p, g| {
            for i in 0..4 {
                p[i] = shrink(p[i] - 0.3 * g[i], 0.3 * 0.1) / (1.0 + 0.3 * 0.05);
                zeros += usize::from(p[i] == 0.0);
            }
        },
    );
    assert!(zeros > 10, "{zeros}");
}

#[test]
fn proximal_steps_without_regularization_are_plain_ones() {
    compare(
        |_, _| ProximalGradientDescent::new(0.3),
        |_, p, g| {
            for i in 0..4 {
                p[i] -= 0.3 * g[i];
            }
        },
    );
}

#[test]
fn proximal_adagrad() {
    let mut accum = [0.5; 4];
    let session = compare(
        |_, _| ProximalAdagrad::new(0.2).initial_accumulator(0.5).l1(0.05).l2(0.02),
        |_, p, g| {
            for i in 0..4 {
                accum[i] += g[i] * g[i];
                let rate = 0.2 / accum[i].sqrt();
                p[i] = shrink(p[i] - rate * g[i], rate * 0.05) / (1.0 + rate * 0.02);
            }
        },
    );
    let found = values(&session, "w/ProximalAdagrad", "b/ProximalAdagrad");
    assert_close(30, &found, &accum);
}

#[test]
fn a_rate_that_the_graph_computes() {
    let mut accum = [0.0; 4];
    compare(
        |g, _| {
            let steps = g.state("steps", 0.0f32);
            // Counted up by reading it: the rate of step t, from 1, is 0.5 / t.
            let t = steps.assign_add(1.0);
            Momentum::new(t.cast::<f64>().pow(-1.0) * 0.5, 0.25)
        },
        |t, p, g| {
            for i in 0..4 {
                accum[i] = 0.25 * accum[i] + g[i];
                p[i] -= 0.5 / f64::from(t) * accum[i];
            }
        },
    );
}

#[test]
fn a_rate_that_depends_on_the_loss() {
    compare(
        |_, loss| GradientDescent::new(loss * 0.0 + 0.25),
        |_, p, g| {
            for i in 0..4 {
                p[i] -= 0.25 * g[i];
            }
        },
    );
}
