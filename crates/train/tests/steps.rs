//! The variables, nodes, names and mistakes of `minimize`.

use abeyance_graph::{AnyTensor, Float, Graph, Tensor, dims, ones, zeros};
use abeyance_ir::Location;
use abeyance_session::{Session, feeds};
use abeyance_train::{
    Adadelta, Adagrad, Adam, AdamW, Ftrl, GradientDescent, Gradients, Hyperparameter, Momentum,
    Optimizer, ProximalAdagrad, RmsProp, Update, Updates, global_step, trainable_variables,
};

fn names<'g>(gradients: &Gradients<'g>) -> Vec<String> {
    gradients.iter().map(|(variable, _)| variable.name()).collect()
}

fn variables(g: &Graph) -> Vec<String> {
    let session = Session::new(g).unwrap_or_else(|error| panic!("{error}"));
    session.variables().map(str::to_owned).collect()
}

fn only_mistake(g: &Graph) -> abeyance_ir::Diagnostic {
    let mistakes = g.check().unwrap_err();
    assert_eq!(mistakes.0.len(), 1, "{mistakes}");
    mistakes.0.into_iter().next().unwrap()
}

#[test]
fn the_first_program_needs_no_type_annotations() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 4]);
    let y_ = g.placeholder::<f32>("y_", dims![_, 3]);
    let w = g.variable("w", zeros(dims![4, 3]));
    let b = g.variable("b", zeros(dims![3]));
    let y = (x.matmul(w) + b).softmax();
    let cross_entropy = -(y_ * y.log()).reduce_sum(..);
    let train_step = GradientDescent::new(0.003).minimize(cross_entropy);
    let session = Session::new(&g).unwrap();
    let images = ndarray::Array2::<f32>::eye(5);
    let images = images.slice(ndarray::s![.., ..4]);
    let labels = ndarray::arr2(&[[1.0f32, 0.0, 0.0]; 5]);
    let feeds = || feeds![x => images, y_ => &labels];
    let before = session.run(cross_entropy, feeds()).unwrap();
    session.run(train_step, feeds()).unwrap();
    assert!(session.run(cross_entropy, feeds()).unwrap() < before);
}

#[test]
fn a_tensor_without_dimensions_is_a_loss() {
    let g = Graph::new();
    let w = g.variable("w", 2.0f32);
    let train_step = GradientDescent::new(0.5).minimize(w.square());
    let session = Session::new(&g).unwrap();
    session.run(train_step, []).unwrap();
    assert_eq!(session.run(w.scalar(), []).unwrap(), 0.0);
}

#[test]
fn a_variable_itself_is_a_loss() {
    let g = Graph::new();
    let w = g.variable("w", 2.0f32);
    let train_step = GradientDescent::new(0.5).minimize(w);
    let session = Session::new(&g).unwrap();
    session.run(train_step, []).unwrap();
    assert_eq!(session.run(w.scalar(), []).unwrap(), 1.5);
}

#[test]
fn frozen_and_unconnected_variables_are_left_alone() {
    let g = Graph::new();
    let first = g.variable("first", 1.0f32);
    let frozen = g.state("frozen", 2.0f32);
    let unconnected = g.variable("unconnected", 3.0f32);
    let stopped = g.variable("stopped", 4.0f32);
    let compared = g.variable("compared", 5.0f32);
    let last = g.variable("last", 6.0f32);
    let ordered = g.variable("ordered", 7.0f32);
    let chosen = compared.greater(0.0).select(last, first);
    let loss = {
        // Depended on for order alone.
        let _after = g.after([ordered * 2.0]);
        last * first + frozen * first + stopped.stop_gradient() * chosen
    };
    let optimizer = GradientDescent::new(0.25);
    let gradients = optimizer.compute_gradients(loss);
    assert_eq!(names(&gradients), ["first", "last"]);
    let train_step = optimizer.apply_gradients(gradients);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    session.run(train_step, []).unwrap();
    let rest = [frozen, unconnected, stopped, compared, ordered].map(Tensor::scalar);
    assert_eq!(session.run(rest, []).unwrap(), [2.0, 3.0, 4.0, 5.0, 7.0]);
    // 1 - 0.25 * (6 + 2), 6 - 0.25 * (1 + 4)
    assert_eq!(session.run((first.scalar(), last.scalar()), []).unwrap(), (-1.0, 4.75));
}

#[test]
fn the_variables_can_be_named() {
    let g = Graph::new();
    let (a, b) = (g.variable("a", 1.0f32), g.state("b", 1.0f64));
    let optimizer = GradientDescent::new(0.5);
    let gradients =
        optimizer.compute_gradients_of(a.cast::<f64>() * b, [AnyTensor::from(b), a.into()]);
    assert_eq!(names(&gradients), ["b", "a"]);
    let gradients = gradients.filter(|variable, _| variable.name() == "b");
    let train_step = optimizer.apply_gradients(gradients);
    let session = Session::new(&g).unwrap();
    session.run(train_step, []).unwrap();
    assert_eq!(session.run((a.scalar(), b.scalar()), []).unwrap(), (1.0, 0.5));
}

#[test]
fn variables_of_both_float_types_train_together() {
    let g = Graph::new();
    let narrow = g.variable("narrow", 1.0f32);
    let wide = g.variable("wide", 1.0f64);
    let loss = (narrow.cast::<f64>() * 3.0 + wide * 3.0).square();
    let train_step = Adam::new(0.125).minimize(loss);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    for _ in 0..5 {
        session.run(train_step, []).unwrap();
    }
    let (narrow, wide) = session.run((narrow.scalar(), wide.scalar()), []).unwrap();
    assert!((f64::from(narrow) - wide).abs() < 1e-6 && wide < 0.5, "{narrow} {wide}");
    // What they share has the wider type.
    assert!(session.variable::<f64>("beta1_power").is_ok());
}

#[test]
fn slots_are_named_as_tensorflow_names_them() {
    let g = Graph::new();
    let w = {
        let _scope = g.scope("layer1");
        g.variable::<f32>("w", ones(dims![2]))
    };
    let loss = w.square().reduce_sum(..);
    let _scope = g.scope("train");
    Momentum::new(0.1, 0.9).minimize(loss);
    Adagrad::new(0.1).minimize(loss);
    RmsProp::new(0.1).momentum(0.9).minimize(loss);
    Adam::new(0.1).minimize(loss);
    AdamW::new(0.1, 0.01).minimize(loss);
    Adadelta::new(0.1).minimize(loss);
    Ftrl::new(0.1).minimize(loss);
    ProximalAdagrad::new(0.1).minimize(loss);
    assert_eq!(
        variables(&g),
        [
            "layer1/w",
            "layer1/w/Momentum",
            "layer1/w/Adagrad",
            "layer1/w/RMSProp",
            "layer1/w/RMSProp_1",
            "train/beta1_power",
            "train/beta2_power",
            "layer1/w/Adam",
            "layer1/w/Adam_1",
            "train/beta1_power_1",
            "train/beta2_power_1",
            "layer1/w/AdamW",
            "layer1/w/AdamW_1",
            "layer1/w/Adadelta",
            "layer1/w/Adadelta_1",
            "layer1/w/Ftrl",
            "layer1/w/Ftrl_1",
            "layer1/w/ProximalAdagrad",
        ]
    );
}

#[test]
fn slots_that_nothing_depends_on_are_written() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let train_step = Adadelta::new(1.0).minimize(w.square());
    let session = Session::new(&g).unwrap();
    session.run(train_step, []).unwrap();
    assert_ne!(session.variable::<f32>("w/Adadelta_1").unwrap().sum(), 0.0);
}

#[test]
fn numbers_that_ftrl_cannot_have_are_mistakes() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    Ftrl::new(0.1).learning_rate_power(0.5).minimize(w.square());
    Ftrl::new(0.1).initial_accumulator(-1.0).minimize(w.square());
    Ftrl::new(0.1).l1(-1.0).minimize(w.square());
    let mistakes = g.check().unwrap_err();
    let told: Vec<&str> = mistakes.iter().map(|told| &*told.message).collect();
    assert_eq!(
        told,
        [
            "Ftrl: the learning rate power is 0.5 and has to be 0 or less, and finite",
            "Ftrl: the first accumulator is -1 and has to be 0 or more, and finite",
            "Ftrl: l1 is -1 and has to be 0 or more, and finite",
        ]
    );
    assert!(mistakes.iter().all(|told| told.location.to_string().contains("steps.rs")));
}

#[test]
fn trainable_variables_are_those_that_optimizers_change() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    g.state("frozen", 1.0f32);
    Adam::new(0.1).minimize(w.square());
    g.variable("last", 1.0f32);
    let names: Vec<String> = trainable_variables(&g).iter().map(|v| v.name()).collect();
    assert_eq!(names, ["w", "last"]);
}

#[test]
fn slots_are_not_trained() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    Adam::new(0.1).minimize(w.square());
    let gradients = Adam::new(0.1).compute_gradients(w.square());
    assert_eq!(names(&gradients), ["w"]);
}

#[test]
fn two_optimizers_in_one_graph() {
    let g = Graph::new();
    let (generator, critic) = (g.variable("generator", 1.0f32), g.variable("critic", 1.0f32));
    let loss = generator * critic;
    let (first, second) = (Adam::new(0.5), Adam::new(0.25));
    let step = global_step(&g);
    let one = first.apply_gradients_counting(first.compute_gradients_of(loss, [generator]), step);
    let two = second.apply_gradients(second.compute_gradients_of(loss, [critic]));
    let both = second.minimize(-loss);
    assert_eq!(
        [one.name(), two.name(), both.name()],
        ["train_step", "train_step_1", "train_step_2"]
    );
    let variables = variables(&g);
    assert_eq!(
        variables[3..7],
        ["beta1_power", "beta2_power", "generator/Adam", "generator/Adam_1"]
    );
    assert_eq!(
        variables[7..11],
        ["beta1_power_1", "beta2_power_1", "critic/Adam", "critic/Adam_1"]
    );
    assert_eq!(
        variables[13..17],
        ["generator/Adam_2", "generator/Adam_3", "critic/Adam_2", "critic/Adam_3"]
    );
    let session = Session::new(&g).unwrap();
    // Both steps see the variables as they were, whatever runs first.
    session.run((one, two), []).unwrap();
    let (generator, critic) = session.run((generator.scalar(), critic.scalar()), []).unwrap();
    assert!((generator - 0.5).abs() < 1e-6 && (critic - 0.75).abs() < 1e-6);
}

#[test]
fn a_step_can_be_named() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let one = GradientDescent::new(0.1).minimize(w.square()).named("descend");
    let two = GradientDescent::new(-0.1).minimize(w.square());
    assert_eq!([one.name(), two.name()], ["descend", "train_step"]);
    g.check().unwrap();
}

#[test]
fn names_that_are_taken_do_not_matter() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    for name in ["train_step", "update/w", "update/learning_rate", "w/Adam", "beta1_power"] {
        g.state(name, 0.0f32);
    }
    Adam::new(0.1).minimize(w.square());
    g.check().unwrap();
}

#[test]
fn what_runs_before_is_kept_and_variables_do_not_wait() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let counter = g.state("counter", 0i64);
    let loss = w.square();
    let train_step = {
        let _after = g.after([counter.assign_add(1)]);
        Momentum::new(0.25, 0.5).minimize(loss)
    };
    let session = Session::new(&g).unwrap();
    session.run(train_step, []).unwrap();
    assert_eq!(session.run(counter.scalar(), []).unwrap(), 1);
    let slot = g.tensor::<f32>("w/Momentum").unwrap();
    session.run(slot, []).unwrap();
    assert_eq!(session.run(counter.scalar(), []).unwrap(), 1);
}

#[test]
fn every_node_of_a_step_points_at_the_call() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let loss = w.square();
    let first = g.ir().len();
    let line = line!() + 1;
    Adam::new(0.1).minimize_counting(loss, global_step(&g));
    let ir = g.ir();
    for (id, node) in ir.iter().skip(first) {
        let Location::Source(at) = node.location else {
            panic!("{} comes from nowhere", ir.describe(id));
        };
        assert_eq!(
            (at.line(), at.file().ends_with("steps.rs")),
            (line, true),
            "{}",
            ir.describe(id)
        );
    }
}

#[test]
fn a_loss_with_dimensions_is_a_mistake() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", ones(dims![3]));
    let train_step = GradientDescent::new(0.1).minimize(w.square());
    let mistake = only_mistake(&g);
    assert_eq!(mistake.message, "minimize: the loss `square : f32[3]` is not one number");
    assert!(mistake.help.unwrap().contains("reduce_mean"));
    assert!(mistake.location.to_string().contains("steps.rs"));
    assert!(Session::new(&g).is_err());
    let _ = train_step;
}

#[test]
fn a_loss_of_integers_is_a_mistake() {
    let g = Graph::new();
    let w = g.variable("w", 1i64);
    GradientDescent::new(0.1).minimize(w.square());
    assert_eq!(only_mistake(&g).message, "minimize: the loss `square : i64[]` has no derivatives");
}

#[test]
fn an_operation_is_no_loss() {
    let g = Graph::new();
    let nothing = g.no_op();
    GradientDescent::new(0.1).minimize(nothing);
    assert_eq!(only_mistake(&g).message, "minimize: the loss `group : operation` has no value");
}

#[test]
fn a_wrong_loss_is_reported_once() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", ones(dims![3]));
    let wrong = w.matmul(w).reduce_sum(..);
    Adam::new(0.1).minimize(wrong);
    only_mistake(&g);
}

#[test]
fn no_trainable_variable_is_a_mistake_that_says_why() {
    let optimizer = GradientDescent::new(0.1);

    let g = Graph::new();
    let loss = g.state("frozen", 1.0f32).square();
    optimizer.minimize(loss);
    let mistake = only_mistake(&g);
    assert_eq!(mistake.message, "minimize: the loss `square` depends on no trainable variable");
    assert!(mistake.notes.iter().any(|note| note.text == "frozen : f32[]"), "{mistake}");

    let g = Graph::new();
    g.variable("elsewhere", 1.0f32);
    GradientDescent::new(0.1).minimize(g.constant(1.0f32));
    assert!(only_mistake(&g).notes.iter().any(|note| note.text.contains("elsewhere")));

    let g = Graph::new();
    GradientDescent::new(0.1).minimize(g.constant(1.0f32));
    assert!(only_mistake(&g).help.unwrap().contains("g.variable"));
}

#[test]
fn a_path_that_breaks_is_named() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", ones(dims![3]));
    let loss = w.argmax(-1).cast::<f32>();
    GradientDescent::new(0.1).minimize(loss);
    let mistake = only_mistake(&g);
    assert!(mistake.to_string().contains("the path ends at `argmax"), "{mistake}");
}

#[test]
fn a_rate_with_dimensions_is_a_mistake() {
    let g = Graph::new();
    let (v, w) = (g.variable("v", 1.0f32), g.variable("w", 1.0f32));
    let rates = g.constant_array(&ndarray::arr1(&[0.1f32, 0.2]));
    GradientDescent::new(rates).minimize(v * w);
    assert_eq!(
        only_mistake(&g).message,
        "minimize: the learning rate is one number, and `constant : f32[2]` has dimensions"
    );
}

#[test]
fn gradients_of_the_wrong_shape_are_a_mistake() {
    let g = Graph::new();
    let w = g.variable::<f32>("w", ones(dims![3]));
    let gradients = Gradients::new(&g, [(w, g.constant(1.0f32))]);
    GradientDescent::new(0.1).apply_gradients(gradients);
    assert!(only_mistake(&g).message.contains("shape [3] cannot take a value of shape []"));
}

#[test]
fn only_variables_can_follow_gradients() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![]);
    GradientDescent::new(0.1).apply_gradients(Gradients::new(&g, [(x, x)]));
    assert!(only_mistake(&g).message.contains("`x` is not a variable"));

    let g = Graph::new();
    let n = g.variable("n", 1i64);
    GradientDescent::new(0.1).apply_gradients(Gradients::new(&g, [(n, n)]));
    assert!(only_mistake(&g).message.contains("`n : i64[]` cannot follow a gradient"));
}

#[test]
fn nothing_to_apply_is_a_mistake() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    let optimizer = GradientDescent::new(0.1);
    optimizer.apply_gradients(optimizer.compute_gradients(w.square()).filter(|_, _| false));
    assert_eq!(only_mistake(&g).message, "apply_gradients: there are no gradients to apply");
}

#[test]
fn a_rate_of_another_graph_is_a_mistake() {
    let (g, other) = (Graph::named("g"), Graph::named("other"));
    let w = g.variable("w", 1.0f32);
    GradientDescent::new(other.constant(0.1f32)).minimize(w.square());
    assert!(only_mistake(&g).message.contains("a tensor of graph `other`"));
}

#[test]
fn a_step_that_is_no_variable_is_a_mistake() {
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    GradientDescent::new(0.1).minimize_counting(w.square(), g.constant(1i64));
    assert!(only_mistake(&g).message.contains("is not a variable"));
}

#[test]
fn tensors_of_other_graphs_are_mistakes_of_this_one() {
    let (g, other) = (Graph::named("g"), Graph::named("other"));
    let w = g.variable("w", 1.0f32);
    GradientDescent::new(0.1).minimize_counting(w.square(), global_step(&other));
    let foreign = Gradients::new(&g, [(other.variable("w", 1.0f32), w)]);
    GradientDescent::new(0.1).apply_gradients(foreign);
    let mistakes = g.check().unwrap_err();
    assert_eq!(mistakes.0.len(), 2, "{mistakes}");
    for mistake in mistakes.iter() {
        assert!(mistake.message.contains("a tensor of graph `other`"), "{mistake}");
    }
    other.check().unwrap();
}

/// Adam as in the algorithm of the paper, both means corrected: epsilon beside the corrected root.
struct PaperAdam {
    rate: f64,
    named: &'static str,
}

impl<'g> Optimizer<'g> for PaperAdam {
    fn name(&self) -> &'static str {
        "PaperAdam"
    }

    fn rate(&self, updates: &mut Updates<'g>) -> Hyperparameter<'g> {
        for (state, shared, beta) in
            [("beta1_power", "rest1", 0.9), ("beta2_power", self.named, 0.999)]
        {
            let power = updates.state::<f64>(state, beta);
            let rest = updates.named(shared, || power.graph().constant(1.0) - power);
            updates.share(shared, rest);
            updates.assign(power, |power| power * beta);
        }
        self.rate.into()
    }

    fn update<T: Float>(&self, cx: &mut Update<'_, 'g, T>) -> Tensor<'g, T> {
        let (g, m, v) = (cx.gradient(), cx.slot(0.0), cx.slot(0.0));
        let m = m.assign_add((g - m) * cx.one_minus("one_minus_beta1", 0.9));
        let v = v.assign_add((g.square() - v) * cx.one_minus("one_minus_beta2", 0.999));
        let root = (v / cx.shared("rest2")).sqrt() + cx.scalar("epsilon", 1e-8);
        let mean = m / cx.shared("rest1");
        cx.variable().assign_sub(mean / root * cx.rate())
    }
}

#[test]
fn an_optimizer_of_a_users_own_shares_scalars_among_all_updates() {
    let g = Graph::new();
    let (w, narrow) = (g.variable("w", 1.0f64), g.variable("narrow", 1.0f32));
    let loss = w * 3.0 + narrow.cast::<f64>();
    let step = PaperAdam { rate: 0.5, named: "rest2" }.minimize(loss);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    for step_count in 1..4 {
        session.run(step, []).unwrap();
        // A gradient that stays the same makes steps of the rate.
        let (w, narrow) = session.run((w.scalar(), narrow.scalar()), []).unwrap();
        let wanted = 1.0 - 0.5 * f64::from(step_count);
        assert!((w - wanted).abs() < 1e-7 && (f64::from(narrow) - wanted).abs() < 1e-5, "{w}");
    }
    assert_eq!(variables(&g).iter().filter(|name| name.ends_with("_power")).count(), 2);
    let g = Graph::new();
    let w = g.variable("w", 1.0f32);
    PaperAdam { rate: 0.5, named: "other" }.minimize(w.square());
    let mistake = only_mistake(&g);
    assert_eq!(mistake.message, "minimize: PaperAdam: no scalar `rest2` is shared");
}
