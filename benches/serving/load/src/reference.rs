//! The file of expected answers.

use std::path::Path;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::images::Image;

/// A number that tells sets of images apart: FNV-1a of their bits.
fn fingerprint(images: &[Image]) -> String {
    let bytes = images.iter().flatten().flat_map(|pixel| pixel.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{hash:016x}")
}

pub fn write(path: &Path, images: &[Image], answers: &[Answer]) -> Result<(), String> {
    let answers: Vec<_> = answers.iter().map(Answer::json).collect();
    let text = json!({"images": fingerprint(images), "answers": answers}).to_string();
    std::fs::write(path, text)
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

pub fn read(path: &Path, images: &[Image]) -> Result<Vec<Answer>, String> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    let json: Value =
        serde_json::from_slice(&text).map_err(|error| format!("`{shown}` is no JSON: {error}"))?;
    if json["images"] != fingerprint(images) {
        return Err(format!(
            "`{shown}` has the answers for other images: say the same --images, --seed and --from"
        ));
    }
    let answers = json["answers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let answers: Option<Vec<_>> = answers.iter().map(Answer::from_json).collect();
    answers
        .filter(|answers| answers.len() == images.len())
        .ok_or_else(|| format!("`{shown}` is no file of --write-reference"))
}
