//! Checks the header of a file before the crate `safetensors` reads it, which makes a table of
//! whatever stands there, of any number of sizes and entries, and adds up offsets of any size.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A tensor of more dimensions is no graph's.
const MOST_RANK: usize = 32;

/// Programs put a few entries into the metadata; one of ours has one.
const MOST_ENTRIES: usize = 256;

/// Checks the sizes in the header of a file. One that is not well-formed is left to `safetensors`
/// to refuse.
///
/// # Errors
/// It has too many dimensions or entries, or an offset behind the end of the file.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Ok(());
    };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let Some(header) = rest.get(..length) else {
        return Ok(());
    };
    let mut fault = None;
    let mut json = serde_json::Deserializer::from_slice(header);
    let check =
        HeaderCheck { depth: 0, is_counted: true, most: bytes.len() as u64, fault: &mut fault };
    let _ = check.deserialize(&mut json);
    fault.map_or(Ok(()), Err)
}

/// The check of a part of the header: the whole, a tensor or the metadata, their fields.
struct HeaderCheck<'a> {
    depth: u32,
    /// True if it is a map whose entries are few.
    is_counted: bool,
    /// The largest offset.
    most: u64,
    fault: &'a mut Option<String>,
}

impl HeaderCheck<'_> {
    fn refuse<E: Error>(&mut self, fault: String) -> E {
        let error = E::custom(&fault);
        *self.fault = Some(fault);
        error
    }
}

impl<'de> DeserializeSeed<'de> for HeaderCheck<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for HeaderCheck<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut count = 0usize;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            count += 1;
            if self.depth > 0 && self.is_counted && count > MOST_ENTRIES {
                return Err(
                    self.refuse(format!("it has more than {MOST_ENTRIES} entries of metadata"))
                );
            }
            let is_offsets = self.depth == 1 && key.0 == "data_offsets";
            if self.depth >= 2 || self.depth == 1 && !is_offsets && key.0 != "shape" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            map.next_value_seed(HeaderCheck {
                depth: self.depth + 1,
                is_counted: key.0 == "__metadata__",
                most: if self.depth == 0 || is_offsets { self.most } else { u64::MAX },
                fault: self.fault,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut count = 0usize;
        while let Some(number) = seq.next_element::<Number>()? {
            count += 1;
            if count > MOST_RANK {
                return Err(self.refuse(format!(
                    "it has a tensor of more than the {MOST_RANK} dimensions there may be"
                )));
            }
            if self.depth == 2 && number.0 > self.most {
                return Err(
                    self.refuse("it has a tensor that ends behind the end of the file".to_owned())
                );
            }
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A number, or 0 for anything else that stands in its place.
struct Number(u64);

impl<'de> serde::Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Number)
    }
}
