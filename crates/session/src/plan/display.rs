//! A draft as text, for tests and for finding a pass's mistake.
//!
//! ```text
//! %0 f32[4, 3] = feed                            ; x
//! %1 f32[3, 5] = variable                        ; w
//! %2 f32[] = constant 2.0                        ; two
//! fused {
//!   %3 f32[4, 5] = matmul(%0, %1)                ; matmul
//!   %4 f32[4, 5] = mul(%3, %2)                   ; mul
//! }
//! fetch %4                                       ; mul
//! ```
//!
//! A line is an instruction: the value, its type, how it is made, and behind the semicolon the node
//! whose value it is. `-> w` is the variable whose value after the run it is, `after %1` what has
//! to be over before it starts. A value that is not row-major has its layout behind its sizes, in
//! oneDNN's words; `reorder` is the operand in another layout. What `fused` holds is one loop.

use std::fmt::{self, Display, Formatter};

use abeyance_ir::{Concrete, DType, NodeId};

use super::draft::{Draft, Instruction, Kind, Source, ValueId};

/// The column of node names where the line is not longer.
const COLUMN: usize = 56;
/// The most elements of a constant that are printed.
const ELEMENTS: usize = 6;

impl Display for Draft<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut groups = self.groups.iter().peekable();
        let mut end = None;
        for value in self.ids() {
            if let Some(group) = groups.next_if(|group| group.start == value.index()) {
                writeln!(f, "fused {{")?;
                end = Some(group.end);
            }
            let indent = if end.is_some() { "  " } else { "" };
            let line = format!("{indent}{}", self.line(value));
            comment(f, &line, &self.name(self.instruction(value).node))?;
            if end == Some(value.index() + 1) {
                writeln!(f, "}}")?;
                end = None;
            }
        }
        for &fetch in self.fetches {
            let line = match self.value(fetch) {
                Some(value) => format!("fetch {value}"),
                None => format!("run {}", list(self.completion(fetch))),
            };
            comment(f, line.trim_end(), &self.name(fetch))?;
        }
        Ok(())
    }
}

impl Display for ValueId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.index())
    }
}

fn comment(f: &mut Formatter<'_>, line: &str, name: &str) -> fmt::Result {
    writeln!(f, "{line:COLUMN$} ; {name}")
}

fn list(values: &[ValueId]) -> String {
    values.iter().map(ValueId::to_string).collect::<Vec<_>>().join(", ")
}

impl Draft<'_> {
    fn name(&self, node: NodeId) -> String {
        self.session.graph.node(node).name.to_string()
    }

    /// A value and how it is made, in a line.
    fn line(&self, value: ValueId) -> String {
        let instruction = self.instruction(value);
        let mut line = format!("{value} {} = {}", self.ty(value), self.source(instruction));
        if let Some(variable) = self.stores_to(instruction) {
            let variables = &self.session.variables;
            let node = variables.iter().find(|(_, index)| **index == variable);
            line += &format!(" -> {}", node.map_or("?".to_owned(), |(&node, _)| self.name(node)));
        }
        if !instruction.runs_after.is_empty() {
            line += &format!(" after {}", list(&instruction.runs_after));
        }
        line
    }

    fn ty(&self, value: ValueId) -> String {
        let instruction = self.instruction(value);
        if !instruction.is_row_major() {
            let Concrete { dtype, dims, layout } = self.concrete(value);
            return format!("{dtype}{dims:?} {}", layout.tag(dims.len()));
        }
        let items = self.shapes.items(instruction.node);
        let types: Vec<String> =
            items.iter().map(|item| format!("{}{:?}", item.dtype, item.dims)).collect();
        if self.is_tuple(value) { format!("({})", types.join(", ")) } else { types.join("") }
    }

    fn source(&self, instruction: &Instruction) -> String {
        match &instruction.source {
            Source::Feed(_) => "feed".to_owned(),
            Source::Variable(_) => "variable".to_owned(),
            Source::Constant(bytes) => {
                let dtype = self.shapes.concrete(instruction.node).dtype;
                format!("constant {}", elements(bytes, dtype))
            }
            Source::Computed(_) => {
                let operands = list(&instruction.operands);
                let kind = self.computation(instruction).map(|computation| computation.kind);
                if kind == Some(Kind::Reorder) {
                    return format!("reorder({operands})");
                }
                let node = self.session.graph.node(instruction.node);
                let attributes = self.attributes(instruction.node);
                let operands = if operands.is_empty() { operands } else { format!("({operands})") };
                format!("{}{operands}{attributes}", node.operator.signature().name)
            }
        }
    }

    /// A node's attributes as the graph prints them.
    fn attributes(&self, node: NodeId) -> String {
        let graph = &self.session.graph;
        let call = graph.print_call(node);
        let call = call.split_once(" = ").map_or("", |(_, call)| call);
        if graph.node(node).operands.is_empty() {
            return call.find(' ').map_or(String::new(), |start| call[start..].to_owned());
        }
        // A name in quotes may hold a parenthesis.
        let mut quoted = false;
        let end = call.char_indices().find(|&(_, char)| {
            quoted ^= char == '"';
            char == ')' && !quoted
        });
        end.map_or(String::new(), |(end, _)| call[end + 1..].to_owned())
    }
}

/// Elements as text, most of them left out where there are many.
fn elements(bytes: &[u8], dtype: DType) -> String {
    let shown: Vec<String> = bytes
        .chunks_exact(dtype.size())
        .take(ELEMENTS)
        .map(|bytes| element(bytes, dtype))
        .collect();
    let count = bytes.len() / dtype.size();
    if let ([only], 1) = (&shown[..], count) {
        return only.clone();
    }
    let rest = if count > shown.len() { ", .." } else { "" };
    format!("[{}{rest}]", shown.join(", "))
}

fn element(bytes: &[u8], dtype: DType) -> String {
    fn read<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> T {
        bytemuck::pod_read_unaligned(bytes)
    }
    match dtype {
        DType::F32 => {
            let value = read::<f32>(bytes);
            // Which NaN it is matters to who compares bits.
            if value.is_nan() {
                format!("NaN:{:#x}", value.to_bits())
            } else {
                format!("{value:?}")
            }
        }
        DType::F64 => {
            let value = read::<f64>(bytes);
            if value.is_nan() {
                format!("NaN:{:#x}", value.to_bits())
            } else {
                format!("{value:?}")
            }
        }
        DType::I32 => read::<i32>(bytes).to_string(),
        DType::I64 => read::<i64>(bytes).to_string(),
        DType::U8 => read::<u8>(bytes).to_string(),
        DType::Bool => (read::<u8>(bytes) != 0).to_string(),
    }
}
