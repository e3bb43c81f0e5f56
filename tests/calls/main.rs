//! Whose line, and whose words: every public function that builds is called once as it should be
//! and once as it should not. Whatever it is made of, its nodes come from the line of the call, and
//! a mistake is told there, under the name that was called.
//!
//! A public function without a row fails the test that reads the sources.

mod face;
mod failing;
mod graph;
mod operands;
mod sources;
mod tensor;

use abeyance::ir;
use abeyance::prelude::*;

/// A public function, and two calls of it.
pub struct Row {
    /// `Tensor::exp`, `Graph::stack`, `dense`; where there are two rows for one, a number behind
    /// `#`.
    pub key: &'static str,
    /// A call as it should be.
    pub right: fn(&Graph),
    /// `None` where no call that compiles is wrong.
    pub wrong: Option<fn(&Graph)>,
}

/// Rows of a name, a call that is right and one that is wrong, both of a graph.
#[macro_export]
macro_rules! calls {
    ($g:ident: $($key:literal, $right:expr, $wrong:expr;)*) => {
        vec![$($crate::Row {
            key: $key,
            right: |$g: &Graph| { let _ = $right; },
            wrong: Some(|$g: &Graph| { let _ = $wrong; }),
        }),*]
    };
}

/// Rows of functions that no call which compiles is a mistake of.
#[macro_export]
macro_rules! never_wrong {
    ($g:ident: $($key:literal, $right:expr;)*) => {
        vec![$($crate::Row { key: $key, right: |$g: &Graph| { let _ = $right; }, wrong: None }),*]
    };
}

fn rows() -> Vec<Row> {
    [tensor::rows(), graph::rows(), face::rows()].into_iter().flatten().collect()
}

impl Row {
    /// The call as the user wrote it: `exp` of `Tensor::exp`, `Dense` of `Dense::apply`.
    fn called(&self) -> &'static str {
        called(self.key)
    }
}

fn called(key: &'static str) -> &'static str {
    let key = key.split('#').next().unwrap_or_default();
    match key.rsplit_once("::") {
        Some((layer @ ("Dense" | "Conv2d" | "BatchNorm"), "apply")) => layer,
        Some((_, name)) => name,
        None => key,
    }
}

fn is_here(location: &ir::Location) -> bool {
    matches!(location, ir::Location::Source(at) if at.file().starts_with("tests/calls/"))
}

/// Nodes that do not come from a line of this test, in bodies too.
fn strangers(graph: &ir::Graph, list: &mut Vec<String>) {
    for (_, node) in graph.iter() {
        if !is_here(&node.location) {
            list.push(format!("{} at {}", node.name, node.location));
        }
        for body in node.attributes.bodies() {
            strangers(body.graph(), list);
        }
    }
}

/// The fault in how a diagnostic is told, if there is one.
fn fault(diagnostic: &ir::Diagnostic, called: &str) -> Option<String> {
    let rest = diagnostic.message.strip_prefix(called);
    if !is_here(&diagnostic.location) {
        return Some(format!("`{called}` is told of at {}:\n{diagnostic}", diagnostic.location));
    }
    if !rest.is_some_and(|rest| rest.starts_with([':', ' '])) {
        return Some(format!("`{called}` is told of by another name:\n{diagnostic}"));
    }
    let unknown = diagnostic
        .notes
        .iter()
        .find(|note| matches!(note.location, ir::Location::Source(_)) && !is_here(&note.location));
    unknown.map(|note| format!("`{called}` points at {}:\n{diagnostic}", note.location))
}

#[test]
fn what_is_built_comes_from_the_line_of_the_call() {
    let mut faults = Vec::new();
    for row in rows() {
        let g = Graph::new();
        (row.right)(&g);
        if let Err(mistakes) = g.check() {
            faults.push(format!("{} is called wrongly:\n{mistakes}", row.key));
        }
        let mut list = Vec::new();
        strangers(&g.ir(), &mut list);
        if !list.is_empty() {
            faults.push(format!("{} builds elsewhere: {list:?}", row.key));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn a_mistake_is_told_with_the_line_and_the_name_of_the_call() {
    let mut faults = Vec::new();
    for row in rows() {
        let Some(wrong) = row.wrong else {
            continue;
        };
        let g = Graph::new();
        wrong(&g);
        match g.check() {
            Ok(()) => faults.push(format!("{} was not called wrongly", row.key)),
            Err(mistakes) => {
                faults.extend(mistakes.iter().filter_map(|mistake| fault(mistake, row.called())))
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn a_failure_at_run_time_is_told_with_the_line_and_the_name_of_the_call() {
    let mut faults = Vec::new();
    for (key, run) in failing::rows() {
        let error = match run() {
            Ok(()) => {
                faults.push(format!("{key} did not fail"));
                continue;
            }
            Err(error) => error,
        };
        match &error {
            abeyance::session::Error::Node(diagnostic) => {
                faults.extend(fault(diagnostic, called(key)));
            }
            abeyance::session::Error::Request(mistakes) => {
                faults.extend(mistakes.iter().filter_map(|mistake| fault(mistake, called(key))));
            }
            _ => faults.push(format!("{key}: {error}")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn every_public_function_has_a_row() {
    let rows: Vec<&str> =
        rows().iter().map(|row| row.key.split('#').next().unwrap_or_default()).collect();
    let known = |name: &String| rows.contains(&name.as_str());
    let apart = |name: &String| sources::APART.iter().any(|(other, _)| other == name);
    let public = sources::public_functions();
    assert!(public.len() > 250, "the sources are not read: {} functions", public.len());
    let missing: Vec<&String> = public.iter().filter(|name| !known(name) && !apart(name)).collect();
    assert!(missing.is_empty(), "without a row in tests/calls: {missing:#?}");
    let gone: Vec<&&str> = sources::APART
        .iter()
        .map(|(name, _)| name)
        .chain(rows.iter().filter(|name| !sources::OVERLOADED.contains(name)))
        .filter(|name| !public.iter().any(|public| public == **name))
        .collect();
    assert!(gone.is_empty(), "of no public function: {gone:#?}");
}

#[test]
fn a_list_of_parts_may_be_indexed_after_a_mistake() {
    let g = Graph::new();
    let x = g.zeros::<f32>(dims![2, 3]);
    let parts = [x.split(2, 1), x.split_sizes(&[2, 2], 1), x.split(2, 7), x.unstack(2)];
    for part in parts {
        let sum = part[0] + part[1];
        assert_eq!(sum.shape().len(), 0);
    }
    let open = g.placeholder::<f32>("open", dims![_]);
    let _ = open.unstack(0)[0];
    assert_eq!(x.split_sizes(&[1, 1, 1, 1], 1).len(), 4);
    assert_eq!(x.split(5, 1).len(), 5);
    assert_eq!(g.check().unwrap_err().0.len(), 7);
}
