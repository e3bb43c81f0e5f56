//! The error that a program meets everywhere: `?` makes one of every error of the library, and it
//! prints for reading.

use std::error::Error as StdError;

use abeyance::ndarray::{Array1, Array2, array};
use abeyance::prelude::*;
use abeyance::{checkpoint, datasets, ir, onnx, record, session};

fn is_everywhere<E: StdError + Send + Sync + 'static>() {}

#[test]
fn every_error_can_be_boxed_and_sent() {
    is_everywhere::<abeyance::Error>();
    is_everywhere::<session::Error>();
    is_everywhere::<checkpoint::Error>();
    is_everywhere::<record::Error>();
    is_everywhere::<datasets::DatasetError>();
    is_everywhere::<datasets::idx::IdxError>();
    is_everywhere::<onnx::ImportError>();
    is_everywhere::<onnx::ExportError>();
    is_everywhere::<ir::Diagnostic>();
    is_everywhere::<ir::Diagnostics>();
}

fn is_taken<E>()
where
    abeyance::Error: From<E>,
{
}

#[test]
fn the_question_mark_takes_the_error_of_every_door() {
    is_taken::<session::Error>();
    is_taken::<checkpoint::Error>();
    is_taken::<record::Error>();
    is_taken::<datasets::DatasetError>();
    is_taken::<datasets::idx::IdxError>();
    is_taken::<onnx::ImportError>();
    is_taken::<onnx::ExportError>();
    is_taken::<ir::Diagnostic>();
    is_taken::<ir::Diagnostics>();
    is_taken::<abeyance::ndarray::ShapeError>();
    is_taken::<std::io::Error>();
}

/// One of each part, all by `?`.
fn part(which: usize) -> Result<(), abeyance::Error> {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let session = Session::new(&g)?;
    match which {
        0 => drop(g.tensor::<f32>("y")?),
        1 => drop(g.operation("y")?),
        2 => drop(Graph::load("no/such.graph")?),
        3 => drop(Graph::parse("nonsense")?),
        4 => g.save("no/such/folder/x.graph")?,
        5 => drop(session.run(x, [])?),
        6 => drop(session.signature("predict")?),
        7 => drop(Checkpoint::load("no/such.safetensors")?),
        8 => drop(Mnist::from_folder("no/such")?),
        9 => drop(onnx::import(b"nonsense")?),
        10 => drop(datasets::idx::read::<u8>("no/such")?),
        11 => drop(Array2::from_shape_vec((2, 2), vec![1.0f32])?),
        12 => drop(std::fs::read("no/such")?),
        13 => Err("a message of the program's own")?,
        14 => Err(abeyance::Error::other("ten".parse::<i32>().unwrap_err()))?,
        15 => {
            let _ = x.matmul(x);
            g.check()?;
        }
        _ => {
            let _ = x.matmul(x);
            drop(Session::new(&g)?);
        }
    }
    Ok(())
}

#[test]
fn the_question_mark_makes_one_error_of_all() {
    for which in 0..17 {
        let error = part(which).expect_err(&which.to_string());
        let (shown, debug) = (error.to_string(), format!("{error:?}"));
        assert_eq!(shown, format!("error: {debug}"), "{which}");
        assert!(!debug.contains("error: ") || debug.contains("\n\nerror: "), "{which}: {debug}");
        // As `derive(Debug)` would print it.
        let is_derived =
            [" { ", "Error(", "Graph(", "Session("].iter().any(|part| debug.contains(part));
        assert!(!is_derived, "{which}: {debug}");
    }
}

#[test]
fn a_main_that_returns_a_boxed_error_shows_the_message() {
    fn main() -> Result<(), Box<dyn StdError>> {
        let g = Graph::named("net");
        let _ = g.placeholder::<f32>("images", dims![_]);
        let _: Tensor<f32> = g.tensor::<f32>("image")?;
        Ok(())
    }
    // As the standard library shows what `main` returns.
    let shown = format!("Error: {:?}", main().unwrap_err());
    let (line, rest) = shown.split_once('\n').unwrap();
    assert_eq!(line, "Error: graph `net` has no node `image`");
    assert!(rest.starts_with("  --> tests/errors.rs:"), "{rest}");
    assert!(rest.ends_with("   = help: did you mean `images`?"), "{rest}");
}

#[test]
fn a_session_s_function_takes_mistakes_of_graphs() -> Result<(), session::Error> {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    g.check()?;
    let found = g.tensor::<f32>("x")?;
    assert_eq!(found.id(), x.id());
    Ok(())
}

#[test]
fn arrays_come_with_the_library() -> Result<(), abeyance::Error> {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_]);
    let fed: Array1<f32> = array![1.0, 2.0];
    let sum = x.reduce_sum(..);
    assert_eq!(Session::new(&g)?.run(sum, feeds![x => &fed])?, 3.0);
    Ok(())
}
