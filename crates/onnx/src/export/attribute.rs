//! Attributes of nodes.

use abeyance_ir::Array;

use crate::proto::AttributeProto;
use crate::proto::attribute_proto::AttributeType;
use crate::tensor;

/// An attribute that is an integer.
pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Int.into()),
        i: Some(value),
        ..AttributeProto::default()
    }
}

/// An attribute of integers.
pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Ints.into()),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

/// The attribute `perm` of a transpose.
pub(crate) fn order(order: [usize; 4]) -> AttributeProto {
    ints("perm", &order.map(|axis| axis as i64))
}

/// An attribute that is a number.
pub(crate) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Float.into()),
        f: Some(value as f32),
        ..AttributeProto::default()
    }
}

/// An attribute that is a text.
pub(crate) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::String.into()),
        s: Some(value.as_bytes().to_vec()),
        ..AttributeProto::default()
    }
}

/// An attribute that is an array.
pub(crate) fn array(name: &str, value: &Array) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Tensor.into()),
        t: Some(tensor::write("", value)),
        ..AttributeProto::default()
    }
}
