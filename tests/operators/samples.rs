//! A sample as a graph with fed operands.

use abeyance::graph::ops::{binary, logical};
use abeyance::graph::raw::GraphExt;
use abeyance::graph::{AnyTensor, Graph};
use abeyance::ir::{Attributes, DType, Domain, NodeId, Operator, OperatorRef, Sample};
use abeyance::prelude::*;
use abeyance::session::{Feed, Value};
use ndarray::{ArrayD, IxDyn};

/// An operand's value.
#[derive(Clone, Debug)]
pub enum Operand {
    F64(ArrayD<f64>),
    I64(ArrayD<i64>),
    I32(ArrayD<i32>),
    F32(ArrayD<f32>),
    U8(ArrayD<u8>),
    Bool(ArrayD<bool>),
}

/// One use of an operator, ready to be run.
pub struct Case {
    pub graph: Graph,
    pub names: Vec<String>,
    pub values: Vec<Operand>,
    pub what: String,
}

/// Numbers in `[0, 1)` that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        // Steele and Vigna's SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

pub fn numbers(count: usize, domain: &Domain, seed: u64) -> Vec<f64> {
    let mut random = Numbers(seed);
    match domain {
        Domain::Between(low, high) => {
            (0..count).map(|_| low + (high - low) * random.next()).collect()
        }
        Domain::AwayFromZero => (0..count)
            .map(|_| {
                let size = 0.2 + 1.8 * random.next();
                if random.next() < 0.5 { -size } else { size }
            })
            .collect(),
        Domain::Distinct => {
            // A shuffled ladder: neighbours 0.2 apart. Operands of one sample stand half a step
            // apart.
            let shift = (seed % 2) as f64 * 0.1;
            let mut values: Vec<f64> =
                (0..count).map(|i| 0.2 * (i as f64 - (count / 2) as f64) + shift).collect();
            for i in (1..count).rev() {
                values.swap(i, (random.next() * (i + 1) as f64) as usize);
            }
            values
        }
        Domain::Values(values) => (0..count).map(|i| values[i % values.len()]).collect(),
    }
}

impl Case {
    /// The operator on fed operands; its result is called `y`.
    pub fn new(operator: &'static dyn Operator, sample: &Sample) -> Case {
        Self::with(operator, sample, false)
    }

    /// A sample between elementwise operators that change nothing and that it may be fused with.
    /// `z` has the value of `y`.
    pub fn surrounded(operator: &'static dyn Operator, sample: &Sample) -> Case {
        Self::with(operator, sample, true)
    }

    fn with(operator: &'static dyn Operator, sample: &Sample, surrounded: bool) -> Case {
        let graph = Graph::new();
        let mut names = Vec::new();
        let mut values = Vec::new();
        for (index, operand) in sample.operands.iter().enumerate() {
            let name = format!("x{index}");
            let dims = operand.dims.clone();
            let elements = numbers(dims.iter().product(), &operand.domain, index as u64);
            let shape = IxDyn(&dims);
            let value = match operand.dtype {
                DType::F64 => {
                    graph.placeholder::<f64>(&name, dims.clone());
                    Operand::F64(ArrayD::from_shape_vec(shape, elements).unwrap())
                }
                DType::I64 => {
                    graph.placeholder::<i64>(&name, dims.clone());
                    let elements = elements.iter().map(|&x| x as i64).collect();
                    Operand::I64(ArrayD::from_shape_vec(shape, elements).unwrap())
                }
                DType::I32 => {
                    graph.placeholder::<i32>(&name, dims.clone());
                    let elements = elements.iter().map(|&x| x as i32).collect();
                    Operand::I32(ArrayD::from_shape_vec(shape, elements).unwrap())
                }
                DType::Bool => {
                    graph.placeholder::<bool>(&name, dims.clone());
                    let elements = elements.iter().map(|&x| x != 0.0).collect();
                    Operand::Bool(ArrayD::from_shape_vec(shape, elements).unwrap())
                }
                DType::F32 => {
                    graph.placeholder::<f32>(&name, dims.clone());
                    let elements = elements.iter().map(|&x| x as f32).collect();
                    Operand::F32(ArrayD::from_shape_vec(shape, elements).unwrap())
                }
                DType::U8 => {
                    graph.placeholder::<u8>(&name, dims.clone());
                    let elements = elements.iter().map(|&x| x as u8).collect();
                    Operand::U8(ArrayD::from_shape_vec(shape, elements).unwrap())
                }
            };
            names.push(name);
            values.push(value);
        }
        let mut ids: Vec<_> = names.iter().map(|name| graph.ir().find(name).unwrap()).collect();
        let same = |id: NodeId, name: Option<&str>| {
            let dtype = graph.ir().node(id).ty.tensor().map(|tensor| tensor.dtype);
            let operator: OperatorRef = match dtype {
                Some(DType::Bool) => (&logical::LOGICAL_AND).into(),
                _ => (&binary::MAXIMUM).into(),
            };
            graph.build(|ir| ir.add_named(name, operator, &[id, id], Attributes::none()))
        };
        if surrounded {
            ids.iter_mut().for_each(|id| *id = same(*id, None));
        }
        let y = graph.build(|ir| {
            ir.add_named(Some("y"), OperatorRef::Static(operator), &ids, sample.attributes.clone())
        });
        if surrounded && graph.ir().node(y).ty.tensor().is_some() {
            same(y, Some("z"));
        }
        let what = format!(
            "{} on {:?}",
            graph.ir().print_call(graph.ir().find("y").unwrap()),
            sample.operands
        );
        Case { graph, names, values, what }
    }

    pub fn y(&self) -> AnyTensor<'_> {
        self.graph.any(self.graph.ir().find("y").unwrap())
    }

    /// The `f64` operands, which derivatives are taken by.
    pub fn floats(&self) -> Vec<(usize, Tensor<'_, f64>)> {
        self.names
            .iter()
            .enumerate()
            .filter(|(index, _)| matches!(self.values[*index], Operand::F64(_)))
            .map(|(index, name)| (index, self.graph.tensor(name).unwrap()))
            .collect()
    }

    pub fn session(&self, threads: usize) -> Session {
        self.session_with(SessionOptions::new().threads(threads))
    }

    pub fn session_with(&self, options: SessionOptions) -> Session {
        Session::with_options(&self.graph, options)
            .unwrap_or_else(|error| panic!("{}: {error}", self.what))
    }

    pub fn feeds(&self) -> Vec<Feed<'_>> {
        self.names
            .iter()
            .zip(&self.values)
            .map(|(name, value)| match value {
                Operand::F64(value) => Feed::new(self.graph.tensor::<f64>(name).unwrap(), value),
                Operand::I64(value) => Feed::new(self.graph.tensor::<i64>(name).unwrap(), value),
                Operand::I32(value) => Feed::new(self.graph.tensor::<i32>(name).unwrap(), value),
                Operand::F32(value) => Feed::new(self.graph.tensor::<f32>(name).unwrap(), value),
                Operand::U8(value) => Feed::new(self.graph.tensor::<u8>(name).unwrap(), value),
                Operand::Bool(value) => Feed::new(self.graph.tensor::<bool>(name).unwrap(), value),
            })
            .collect()
    }

    pub fn run(&self, session: &Session, fetch: AnyTensor<'_>, more: Vec<Feed<'_>>) -> Value {
        let mut feeds = self.feeds();
        feeds.extend(more);
        session.run(fetch, feeds).unwrap_or_else(|error| panic!("{}: {error}", self.what))
    }
}

pub fn f64s(value: Value) -> ArrayD<f64> {
    match value {
        Value::F64(array) => array,
        other => panic!("not f64: {other:?}"),
    }
}
