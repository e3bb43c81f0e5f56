//! Texts that ask for more than they hold, and long ones.

use std::fmt::Write;

use abeyance_ir::{Array, Attributes, DType, Graph};

use crate::operators::{Negate, registry};
use crate::printing::{constant, reprint, source};

#[test]
fn all_fills_together_get_a_limited_amount_of_memory() {
    let mut text = "graph g {\nforward {\n".to_owned();
    for index in 0..1000 {
        let _ = writeln!(text, "c{index} = constant value=fill(1) : u8[40000000]");
    }
    let mistakes = Graph::parse(&text, &registry()).unwrap_err().to_string();
    assert!(mistakes.contains("--> line 4"), "{mistakes}");
    assert!(mistakes.contains("64 MiB"), "{mistakes}");
}

#[test]
fn a_fill_beyond_the_limit_is_listed() {
    let mut g = Graph::new("large");
    for _ in 0..3 {
        constant(&mut g, Array::new(DType::U8, &[30_000_000], &vec![7u8; 30_000_000]));
    }
    let text = reprint(&g);
    assert_eq!(text.matches("fill").count(), 2);
}

#[test]
fn a_long_chain_prints_and_is_read() {
    let mut g = Graph::new("chain");
    let mut at = source(&mut g, "x", DType::F32, &[3.into()]);
    for _ in 0..100_000 {
        at = g.add(&Negate, &[at], Attributes::none());
    }
    reprint(&g);
}

#[test]
fn deep_brackets_and_long_names_are_no_way_to_the_stack() {
    let deep = "[".repeat(1_000_000);
    let name = "a/".repeat(500_000);
    for line in [
        format!("x = constant value={deep} : f32[3]"),
        format!("x = source : f32{deep}"),
        format!("x = source{} : f32[3]", "(".repeat(1_000_000)),
        format!("{name} = source : f32[3]\n}}\n{deep}"),
        format!("x = {name} : f32[{name}]"),
        format!("{deep} = source : f32[3]"),
    ] {
        let text = format!("graph g {{\nforward {{\n{line}\n}}\n}}");
        assert!(Graph::parse(&text, &registry()).is_err());
    }
}
