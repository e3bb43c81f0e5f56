//! The mistakes that are reported in texts that are wrong.

use abeyance_ir::Graph;

use crate::operators::registry;

fn mistakes(text: &str) -> String {
    match Graph::parse(text, &registry()) {
        Ok(graph) => panic!("this was read:\n{graph}"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

/// Holds a text against its snapshot, named for the test.
macro_rules! shown {
    ($text:expr) => {{
        let text = $text;
        insta::assert_snapshot!(text);
    }};
}

/// The mistakes of one line behind two sources, the line being the fifth of the text.
fn line(line: &str) -> String {
    mistakes(&format!(
        "graph g {{\n  forward {{\n    x = source : f32[N, 3]\n    big = source : f32[4]\n    {line}\n  }}\n}}"
    ))
}

/// Each line with its mistakes.
fn lines(all: &[&str]) -> String {
    let shown: Vec<String> = all.iter().map(|text| format!("{text}\n{}", line(text))).collect();
    shown.join("\n\n---\n\n")
}

#[test]
fn operators_operands_and_names() {
    shown!(lines(&[
        "y = negat(x) : f32[N, 3]",
        "y = spectrogram(x) : f32[N, 3]",
        "y = negate(bigg) : f32[4]",
        "y = negate(y) : f32[4]",
        "y = add(x, x, x) : f32[N, 3]",
        "y = add(x, big) : f32[N, 3]",
        "x = negate(x) : f32[N, 3]",
        "\"a b\" = negate(x) : f32[N, 3]",
        "y = negate(x) : f32[N, 3]  after=[big, nobody]",
    ]));
}

#[test]
fn types() {
    shown!(lines(&[
        "y = negate(x)",
        "y = negate(x) : f32[N, 4]",
        "y = negate(x) : i32[N, 3]",
        "y = negate(x) : f32[N]",
        "y = negate(x) : operation",
        "y = negate(x) : invalid",
        "y = negate(x) : f23[N]",
        "y = negate(x) : f32[_, 3]",
        "y = negate(x) : f32[N, 3",
        "y = negate(x) : f32[N, 3] junk",
        "y = source : f32[99999999999, 99999999999]",
        "y = source : f32[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
    ]));
}

#[test]
fn attributes() {
    shown!(lines(&[
        "y = negate(x) flag=true : f32[N, 3]",
        "y = every(x) colour=3 : f32[N, 3]",
        "y = every(x) flag=maybe : f32[N, 3]",
        "y = every(x) count=1.5 : f32[N, 3]",
        "y = every(x) rate=1e999 : f32[N, 3]",
        "y = every(x) axes=[1, 2 : f32[N, 3]",
        "y = every(x) flag=true flag=true : f32[N, 3]",
        "y = every(x) as=f32 to=[N, 3] : f32[N, 3]",
        "y = every(x) as=f32 to=[3] table=1.0 start=random : f32[3]",
        "y = every(x) as=f32 to=[3] table=1.0 start=normal(0.0) : f32[3]",
        "y = every(x) flag : f32[N, 3]",
        "y = every(x) = : f32[N, 3]",
    ]));
}

#[test]
fn arrays() {
    shown!(lines(&[
        "y = constant value=[[1.0, 2.0], [3.0]] : f32[2, 2]",
        "y = constant value=[[1.0, 2.0], 3.0] : f32[2, 2]",
        "y = constant value=[1.0, [2.0, 3.0]] : f32[2, 2]",
        "y = constant value=[1.0, 2.0 : f32[2]",
        "y = constant value=[1.0 2.0] : f32[2]",
        "y = constant value=[1, 300] : u8[2]",
        "y = constant value=[1.0, 2.0] : f32[3]",
        "y = constant value=f32[3] [1.0, 2.0] : f32[3]",
        "y = constant value=f32[2] 1.0 : f32[2]",
        "y = constant value=[] : f32[3]",
        "y = constant value=[] : f32[N]",
        "y = constant value=fill(1.0) : f32[N]",
        "y = constant value=fill(1.0) : f32[1000000000000]",
        "y = constant value=fill() : f32[10]",
        "y = constant value=1.0 : operation",
        "y = constant value=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1.0]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] : f32[1]",
    ]));
}

#[test]
fn a_node_is_used_above_its_definition() {
    shown!(mistakes(
        "graph g {\n  forward {\n    y = negate(x) : f32[3]\n    z = negate(y) : f32[3]\n    x = source : f32[3]\n  }\n}"
    ));
}

#[test]
fn sections() {
    let texts = [
        "",
        "hello, world",
        "graph {\n}",
        "graph g {\n  forward {\n    x = source : f32[3]",
        "graph g {\n  forward {\n    x = source : f32[3]\n  }",
        "graph g {\n  forward {\n    x = source : f32[3]\n  update {\n    y = negate(x) : f32[3]\n  }\n}",
        "graph g {\n  forwards {\n    x = source : f32[3]\n  }\n}",
        "graph g {\n  x = source : f32[3]\n  y = negate(x) : f32[3]\n}",
        "  forward {\n    x = source : f32[3]\n  }\n}",
        "x = source : f32[3]",
        "graph g {\n}\n}",
        "graph g {\n}\ngraph h {\n}",
        "graph g {\n  forward {\n    x = source : f32[3] of x\n  }\n}",
        "graph g {\n  backward {\n    x = source : f32[3]\n  }\n}",
        "graph g { forward {\n  }\n}",
        "graph g {\n  forward {\n    x source : f32[3]\n    y = negate(x) : f32[3]\n  }\n}",
        "graph \"g {\n}",
    ];
    let all: Vec<String> =
        texts.iter().map(|text| format!("{text}\n\n{}", mistakes(text))).collect();
    shown!(all.join("\n\n---\n\n"));
}

#[test]
fn several_mistakes_are_reported_together_and_their_consequences_are_not() {
    shown!(mistakes(
        "graph g {
  forward {
    x = source : f32[N, 3]
    a = relu(x) : f32[N, 3]
    b = negate(a) : f32[N, 3]
    c = negate(b, : f32[N, 3]
    d = add(c, missing) : f32[N, 3]
    e = add(missing, x) : f32[N, 3]
    f = negate(x) : f32[N, 4]
    g = negate(f) : f32[N, 4]
    h = %
    x = source : f32[N, 3]
  }
}"
    ));
}

#[test]
fn what_is_no_graph_is_told_so_once() {
    let csv: String = (0..100).map(|row| format!("{row},{},label\n", row * 7)).collect();
    let json = "{\n  \"graph\": {\n    \"nodes\": [1, 2, 3]\n  }\n}\n";
    let python = "import os\n\ndef main():\n    x = 1\n    print(x)\n\nmain()\n";
    let toml = "[package]\nname = \"graph\"\nversion = \"0.1.0\"\n";
    let prose = "graph theory is old.\nIt has nodes, and edges: {none} of them here.\n";
    for text in ["", "\n\n  \n", "# nothing", "hello, world", &csv, json, python, toml, prose] {
        let diagnostics = Graph::parse(text, &registry()).unwrap_err();
        assert_eq!(diagnostics.iter().count(), 1, "{text}\n{diagnostics}");
        assert!(diagnostics.to_string().contains("this is no graph"), "{diagnostics}");
    }
    // One that has lost its first line is a graph.
    let text = mistakes("  x = source : f32[3]\n  }\n}\n");
    assert!(text.contains("write that line before this one"), "{text}");
}

#[test]
fn a_text_that_was_shortened_is_told_so_once() {
    use abeyance_ir::{Array, DType};
    let mut g = Graph::new("large");
    for _ in 0..30 {
        let elements: Vec<f32> = (0..65).map(|index| index as f32).collect();
        crate::printing::constant(&mut g, Array::new(DType::F32, &[5, 13], &elements));
    }
    let text = g.to_string();
    assert!(text.contains("[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, ... 57 more]"), "{text}");
    let diagnostics = Graph::parse(&text, &registry()).unwrap_err();
    assert_eq!(diagnostics.iter().count(), 1, "{diagnostics}");
    shown!(diagnostics.to_string());
    let whole = g.to_text();
    assert!(whole.len() > 2 * text.len());
    assert_eq!(Graph::parse(&whole, &registry()).unwrap().to_text(), whole);
    // What `abeyance print` leaves out is missing too.
    let hidden = "graph g {\n  forward {\n    x = source : f32[3]\n  }\n  update { 12 lines, shown with --backward }\n}";
    assert!(mistakes(hidden).contains("this text was shortened"));
}

#[test]
fn arrays_of_up_to_64_elements_and_equal_ones_are_printed_whole() {
    use abeyance_ir::{Array, DType};
    let mut g = Graph::new("small");
    let elements: Vec<i32> = (0..64).collect();
    crate::printing::constant(&mut g, Array::new(DType::I32, &[64], &elements));
    crate::printing::constant(&mut g, Array::new(DType::F32, &[1000], &[0.5f32; 1000]));
    assert_eq!(g.to_string(), g.to_text());
    assert_eq!(crate::printing::reprint(&g), g.to_text());
}

#[test]
fn reading_stops_after_twenty_mistakes() {
    let lines: String = (0..1000).map(|index| format!("n{index} = what\n")).collect();
    let diagnostics =
        Graph::parse(&format!("graph g {{\nforward {{\n{lines}"), &registry()).unwrap_err();
    assert_eq!(diagnostics.iter().count(), 21);
    shown!(diagnostics.0[20].to_string());
}

#[test]
fn summaries() {
    let nodes = "graph g {\n  forward {\n    x = source : f32[3]\n    n = source : f32[]\n  }\n";
    shown!(mistakes(&format!(
        "{nodes}
  summary
  summary scalr loss = n
  summary curve loss = n
  summary scalar = n
  summary scalar loss n
  summary scalar loss =
  summary scalar loss = n n
  summary scalar loss = n : f32[]
  summary scalar \"\" = n
  summary scalar abeyance/loss = n
  summary scalar loss = x
  summary scalar loss = n, x
  summary histogram \"not closed = x
  summary histogram all = x, n, missing
  summary histogram all = x,
  summary histogram all = x, x
  summary image x = x
  summary scalar twice = n
  summary histogram twice = x
}}"
    )));
    shown!(mistakes(
        "graph g {\n  forward {\n    n = source : f32[]\n    summary scalar loss = n\n  }\n  signature s {\n    summary scalar loss = n\n  }\n}"
    ));
}

#[test]
fn a_node_called_summary_is_a_node() {
    let text = "graph g {\n  forward {\n    summary = source : f32[3]\n  }\n  summary histogram summary = summary\n}";
    let graph = Graph::parse(text, &registry()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(graph.to_text(), text);
}
