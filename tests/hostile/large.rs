//! Files that are hostile by their length, made in memory.

use std::fmt::Write;

use crate::checkpoints::file;
use crate::forge::{A, D, N, T, f32, n, sizes};
use crate::graphs::{forge, nested, symbols_by_bodies};
use crate::load::{bounded_checkpoint, bounded_graph, guarded, live_with};
use crate::memory;

/// Loads a graph, whatever it comes to; prints what it took for each byte.
fn endure(what: &'static str, bytes: Vec<u8>) -> Result<(), String> {
    let outcome = guarded(move || {
        let (read, peak) = memory::peak(|| bounded_graph(what, &bytes));
        println!(
            "{what}: {:.1} bytes for each of {}",
            peak as f64 / bytes.len() as f64,
            bytes.len()
        );
        read.map(|graph| drop(live_with(what, &graph)))
    });
    outcome.unwrap_or_else(|message| panic!("{what}: {message}"))
}

fn input(name: &str, dims: Vec<D>) -> N {
    let attributes = vec![A::DType(0), A::Shape(dims.clone())];
    n(name, 0, &[], attributes, T::Tensor(0, dims))
}

#[test]
fn many_small_nodes() {
    let chain = (1..20_000u64).fold(forge().node(input("x", vec![])), |forge, at| {
        forge.node(n(&format!("{at}"), 1, &[at - 1], vec![], f32(&[])))
    });
    assert_eq!(endure("a chain", chain.file()), Ok(()));
    let groups = (0..20_000u64)
        .fold(forge(), |forge, at| forge.node(n(&format!("{at:x}"), 5, &[], vec![], T::Operation)));
    assert_eq!(endure("groups of nothing", groups.file()), Ok(()));
}

#[test]
fn one_node_of_very_many_operands() {
    let group = n("g", 5, &[0; 100_000], vec![], T::Operation);
    assert_eq!(endure("a group", forge().node(input("x", vec![])).node(group).file()), Ok(()));
    let concat = n("c", 9, &[0; 100_000], vec![A::Integer(0)], f32(&[100_000]));
    let whole = forge().node(input("x", sizes(&[1]))).node(concat);
    assert_eq!(endure("a concatenation", whole.file()), Ok(()));
}

#[test]
fn bodies_nested_a_million_deep() {
    assert!(endure("bodies", nested(10_000)).is_err());
    let opened = [&1u32.to_le_bytes()[..], &0u64.to_le_bytes()].concat().repeat(1_000_000);
    assert!(endure("bodies that are opened", forge().raw(&opened).file()).is_err());
    let text = format!("graph g {{\nforward {{\n{}", "t b {\n".repeat(1_000_000));
    assert!(endure("bodies of a text", text.into_bytes()).is_err());
}

#[test]
fn names_of_a_megabyte() {
    let slashes = format!("{}{}", "a".repeat(1 << 20), "/b".repeat(60));
    let _ = endure("slashes at the end", forge().node(input(&slashes, vec![])).file());
    let scopes = (0..200).fold(forge(), |forge, at| {
        forge.node(input(&format!("{at}/{}", "a_1/".repeat(500)), vec![]))
    });
    let _ = endure("scopes", scopes.file());
    let _ = endure("no name", forge().node(input(&"\0".repeat(1 << 20), vec![])).file());
    let wrong = (0..30).fold(forge().node(input(&"n".repeat(1 << 20), vec![])), |forge, at| {
        forge.node(n(&format!("y{at}"), 2, &[0; 20], vec![], f32(&[])))
    });
    assert!(endure("operands of wrong nodes", wrong.file()).is_err());
}

#[test]
fn unknown_dimensions_by_bodies() {
    let _ = endure("many", symbols_by_bodies(2_000, 2_000, 4));
    let _ = endure("long", symbols_by_bodies(4, 2_000, 60_000));
    let mut text = "graph g {\nforward {\np = placeholder : bool[]\n".to_owned();
    for at in 0..1_000 {
        let _ = writeln!(text, "s{at} = placeholder : f32[S{at}]");
    }
    for at in 0..1_000 {
        let body = "a = input : f32[]\nreturn a\n}";
        let _ = writeln!(text, "then t{at} {{\n{body}\nelse e{at} {{\n{body}");
        let _ = writeln!(text, "c{at} = cond(p, p) : f32[]");
    }
    text.push_str("}\n}\n");
    let _ = endure("of a text", text.into_bytes());
}

#[test]
fn names_that_are_looked_for_again_and_again() {
    // Each node asks for a new name of a dimension, and thousands are taken.
    let names: Vec<String> = (1..4_000).map(|at| format!("D{at}")).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let mut taken = forge().symbols(&names);
    for at in 0..names.len() {
        taken = taken.node(input(&format!("s{at}"), vec![D::Symbol(at as u64)]));
    }
    for at in 0..4_000u64 {
        let joined = n(
            &format!("c{at}"),
            9,
            &[at % 100, 7],
            vec![A::Integer(0)],
            T::Tensor(0, vec![D::Symbol(at % 100)]),
        );
        taken = taken.node(joined);
    }
    let _ = endure("names of dimensions", taken.file());
    let x = || forge().node(input("x", vec![]));
    let signatures = (0..3_000).fold(x(), |forge, at| {
        forge.signature(&format!("s{at}"), &[("x", 0)], &[], &[("x", 0)], &[0])
    });
    assert_eq!(endure("signatures", signatures.file()), Ok(()));
    let summaries = (0..20_000).fold(x(), |forge, at| forge.summary(1, &format!("{at:x}"), &[0]));
    assert_eq!(endure("summaries", summaries.file()), Ok(()));
    assert!(endure("tensors of a summary", x().summary(1, "t", &[0; 100_000]).file()).is_err());
    let ports: Vec<String> = (0..10_000).map(|at| format!("p{at}")).collect();
    let ports: Vec<(&str, u64)> = ports.iter().map(|port| (&**port, 0)).collect();
    assert_eq!(endure("outputs", x().signature("s", &[], &[], &ports, &[]).file()), Ok(()));
}

#[test]
fn texts_of_very_short_lines() {
    let mut text = "graph g {\nforward {\na=placeholder:u8[]\n".to_owned();
    for at in 0..20_000 {
        let _ = writeln!(text, "n{at:x}=group:operation");
    }
    text.push_str("}\n}\n");
    assert_eq!(endure("a text", text.into_bytes()), Ok(()));
    let names: Vec<String> = (0..100_000).map(|at| format!("m{at:x}")).collect();
    let line = format!("g = group({}) : operation", names.join(","));
    let text = format!("graph g {{\nforward {{\n{line}\n}}\n}}\n");
    assert!(endure("missing names", text.into_bytes()).is_err());
    let list =
        format!("graph g {{\nforward {{\nk = constant value=[{}0] : u8[]\n", "0,".repeat(100_000));
    assert!(endure("a list", list.into_bytes()).is_err());
}

#[test]
fn checkpoints_of_long_headers() {
    let load = |what: &'static str, bytes: Vec<u8>| {
        let outcome = guarded(move || {
            let (read, peak) = memory::peak(|| bounded_checkpoint(what, &bytes));
            println!(
                "{what}: {:.1} bytes for each of {}",
                peak as f64 / bytes.len() as f64,
                bytes.len()
            );
            read.map(|checkpoint| checkpoint.variables().len())
        });
        outcome.unwrap_or_else(|message| panic!("{what}: {message}"))
    };
    let tensors: Vec<String> = (0..5_000)
        .map(|at| format!(r#""{at}":{{"dtype":"U8","shape":[],"data_offsets":[{at},{}]}}"#, at + 1))
        .collect();
    let header = format!("{{{}}}", tensors.join(","));
    assert_eq!(load("tensors", file(&header, &[0; 5_000])), Ok(5_000));
    // Eight tensors of which the last ends at 2^64 - 8, so that with the header the file's length
    // is past it.
    let size = (1u64 << 61) - 1;
    let tensors: Vec<String> = (0..8)
        .map(|at| {
            format!(
                r#""{at}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{},{}]}}"#,
                at * size,
                (at + 1) * size
            )
        })
        .collect();
    assert!(load("offsets", file(&format!("{{{}}}", tensors.join(",")), &[])).is_err());
    assert!(load("nesting", file(&r#"{"a":"#.repeat(100_000), &[])).is_err());
    assert!(
        load("sizes", file(&format!(r#"{{"w":{{"shape":[{}"#, "1,".repeat(100_000)), &[])).is_err()
    );
}
