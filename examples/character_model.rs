//! A recurrent network reads a text letter by letter and learns to say which comes next; then it
//! writes. A gated cell (Cho et al. 2014) is run through time by `scan`, and trained through it.
//!
//! ```text
//! cargo run --release --example character_model
//! cargo run --release --example character_model -- --text README.md --steps 1000
//! ```

use std::path::PathBuf;

use abeyance::prelude::*;
use clap::Parser;
use ndarray::{Array2, arr2};

/// Letters a training step goes through, and how many places of the text it starts from.
const LENGTH: usize = 50;
const PLACES: usize = 32;
const UNITS: usize = 128;

struct Network<'g> {
    x: Tensor<'g, i32>,
    y_: Tensor<'g, i32>,
    first: Tensor<'g, f32>,
    last: Tensor<'g, f32>,
    written: Tensor<'g, i64>,
    loss: Scalar<'g, f32>,
    train_step: Operation<'g>,
}

/// The program: letters `[T, N]`, as numbers below `letters`, in; the next ones out.
fn network(g: &Graph, letters: usize) -> Network<'_> {
    let x = g.placeholder::<i32>("x", dims!["T", "N"]);
    let y_ = g.placeholder::<i32>("y_", dims!["T", "N"]);
    let dense = |name: &str, from: usize, to: usize| {
        let _scope = g.scope(name);
        (g.variable("w", glorot_uniform(dims![from, to])), g.variable("b", zeros(dims![to])))
    };
    let (wz, bz) = dense("update", letters + UNITS, UNITS);
    let (wr, br) = dense("reset", letters + UNITS, UNITS);
    let (wc, bc) = dense("candidate", letters + UNITS, UNITS);
    let (wo, bo) = dense("output", UNITS, letters);

    let first = g.zeros::<f32>(dims![x.dim(1), UNITS]).named("first");
    let (last, states) = g.scan(first, x.one_hot::<f32>(letters), |h, x| {
        let both = g.concat([x, h], -1);
        let z = (both.matmul(wz) + bz).sigmoid();
        let r = (both.matmul(wr) + br).sigmoid();
        let candidate = (g.concat([x, r * h], -1).matmul(wc) + bc).tanh();
        let h = z * h + (1.0 - z) * candidate;
        (h, h)
    });
    let logits = states.reshape(dims![_, UNITS]).matmul(wo) + bo;
    let loss = logits.sparse_softmax_cross_entropy(y_.reshape(dims![_])).reduce_mean(..);
    let train_step = {
        let optimizer = Adam::new(0.003);
        let gradients = optimizer.compute_gradients(loss);
        optimizer.apply_gradients(clip_by_global_norm(gradients, 1.0))
    };

    // A letter drawn by its probability: the largest of the logits with Gumbel's noise; halving the
    // noise makes it more careful.
    let noise = -(-g.random_uniform::<f32>(logits.shape(), 1e-6, 1.0).log()).log();
    let written = (logits + noise * 0.5).argmax(-1);
    Network { x, y_, first, last, written, loss, train_step }
}

/// Learns a text letter by letter, and writes like it.
#[derive(Parser)]
struct Options {
    /// The text to read
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-APACHE"))]
    text: PathBuf,
    #[arg(long, default_value_t = 600)]
    steps: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let text = std::fs::read_to_string(&options.text)
        .map_err(|error| format!("{}: {error}", options.text.display()))?;
    let text: Vec<char> =
        text.split_whitespace().flat_map(|word| word.chars().chain([' '])).collect();
    let mut letters = text.clone();
    letters.sort_unstable();
    letters.dedup();
    let numbers: Vec<i32> = text
        .iter()
        .filter_map(|letter| letters.binary_search(letter).ok())
        .map(|at| at as i32)
        .collect();
    if numbers.len() <= LENGTH + PLACES {
        return Err(format!(
            "{}: a text of {} letters is too short to learn from",
            options.text.display(),
            numbers.len()
        )
        .into());
    }

    let g = Graph::named("character_model");
    let net = network(&g, letters.len());
    let session = Session::new(&g)?;
    println!(
        "{} letters, {} different; a guess costs {:.3}",
        numbers.len(),
        letters.len(),
        (letters.len() as f64).ln()
    );
    for step in 0..options.steps {
        // Evenly spread over the text, from a place that moves on.
        let start = |n: usize| (step * 37 + n * numbers.len() / PLACES) % (numbers.len() - LENGTH);
        let x = Array2::from_shape_fn((LENGTH, PLACES), |(t, n)| numbers[start(n) + t]);
        let y = Array2::from_shape_fn((LENGTH, PLACES), |(t, n)| numbers[start(n) + t + 1]);
        let (loss, ()) =
            session.run((net.loss, net.train_step), feeds![net.x => &x, net.y_ => &y])?;
        if step % (options.steps / 10).max(1) == 0 || step + 1 == options.steps {
            println!("step {step:5}   cross entropy per letter {loss:.3}");
        }
    }

    // It writes: what it said last is what it reads next, and its state is fed back in place of the
    // zeros it starts from.
    let mut state = ndarray::ArrayD::zeros(vec![1, UNITS]);
    let mut letter = letters.binary_search(&' ').unwrap_or(0) as i32;
    let mut written = String::new();
    for _ in 0..400 {
        let (next, last) = session.run(
            (net.written, net.last),
            feeds![net.x => &arr2(&[[letter]]), net.first => &state],
        )?;
        letter = next[0] as i32;
        state = last;
        written.push(letters[letter as usize]);
    }
    println!("\n{written}");
    Ok(())
}
