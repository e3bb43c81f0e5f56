//! Tests of passes as files: `crates/session/tests/passes/*.txt`.
//!
//! A file is a graph in its text form under a header, and behind it the draft before and after the
//! passes that the header names:
//!
//! ```text
//! # Which rule it shows.
//! pass: cse
//! feed: x f32[4, 3]
//! fetch: y
//!
//! graph g { .. }
//!
//! before {
//! ..
//! }
//!
//! after {
//! ..
//! }
//! ```
//!
//! `setup: const_fold, cse` are passes that run before the draft that is shown as `before`.
//! `pass: none` shows the draft as it is translated. Drafts are rewritten by
//! `UPDATE_PASSES=1 cargo test`.
//!
//! Every file is run, too: its fetches have the same bits with all passes, without each, and
//! without any, on one thread and on two.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abeyance_graph::Graph;
use abeyance_graph::raw::GraphExt;
use abeyance_ir::{DType, Dims, Effect, NodeId};
use ndarray::{ArrayD, IxDyn};

use super::compiler::Request;
use super::draft::{Draft, Source};
use super::needed::LiveNodes;
use super::passes::{optional, passes};
use super::shapes::Shapes;
use super::verify::verify;
use super::write_order::WriteOrder;
use super::{FeedShape, FrozenGraph, PassSet, RunMemory, SessionGraph, VariableIndex, compile};
use crate::{Feed, Session, SessionOptions, Value};

/// A file of a test.
struct Case {
    /// All before the drafts.
    head: String,
    /// The drafts as they are expected.
    drafts: String,
    graph: Graph,
    setup: Vec<String>,
    pass: Vec<String>,
    feeds: Vec<(String, DType, Dims)>,
    fetches: Vec<String>,
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).collect()
}

fn dtype(name: &str) -> DType {
    DType::ALL.into_iter().find(|dtype| dtype.name() == name).unwrap()
}

impl Case {
    fn read(path: &Path) -> Case {
        let text = std::fs::read_to_string(path).unwrap();
        let start = text.find("\ngraph ").expect("a graph") + 1;
        let end = start + text[start..].find("\n}\n").expect("a graph's end") + 3;
        let (head, graph, drafts) = (&text[..start], &text[start..end], &text[end..]);
        let graph =
            Graph::parse(graph).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut case = Case {
            head: text[..end].to_owned(),
            drafts: drafts.to_owned(),
            graph,
            setup: Vec::new(),
            pass: Vec::new(),
            feeds: Vec::new(),
            fetches: Vec::new(),
        };
        for line in head.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (key, value) = line.split_once(':').unwrap();
            match key {
                "setup" => case.setup = list(value),
                "pass" => case.pass = list(value),
                "feed" => {
                    let (name, ty) = value.trim().split_once(' ').unwrap();
                    let (element, dims) = ty.split_once('[').unwrap();
                    let dims = dims.trim_end_matches(']').split(',').map(str::trim);
                    let dims = dims.filter(|dim| !dim.is_empty()).map(|dim| dim.parse().unwrap());
                    case.feeds.push((name.to_owned(), dtype(element), dims.collect()));
                }
                "fetch" => case.fetches = list(value),
                _ => panic!("{}: what is `{line}`?", path.display()),
            }
        }
        case
    }

    fn node(&self, name: &str) -> NodeId {
        self.graph.ir().find(name).unwrap_or_else(|| panic!("there is no `{name}`"))
    }

    /// The drafts before and after the passes.
    fn drafts(&self) -> String {
        let session = session_graph(&self.graph);
        let feeds: Vec<FeedShape> = (self.feeds.iter())
            .map(|(name, dtype, dims)| FeedShape {
                node: self.node(name),
                dtype: *dtype,
                dims: dims.clone(),
            })
            .collect();
        let fetches: Vec<NodeId> = self.fetches.iter().map(|name| self.node(name)).collect();
        let request = Request::new(&session, &fetches, &feeds);
        with_draft(&request, |draft| {
            for name in &self.setup {
                run(draft, name);
            }
            if self.pass[..] == ["none"] {
                return block("draft", draft);
            }
            let before = block("before", draft);
            for name in &self.pass {
                run(draft, name);
            }
            let after = block("before", draft);
            if before == after {
                return block("unchanged", draft);
            }
            before + &block("after", draft)
        })
    }

    /// Runs the case. Returns the bits of the fetches, and of all variables afterwards.
    fn run(&self, options: SessionOptions) -> Vec<u64> {
        let session = Session::with_options(&self.graph, options.seed(3).verify_passes(true));
        let session = session.unwrap_or_else(|error| panic!("{error}"));
        let values: Vec<(NodeId, Value)> = (self.feeds.iter())
            .map(|(name, dtype, dims)| (self.node(name), value(*dtype, dims)))
            .collect();
        let feeds: Vec<Feed<'_>> =
            values.iter().map(|(node, value)| Feed::new(self.graph.any(*node), value)).collect();
        let (mut tensors, mut operations) = (Vec::new(), Vec::new());
        for name in &self.fetches {
            let node = self.node(name);
            if self.graph.ir().node(node).ty.tensor().is_some() {
                tensors.push(self.graph.any(node));
            } else {
                operations.push(self.graph.operation(name).unwrap());
            }
        }
        let mut seen = Vec::new();
        for _ in 0..2 {
            let run = session.run((tensors.clone(), operations.clone()), &feeds);
            match run {
                Ok((values, _)) => values.iter().for_each(|value| bits(value, &mut seen)),
                Err(error) => seen.extend(error.to_string().bytes().map(u64::from)),
            }
        }
        for name in session.variables() {
            if let Ok(value) = session.variable::<f32>(name) {
                bits(&Value::F32(value), &mut seen);
            }
        }
        seen
    }
}

/// A draft between braces, its lines indented.
fn block(name: &str, draft: &Draft<'_>) -> String {
    let text = draft.to_string();
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}\n")).collect();
    format!("\n{name} {{\n{}}}\n", lines.concat())
}

fn session_graph(graph: &Graph) -> SessionGraph {
    let ir = graph.ir().clone();
    let is_variable = |node: &abeyance_ir::Node| node.operator.signature().effect == Effect::Read;
    let variables: HashMap<NodeId, VariableIndex> = (ir.iter())
        .filter(|(_, node)| is_variable(node))
        .enumerate()
        .map(|(index, (id, _))| (id, VariableIndex(index)))
        .collect();
    SessionGraph {
        graph: FrozenGraph::Own(Box::new(ir)),
        seed: 0,
        variables,
        passes: PassSet::all(),
        memory: Arc::new(RunMemory::new(1)),
    }
}

/// The draft of a request before any pass.
fn with_draft<R>(request: &Request<'_>, then: impl FnOnce(&mut Draft<'_>) -> R) -> R {
    let graph = &request.session.graph;
    let live = LiveNodes::new(graph, request.fetches, request.feeds).unwrap();
    let shapes = Shapes::new(graph, &live, request.feeds, None).unwrap();
    let write_order = WriteOrder::new(graph, &live).unwrap();
    let mut draft = Draft::new(request, &live, &shapes, &write_order).unwrap();
    verify(&draft, "translation").unwrap();
    then(&mut draft)
}

fn run(draft: &mut Draft<'_>, name: &str) {
    let pass = passes().find(|pass| pass.name() == name);
    let pass = pass.unwrap_or_else(|| panic!("there is no pass `{name}`"));
    pass.run(draft).unwrap();
    verify(draft, name).unwrap();
}

/// An array with numbers of every kind.
fn value(dtype: DType, dims: &[usize]) -> Value {
    const FLOATS: [f32; 11] = [
        0.5,
        -0.0,
        1.5,
        -2.25,
        0.0,
        f32::INFINITY,
        3.0,
        f32::NAN,
        -0.125,
        f32::NEG_INFINITY,
        1e-40,
    ];
    let count: usize = dims.iter().product();
    let float = |index: usize| FLOATS[(index * 7 + index / 11) % FLOATS.len()];
    fn array<T>(dims: &[usize], elements: impl Iterator<Item = T>) -> ArrayD<T> {
        ArrayD::from_shape_vec(IxDyn(dims), elements.collect()).unwrap()
    }
    let indices = 0..count;
    match dtype {
        DType::F32 => Value::F32(array(dims, indices.map(float))),
        DType::F64 => Value::F64(array(dims, indices.map(|index| f64::from(float(index))))),
        DType::I32 => Value::I32(array(dims, indices.map(|index| index as i32 % 3))),
        DType::I64 => Value::I64(array(dims, indices.map(|index| index as i64 % 3))),
        DType::U8 => Value::U8(array(dims, indices.map(|index| index as u8))),
        DType::Bool => Value::Bool(array(dims, indices.map(|index| index % 3 == 0))),
    }
}

/// Appends a value's bits. Of two NaN a processor gives one, which of them depends on how a loop
/// was compiled, so one NaN is as good as another.
fn bits(value: &Value, bits: &mut Vec<u64>) {
    const NAN: u64 = u64::MAX;
    match value {
        Value::F32(x) => {
            bits.extend(x.iter().map(|&x| if x.is_nan() { NAN } else { u64::from(x.to_bits()) }))
        }
        Value::F64(x) => bits.extend(x.iter().map(|&x| if x.is_nan() { NAN } else { x.to_bits() })),
        Value::I32(x) => bits.extend(x.iter().map(|&x| x as u64)),
        Value::I64(x) => bits.extend(x.iter().map(|&x| x as u64)),
        Value::U8(x) => bits.extend(x.iter().map(|&x| u64::from(x))),
        Value::Bool(x) => bits.extend(x.iter().map(|&x| u64::from(x))),
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// The lines of two texts, those that differ marked.
fn diff(expected: &str, found: &str) -> String {
    use std::fmt::Write as _;
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    // The longest common subsequence of what is left at each pair of lines.
    let mut common = vec![vec![0u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            let _ = writeln!(text, "  {}", old[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            let _ = writeln!(text, "- {}", old[i]);
            i += 1;
        } else {
            let _ = writeln!(text, "+ {}", new[j]);
            j += 1;
        }
    }
    text
}

#[test]
fn every_file_has_the_drafts_that_it_shows() {
    let update = std::env::var_os("UPDATE_PASSES").is_some_and(|value| value == "1");
    let mut wrong = String::new();
    for path in files() {
        let case = Case::read(&path);
        let found = case.drafts();
        if found == case.drafts {
            continue;
        }
        if update {
            // Other tests read the files meanwhile.
            let new = path.with_extension("new");
            std::fs::write(&new, case.head + &found).unwrap();
            std::fs::rename(&new, &path).unwrap();
            continue;
        }
        wrong += &format!("{}\n{}\n", path.display(), diff(&case.drafts, &found));
    }
    assert!(wrong.is_empty(), "{wrong}UPDATE_PASSES=1 rewrites the files");
}

#[test]
fn every_file_runs_to_the_same_bits_whatever_passes_are_left_out() {
    for path in files() {
        let case = Case::read(&path);
        for threads in [1, 2] {
            let options = || SessionOptions::new().threads(threads);
            let plain = case.run(options().optimize(false));
            let check = |found: Vec<u64>, how: &str| {
                let differ = found.iter().zip(&plain).position(|(found, plain)| found != plain);
                let values = differ.map(|index| (index, plain[index], found[index]));
                let differ = values.is_some() || found.len() != plain.len();
                assert!(!differ, "{} {how}: {values:x?}", path.display());
            };
            check(case.run(options()), "with all passes");
            for pass in optional() {
                check(case.run(options().without_pass(pass)), pass);
            }
        }
    }
}

#[test]
fn every_pass_has_files() {
    let cases: Vec<Case> = files().iter().map(|path| Case::read(path)).collect();
    for pass in passes() {
        let count = cases.iter().filter(|case| case.pass.iter().any(|name| name == pass.name()));
        assert!(count.count() >= 3, "`{}` has too few files", pass.name());
    }
}

/// The error of a verifier that is given a damaged draft.
fn damaged(damage: impl FnOnce(&mut Draft<'_>)) -> String {
    let text = "graph g {
    forward {
      x = placeholder : f32[N, 3]
      w = variable initial=zeros : f32[N, 3]
      two = constant value=2.0 : f32[]
      sum = add(x, w) : f32[N, 3]
      y = mul(sum, two) : f32[N, 3]
      z = reduce_sum(y) axes=[0, 1] : f32[]
      step = assign(w, y) : f32[N, 3]
    }
    }"
    .replace('N', "4");
    let graph = Graph::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let session = session_graph(&graph);
    let node = |name: &str| graph.ir().find(name).unwrap();
    let feeds =
        [FeedShape { node: node("x"), dtype: DType::F32, dims: [4, 3].into_iter().collect() }];
    let fetches = [node("z"), node("step"), node("y")];
    with_draft(&Request::new(&session, &fetches, &feeds), |draft| {
        damage(draft);
        let error = verify(draft, "some_pass").unwrap_err().to_string();
        error.lines().next().unwrap().to_owned()
    })
}

/// `%0 x, %1 w, %2 two, %3 sum, %4 y, %5 z, %6 step`
#[test]
fn the_verifier_names_the_pass_and_the_rule_that_it_broke() {
    use abeyance_ir::Layout;

    use super::draft::ValueId;
    let id = ValueId::new;
    let errors = [
        damaged(|draft| draft.instructions[3].operands[0] = id(4)),
        damaged(|draft| draft.instructions[4].operands[1] = id(1)),
        damaged(|draft| draft.instructions[4].operands.truncate(1)),
        damaged(|draft| draft.instructions[5].runs_after.push(id(0))),
        damaged(|draft| draft.instructions[2].source = Source::Constant(vec![0; 8].into())),
        damaged(|draft| draft.instructions[1].source = Source::Feed(0)),
        damaged(|draft| {
            draft.instructions[3].layout = Layout::Nhwc16n;
        }),
        damaged(|draft| {
            if let Source::Computed(id) = draft.instructions[4].source {
                draft.computations[id.index()].stores_to = Some(VariableIndex(0));
            }
        }),
        damaged(|draft| draft.instructions.truncate(6)),
        damaged(|draft| {
            let y = draft.fetches[2];
            draft.values[y.index()] = None;
        }),
        damaged(|draft| draft.groups.push(3..6)),
        damaged(|draft| draft.groups.extend([3..5, 4..6])),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn an_unknown_pass_is_an_error_that_lists_those_there_are() {
    let error = |name: &str| {
        let options = SessionOptions::new().without_pass(name);
        Session::with_options(&Graph::new(), options).unwrap_err().to_string()
    };
    insta::assert_snapshot!([error("fusoin"), error("vectorize"), error("dead_code")].join("\n\n"));
}

/// Prints how long plans of the networks in `graphs/` take to compile.
#[test]
#[ignore = "prints times"]
fn compile_times() {
    let names =
        ["mnist_softmax", "mnist_mlp_relu_decay_dropout", "mnist_conv", "mnist_conv_dropout"];
    for name in names {
        let path = format!("{}/../../graphs/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let g = Graph::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let session = session_graph(&g);
        let fetches = [g.ir().find("train_step").unwrap()];
        for batch in [1usize, 100] {
            let feeds = ["x", "y_"].map(|name| {
                let node = g.ir().find(name).unwrap();
                let shape = g.ir().shape(node).unwrap();
                let dims = shape.iter().map(|dim| dim.known().unwrap_or(batch)).collect();
                FeedShape { node, dtype: DType::F32, dims }
            });
            let mut request = Request::new(&session, &fetches, &feeds);
            request.passes = request.passes.verified_if(false);
            let mut times = Vec::new();
            let mut sizes = (0, 0);
            for _ in 0..300 {
                let start = std::time::Instant::now();
                let plan = compile(&request).unwrap();
                times.push(start.elapsed().as_nanos() as f64 / 1e3);
                sizes = (plan.program.tasks(), plan.bytes);
            }
            times.sort_by(f64::total_cmp);
            println!(
                "{name} batch {batch}: {} tasks, {} bytes, min {:.1} us, median {:.1} us",
                sizes.0, sizes.1, times[0], times[150]
            );
        }
    }
}
