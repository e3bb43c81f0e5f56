//! Hostile texts of graphs.

use abeyance::graph::ops::source::PlaceholderAttributes;
use abeyance::graph::raw::GraphExt;
use abeyance::graph::{Graph, ops};
use abeyance::ir::{Attribute, Attributes, DType, OperatorRef, Sample};

/// A text of one program with these lines in its forward part.
fn forward(lines: &str) -> Vec<u8> {
    format!("graph hostile {{\n  forward {{\n{lines}\n  }}\n}}\n").into_bytes()
}

/// The texts, with names that say what they are.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |name: &str, text: Vec<u8>| all.push((format!("text_{name}.txt"), text));
    for (name, lines) in [
        ("cycle", "a = neg(b) : f32[3]\nb = neg(a) : f32[3]"),
        ("of_itself", "a = neg(a) : f32[3]"),
        ("operand_after_user", "y = neg(x) : f32[3]\nx = placeholder : f32[3]"),
        ("name_twice", "x = placeholder : f32[3]\nx = placeholder : f32[3]"),
        ("operator_unknown", "x = teleport : f32[3]"),
        ("operator_nearly_known", "x = placeholdr : f32[3]"),
        ("dims_2_64", "x = placeholder : f32[18446744073709551616]"),
        ("dims_2_63", "x = placeholder : f32[9223372036854775808]"),
        ("dims_minus_1", "x = placeholder : f32[-1]"),
        ("dims_of_a_fraction", "x = placeholder : f32[1.5]"),
        ("dims_past_memory", "x = placeholder : f64[4294967296, 4294967296]"),
        ("dtype_unknown", "x = placeholder : f16[3]"),
        ("type_missing", "x = placeholder"),
        ("type_cut", "x = placeholder : f32[3"),
        ("type_trailing", "x = placeholder : f32[3] x"),
        ("fill_past_the_limit", "x = constant value=fill(0) : u8[1000000000]"),
        ("fill_past_memory", "x = constant value=fill(0) : u8[9223372036854775807]"),
        ("fill_of_unknown_size", "x = constant value=fill(0) : u8[N]"),
        ("fill_in_order", "x = constant value=fill(7) : u8[1000]"),
        ("number_past_f32", "x = constant value=1e39 : f32[]"),
        ("number_past_i32", "x = constant value=2147483648 : i32[]"),
        ("number_past_u8", "x = constant value=256 : u8[]"),
        ("truth_2", "x = constant value=2 : bool[]"),
        ("list_ragged", "x = constant value=[[1, 2], [3]] : i32[2, 2]"),
        ("list_mixed", "x = constant value=[1, [2]] : i32[2]"),
        ("list_open", "x = constant value=[[[[[[[[[[ : i32[2]"),
        ("seed_of_a_node", "x = placeholder seed=1 : f32[3]"),
        ("attribute_twice", "x = constant value=1 value=1 : f32[]"),
        ("attribute_unknown", "x = constant worth=1 : f32[]"),
        ("quote_open", "x = constant value=\"abc : f32[]"),
        ("quote_escape", "\"\\q\" = constant value=1 : f32[]"),
        ("quote_escape_no_char", "\"\\u{d800}\" = constant value=1 : f32[]"),
        ("quote_escape_past_char", "\"\\u{ffffffffffffffff}\" = constant value=1 : f32[]"),
        ("control_of_itself", "x = placeholder : f32[3] after=[x]"),
        ("of_outside", "x = placeholder : f32[3] of x"),
        ("tuple_for_a_tensor", "x = placeholder : (f32[3], f32[3])"),
        ("tuple_of_nothing", "x = placeholder : ()"),
        ("operation_for_a_tensor", "x = placeholder : operation"),
        ("invalid_kept", "x = placeholder : invalid"),
        ("body_without_a_node", "then c/then {\nx = input : f32[]\nreturn x\n}"),
        ("body_without_return", "then c/then {\nx = input : f32[]\n}"),
        ("body_open", "then c/then {"),
        ("return_outside", "return x"),
        ("input_outside", "x = input : f32[]"),
        ("nul", "x\0 = placeholder : f32[3]"),
        ("of_other_spaces", "x\u{a0}=\u{2003}placeholder : f32[3]"),
        ("direction_mark", "x\u{202e} = placeholder : f32[3]"),
        ("only_colons", "::::::::"),
        ("only_equals", "= = = ="),
        ("comment_in_quotes", "\"#\" = placeholder : f32[3] # \"here\""),
    ] {
        add(name, forward(lines));
    }
    for (name, text) in [
        ("empty", ""),
        ("spaces", " \t\r\n  \n"),
        ("no_header", "x = placeholder : f32[3]"),
        ("header_alone", "graph"),
        ("header_open", "graph g {"),
        ("header_twice", "graph g {\ngraph h {\n}\n}"),
        ("seed_of_2_64", "graph g seed=18446744073709551616 {\n}"),
        ("seed_negative", "graph g seed=-1 {\n}"),
        ("after_the_end", "graph g {\n}\nx = placeholder : f32[3]"),
        ("closed_too_often", "graph g {\n}\n}\n}"),
        ("block_unknown", "graph g {\n sideways {\n }\n}"),
        ("backward_of_nothing", "graph g {\n backward {\n x = placeholder : f32[]\n }\n}"),
        ("signature_open", "graph g {\n signature s {\n"),
        ("signature_twice", "graph g {\n signature s {\n }\n signature s {\n }\n}"),
        (
            "signature_of_missing_nodes",
            "graph g {\n signature s {\n input a = x\n output b = y\n run z\n feed k = 1\n }\n}",
        ),
        ("signature_part_unknown", "graph g {\n signature s {\n walk x\n }\n}"),
        ("summary_alone", "graph g {\n summary\n}"),
        ("summary_of_missing_nodes", "graph g {\n summary histogram w = x, y, z\n}"),
        ("summary_kind_unknown", "graph g {\n summary histogramm w = x\n}"),
        ("summary_open", "graph g {\n summary image w ="),
        ("summary_in_a_signature", "graph g {\n signature s {\n summary scalar w = x\n }\n}"),
        (
            "signature_feed_past_memory",
            "graph g {\n forward {\n x = placeholder : u8[N]\n }\n signature s {\n feed x = u8[9223372036854775807] fill(1)\n }\n}",
        ),
    ] {
        add(name, text.into());
    }
    add("not_utf_8", [&forward("x = placeholder : f32[3]")[..], &[0xff, 0xfe]].concat());
    add("utf_16", "graph g {\n}".encode_utf16().flat_map(u16::to_le_bytes).collect());
    add("nested_bodies_40", {
        let open = "then t {\nx = input : f32[]\n".repeat(40);
        forward(&open)
    });
    add("mistakes_100", forward(&"x = teleport : f32[3]\n".repeat(100)));
    add("missing_names_1000_in_a_line", {
        let names: Vec<String> = (0..1000).map(|at| format!("m{at}")).collect();
        forward(&format!("g = group({}) : operation", names.join(", ")))
    });
    for (name, text) in operators() {
        all.push((format!("operator_{name}.txt"), text));
    }
    all
}

/// Numbers that no axis, size, stride or count is.
const NUMBERS: [i64; 10] =
    [i64::MAX, i64::MIN, -1, 0, 1, 1 << 31, 1 << 40, 1 << 62, i64::MIN + 1, -(1 << 40)];

/// One text for every attribute of every operator, with the largest number there is in it.
fn operators() -> Vec<(String, Vec<u8>)> {
    let mut texts = Vec::new();
    for operator in ops::table() {
        let Some(sample) = operator.samples().into_iter().next() else {
            continue;
        };
        for (at, spec) in operator.signature().attributes.iter().enumerate() {
            if let Some(value) =
                sample.attributes.iter().nth(at).and_then(|value| hostile(value, i64::MAX))
            {
                let attributes = with(&sample.attributes, at, value);
                let dims = sample.operands.iter().map(|operand| operand.dims.clone()).collect();
                let name = format!("{}_{}", operator.signature().name.replace('/', "_"), spec.name);
                texts.push((name, text(OperatorRef::Static(operator), &sample, dims, attributes)));
            }
        }
    }
    texts
}

/// The samples of every second operator, from the first or the second on, with one number of an
/// attribute or a size of an operand exchanged for each of [`NUMBERS`].
pub fn exchanged(from: usize, each: &mut dyn FnMut(&str, Vec<u8>)) {
    for operator in ops::table().into_iter().skip(from).step_by(2) {
        let of = |operator| OperatorRef::Static(operator);
        let called = operator.signature().name;
        for (which, sample) in operator.samples().into_iter().enumerate() {
            let dims: Vec<Vec<usize>> =
                sample.operands.iter().map(|operand| operand.dims.clone()).collect();
            for number in NUMBERS {
                for at in 0..sample.attributes.len() {
                    for value in sample
                        .attributes
                        .iter()
                        .nth(at)
                        .map_or(vec![], |value| every(value, number))
                    {
                        let attributes = with(&sample.attributes, at, value);
                        let what = format!("{called}, sample {which}, attribute {at}, {number}");
                        each(&what, text(of(operator), &sample, dims.clone(), attributes));
                    }
                }
                let Ok(size) = usize::try_from(number) else {
                    continue;
                };
                for (operand, axis) in dims
                    .iter()
                    .enumerate()
                    .flat_map(|(operand, dims)| (0..dims.len()).map(move |axis| (operand, axis)))
                {
                    let mut dims = dims.clone();
                    dims[operand][axis] = size;
                    let what = format!("{called}, sample {which}, operand {operand}, {size}");
                    each(&what, text(of(operator), &sample, dims, sample.attributes.clone()));
                }
            }
        }
    }
}

fn with(attributes: &Attributes, place: usize, value: Attribute) -> Attributes {
    let changed = attributes
        .iter()
        .enumerate()
        .map(|(at, old)| if at == place { value.clone() } else { old.clone() });
    Attributes::of(changed.collect::<Vec<_>>())
}

/// The attribute with all its numbers exchanged.
fn hostile(value: &Attribute, number: i64) -> Option<Attribute> {
    Some(match value {
        Attribute::Integer(_) => Attribute::Integer(number),
        Attribute::Integers(values) => Attribute::Integers(
            values.iter().map(|_| number).chain(values.is_empty().then_some(number)).collect(),
        ),
        Attribute::Shape(dims) => {
            let size = usize::try_from(number).ok()?;
            Attribute::Shape(dims.iter().map(|_| size.into()).collect())
        }
        _ => return None,
    })
}

/// The attribute with all its numbers exchanged, and with each.
fn every(value: &Attribute, number: i64) -> Vec<Attribute> {
    let mut all: Vec<Attribute> = hostile(value, number).into_iter().collect();
    match value {
        Attribute::Integers(values) => {
            for at in 0..values.len() {
                let mut changed = values.clone();
                changed[at] = number;
                all.push(Attribute::Integers(changed));
            }
            let longer = values.iter().copied().chain([number]).collect();
            all.push(Attribute::Integers(longer));
        }
        Attribute::Shape(dims) => {
            if let Ok(size) = usize::try_from(number) {
                for at in 0..dims.len() {
                    let mut changed = dims.clone();
                    changed[at] = size.into();
                    all.push(Attribute::Shape(changed));
                }
            }
        }
        Attribute::Real(_) => {
            all.extend([f64::NAN, f64::INFINITY, -0.0, number as f64].map(Attribute::Real));
        }
        _ => {}
    }
    all
}

/// The printed graph of one use of an operator, right or wrong.
fn text(
    operator: OperatorRef,
    sample: &Sample,
    dims: Vec<Vec<usize>>,
    attributes: Attributes,
) -> Vec<u8> {
    let graph = Graph::named("hostile");
    let mut operands = Vec::new();
    for (at, (operand, dims)) in sample.operands.iter().zip(dims).enumerate() {
        let shape = dims.iter().map(|&size| size.into()).collect();
        operands.push(graph.build(|ir| {
            let of = PlaceholderAttributes { dtype: operand.dtype, shape };
            let placeholder =
                ops::table().into_iter().find(|op| op.signature().name == "placeholder");
            let placeholder = OperatorRef::Static(placeholder.unwrap());
            let name = format!("x{at}");
            ir.add_named(Some(&name), placeholder, &[], of)
        }));
    }
    graph.build(|ir| ir.add_named(Some("y"), operator, &operands, attributes));
    let _ = DType::ALL;
    // A wrong node prints as one; a text that says so is refused for that alone.
    graph.to_text().replace(": invalid", ": f32[]").into_bytes()
}
