//! Answers in one form for all protocols, so that their bits can be compared.

use std::collections::BTreeMap;

use serde_json::Value;

/// The outputs by name, each as the bits of f32. An integer output is compared as the f32 nearest
/// to it, which is exact for a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer(pub BTreeMap<String, Vec<u32>>);

impl Answer {
    /// Says where this answer is not the expected one, if anywhere. An output that one of them
    /// lacks is left out: a row of TensorFlow Serving's has names only where there are several.
    pub fn difference(&self, expected: &Self) -> Option<String> {
        let mut shared = 0;
        for (name, bits) in &self.0 {
            let Some(wanted) = expected.0.get(name) else { continue };
            shared += 1;
            if bits.len() != wanted.len() {
                return Some(format!(
                    "output `{name}`: {} numbers for {}",
                    bits.len(),
                    wanted.len()
                ));
            }
            if let Some(place) = (0..bits.len()).find(|&place| bits[place] != wanted[place]) {
                let number = |bits: &[u32]| f32::from_bits(bits[place]);
                let (is, was) = (number(bits), number(wanted));
                return Some(format!("output `{name}`, element {place}: {is:?} for {was:?}"));
            }
        }
        (shared == 0).then(|| "no output has a name that the expected answer has".to_owned())
    }

    /// Reads what [`Answer::json`] gave.
    pub fn from_json(json: &Value) -> Option<Self> {
        let outputs = json.as_object()?.iter();
        let bits = |value: &Value| {
            let text = value.as_str()?;
            u32::from_str_radix(text, 16).ok()
        };
        let output = |(name, list): (&String, &Value)| {
            let list: Option<Vec<u32>> = list.as_array()?.iter().map(bits).collect();
            Some((name.clone(), list?))
        };
        outputs.map(output).collect::<Option<_>>().map(Self)
    }

    /// The bits in hexadecimal.
    pub fn json(&self) -> Value {
        let hex = |bits: &u32| Value::from(format!("{bits:08x}"));
        let list = |bits: &Vec<u32>| Value::Array(bits.iter().map(hex).collect());
        Value::Object(self.0.iter().map(|(name, bits)| (name.clone(), list(bits))).collect())
    }
}

/// The numbers of a JSON value however deep, in order. Decimals are rounded to f32 once, `null` is
/// NaN.
pub fn numbers(value: &Value, to: &mut Vec<u32>) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| numbers(item, to)),
        Value::Null => {
            to.push(f32::NAN.to_bits());
            Ok(())
        }
        Value::Number(number) => {
            let read: f32 =
                number.as_str().parse().map_err(|_| format!("`{number}` is no number of f32"))?;
            to.push(read.to_bits());
            Ok(())
        }
        _ => Err(format!("{value} stands where a number should")),
    }
}

/// The elements of a raw tensor, little-endian, as bits of f32.
pub fn raw(datatype: &str, bytes: &[u8]) -> Result<Vec<u32>, String> {
    let size = match datatype {
        "FP32" | "INT32" => 4,
        "FP64" | "INT64" => 8,
        "UINT8" | "BOOL" => 1,
        _ => return Err(format!("outputs of datatype `{datatype}` are not read here")),
    };
    if !bytes.len().is_multiple_of(size) {
        return Err(format!("{} bytes are no whole number of {datatype}", bytes.len()));
    }
    let element = |item: &[u8]| match (datatype, item) {
        ("FP32", &[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
        ("INT32", &[a, b, c, d]) => (i32::from_le_bytes([a, b, c, d]) as f32).to_bits(),
        ("FP64", item) => (f64::from_le_bytes(eight(item)) as f32).to_bits(),
        ("INT64", item) => (i64::from_le_bytes(eight(item)) as f32).to_bits(),
        (_, item) => f32::from(item[0]).to_bits(),
    };
    Ok(bytes.chunks_exact(size).map(element).collect())
}

fn eight(item: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    word.copy_from_slice(item);
    word
}
