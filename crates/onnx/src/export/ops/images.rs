//! Convolutions and pools, whose images have their channels second in ONNX.

use abeyance_graph::ops::conv::{Conv2dAttributes, Conv2dBackpropAttributes};
use abeyance_graph::ops::pool::PoolAttributes;
use abeyance_graph::ops::{conv, pool};
use abeyance_ir::Dim;

use super::super::attribute::{int, ints, text};
use super::super::entry::OpEntry;
use super::super::writer::Names;
use crate::proto::AttributeProto;

/// This family's operators.
pub(crate) static ENTRIES: &[OpEntry] = &[
    OpEntry::new(
        &conv::Conv2d,
        "Conv, between transposes where images come from elsewhere",
        |writer, id| {
            let attributes: Conv2dAttributes = writer.attributes(id);
            let (images, filter) = (writer.operand(id, 0)?, writer.operand(id, 1)?);
            let kernel = kernel(&writer.shape(filter))?;
            let shape = writer.shape(images);
            let (strides, dilations) = (&attributes.strides[..], &attributes.dilations[..]);
            let mut options = padding(attributes.same, &shape, kernel, strides, dilations);
            options.extend([
                ints("strides", strides),
                ints("dilations", dilations),
                int("group", attributes.groups),
                ints("kernel_shape", &kernel),
            ]);
            let (x, w) = (writer.images(images), writer.filter(filter));
            Ok(Names::images(writer.node("Conv", &[&x, &w], options)))
        },
    ),
    OpEntry::new(&conv::Conv2dBackpropInput, "ConvTranspose", |writer, id| {
        let Conv2dBackpropAttributes { conv: attributes, .. } = writer.attributes(id);
        let (filter, images) = (writer.operand(id, 0)?, writer.operand(id, 1)?);
        let kernel = kernel(&writer.shape(filter))?;
        let (strides, dilations) = (&attributes.strides[..], &attributes.dilations[..]);
        let (small, large) = (writer.shape(images), writer.shape(id));
        let mut pads = [0i64; 4];
        let mut more = [0i64; 2];
        for axis in 0..2 {
            let (Some(&Dim::Known(from)), Some(&Dim::Known(to))) =
                (small.get(axis + 1), large.get(axis + 1))
            else {
                return Err("the height and width of its images have to be known".to_owned());
            };
            if from == 0 {
                return Err("its images are empty".to_owned());
            }
            let extent = (kernel[axis] - 1) * dilations[axis] + 1;
            let full = (from as i64 - 1) * strides[axis] + extent;
            if attributes.same {
                let total = (full - to as i64).max(0);
                (pads[axis], pads[axis + 2]) = (total / 2, total - total / 2);
            }
            more[axis] = to as i64 - (full - pads[axis] - pads[axis + 2]);
        }
        let options = vec![
            ints("strides", strides),
            ints("dilations", dilations),
            int("group", attributes.groups),
            ints("kernel_shape", &kernel),
            ints("pads", &pads),
            ints("output_padding", &more),
        ];
        let (x, w) = (writer.images(images), writer.filter(filter));
        Ok(Names::images(writer.node("ConvTranspose", &[&x, &w], options)))
    }),
    OpEntry::new(&pool::MaxPool, "MaxPool", |writer, id| {
        let images = writer.operand(id, 0)?;
        let options = pool(&writer.attributes(id), &writer.shape(images))?;
        let x = writer.images(images);
        Ok(Names::images(writer.node("MaxPool", &[&x], options)))
    }),
    OpEntry::new(&pool::AvgPool, "AveragePool", |writer, id| {
        let images = writer.operand(id, 0)?;
        let options = pool(&writer.attributes(id), &writer.shape(images))?;
        let x = writer.images(images);
        Ok(Names::images(writer.node("AveragePool", &[&x], options)))
    }),
];

/// The first two sizes of a filter.
fn kernel(filter: &[Dim]) -> Result<[i64; 2], String> {
    match filter {
        &[Dim::Known(h), Dim::Known(w), _, _] => Ok([h as i64, w as i64]),
        _ => Err("the size of the filter has to be known".to_owned()),
    }
}

fn pool(attributes: &PoolAttributes, images: &[Dim]) -> Result<Vec<AttributeProto>, String> {
    let [h, w] = attributes.window[..] else {
        return Err("its window has two sizes".to_owned());
    };
    let strides = &attributes.strides[..];
    let mut options = padding(attributes.same, images, [h, w], strides, &[1, 1]);
    options.extend([ints("kernel_shape", &[h, w]), ints("strides", strides)]);
    Ok(options)
}

/// The padding in numbers where they are known, else by its rule.
fn padding(
    same: bool,
    images: &[Dim],
    kernel: [i64; 2],
    strides: &[i64],
    dilations: &[i64],
) -> Vec<AttributeProto> {
    if !same {
        return vec![ints("pads", &[0; 4])];
    }
    let mut pads = [0i64; 4];
    for axis in 0..2 {
        let (stride, dilation) =
            (strides.get(axis).copied().unwrap_or(1), dilations.get(axis).copied().unwrap_or(1));
        let extent = (kernel[axis] - 1) * dilation + 1;
        let total = match images.get(axis + 1) {
            Some(Dim::Known(size)) => {
                let size = *size as i64;
                let last = ((size + stride - 1) / stride - 1).max(0) * stride;
                (last + extent - size).max(0)
            }
            _ if stride == 1 => extent - 1,
            _ => return vec![text("auto_pad", "SAME_UPPER")],
        };
        (pads[axis], pads[axis + 2]) = (total / 2, total - total / 2);
    }
    vec![ints("pads", &pads)]
}
