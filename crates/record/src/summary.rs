//! Values as TensorBoard wants them, and tensors under names of our own for what it has no word
//! for.
//!
//! What TensorBoard's servers really do decides the form: the default loader shows scalars of `f32`
//! without dimensions only, and takes histograms of the `[k, 3]` form as they are, those of the old
//! form with wrong edges.

use serde_json::{Map, Value as Json};

use crate::proto::{
    Content, Dim, Event, PluginData, Summary, SummaryMetadata, TensorProto, TensorShapeProto,
    Value, What, data_type,
};
use crate::quantiles::Spread;
use crate::sprite::Sprite;
use crate::tags::{PERCENTILES, SETTINGS, STATE};

/// The plugin of what TensorBoard has no word for.
pub const PLUGIN: &str = "abeyance";

/// TensorBoard's data classes.
mod class {
    pub const SCALAR: i32 = 1;
    pub const TENSOR: i32 = 2;
    pub const BLOBS: i32 = 3;
}

/// An event of values at a step.
pub fn event(wall_time: f64, step: i64, value: Vec<Value>) -> Event {
    Event { wall_time, step, what: Some(What::Summary(Summary { value })) }
}

/// A number.
pub fn scalar(tag: &str, number: f32) -> Value {
    let tensor = TensorProto { float_val: vec![number], ..tensor(data_type::FLOAT, &[]) };
    value(tag, "scalars", class::SCALAR, tensor)
}

/// A histogram: a tensor `[k, 3]` of left edge, right edge, count. Edges beyond `f32` are its
/// largest numbers.
pub fn histogram(tag: &str, spread: &Spread) -> Value {
    let rows = spread.buckets.iter().flatten();
    let content = rows.flat_map(|&number| narrow(number).to_le_bytes()).collect();
    let shape = [spread.buckets.len(), 3];
    let tensor = TensorProto { tensor_content: content, ..tensor(data_type::FLOAT, &shape) };
    value(tag, "histograms", class::TENSOR, tensor)
}

/// The exact percentiles of a histogram, NaN where no number was finite.
pub fn percentiles(tag: &str, spread: &Spread) -> Value {
    let numbers = spread.percentiles.unwrap_or([f64::NAN; 9]);
    let content = numbers.iter().flat_map(|&number| narrow(number).to_le_bytes()).collect();
    let tensor = TensorProto { tensor_content: content, ..tensor(data_type::FLOAT, &[9]) };
    value(&format!("{PERCENTILES}{tag}"), PLUGIN, class::TENSOR, tensor)
}

fn narrow(number: f64) -> f32 {
    if number.is_finite() {
        number.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
    } else {
        number as f32
    }
}

/// Pictures of one size, PNG files.
pub fn images(tag: &str, width: usize, height: usize, pngs: Vec<Vec<u8>>) -> Value {
    let mut texts = vec![width.to_string().into_bytes(), height.to_string().into_bytes()];
    texts.extend(pngs);
    value(tag, "images", class::BLOBS, strings(&[texts.len()], texts))
}

/// A text, which TensorBoard takes for Markdown. It has no dimensions: of one of shape `[1]`
/// TensorBoard makes a table.
pub fn text(tag: &str, text: &str) -> Value {
    value(tag, "text", class::TENSOR, strings(&[], vec![text.as_bytes().to_vec()]))
}

/// A text that is shown as it stands, as a block of Markdown.
pub fn block(tag: &str, lines: &str) -> Value {
    // A fence longer than any in it.
    let fence = (lines.lines())
        .map(|line| line.trim_start().bytes().take_while(|&byte| byte == b'`').count())
        .max()
        .unwrap_or(0);
    let fence = "`".repeat((fence + 1).max(3));
    text(tag, &format!("{fence}\n{}\n{fence}", lines.trim_end()))
}

/// The settings of a run.
pub fn settings(settings: &Map<String, Json>) -> Value {
    let json = Json::Object(settings.clone()).to_string();
    value(SETTINGS, PLUGIN, class::TENSOR, strings(&[], vec![json.into_bytes()]))
}

/// The state of a run.
pub fn state(state: &str) -> Value {
    value(STATE, PLUGIN, class::TENSOR, strings(&[], vec![state.as_bytes().to_vec()]))
}

/// Images as a sprite: width, height, columns, count and the picture.
pub fn sprite(tag: &str, sprite: Sprite) -> Value {
    let Sprite { width, height, columns, count, png } = sprite;
    let numbers = [width, height, columns, count].map(|number| number.to_string().into_bytes());
    let texts: Vec<Vec<u8>> = numbers.into_iter().chain([png]).collect();
    value(tag, PLUGIN, class::TENSOR, strings(&[5], texts))
}

/// Classes, of one byte where that is enough.
pub fn classes(tag: &str, classes: &[u16]) -> Value {
    let narrow: Option<Vec<u8>> = classes.iter().map(|&class| class.try_into().ok()).collect();
    let (dtype, content) = match narrow {
        Some(bytes) => (data_type::UINT8, bytes),
        None => {
            let bytes = classes.iter().flat_map(|class| class.to_le_bytes());
            (data_type::UINT16, bytes.collect())
        }
    };
    let tensor = TensorProto { tensor_content: content, ..tensor(dtype, &[classes.len()]) };
    value(tag, PLUGIN, class::TENSOR, tensor)
}

fn value(tag: &str, plugin: &str, data_class: i32, tensor: TensorProto) -> Value {
    let plugin_data = PluginData { plugin_name: plugin.to_owned(), content: Vec::new() };
    Value {
        tag: tag.to_owned(),
        metadata: Some(SummaryMetadata { plugin_data: Some(plugin_data), data_class }),
        content: Some(Content::Tensor(tensor)),
    }
}

fn strings(shape: &[usize], texts: Vec<Vec<u8>>) -> TensorProto {
    TensorProto { string_val: texts, ..tensor(data_type::STRING, shape) }
}

/// A tensor without elements yet.
fn tensor(dtype: i32, shape: &[usize]) -> TensorProto {
    let dim = shape.iter().map(|&size| Dim { size: size as i64, name: String::new() }).collect();
    let shape = TensorShapeProto { dim, unknown_rank: false };
    TensorProto { dtype, tensor_shape: Some(shape), ..TensorProto::default() }
}
