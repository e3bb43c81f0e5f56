//! `model.json`, which makes a folder a package.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Processor, Tolerance};

/// The most bytes of the file.
const MOST_BYTES: u64 = 1 << 20;

/// The form of packages that is written. Readers refuse newer ones.
pub(crate) const FORMAT: u32 = 1;

/// Longer names are none: what holds a name is a part of an address, a folder's name and a label of
/// a metric.
const LONGEST_NAME: usize = 128;

/// A package's description of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) name: String,
    /// The signature that answers where none is asked for, and that golden cases are of.
    pub(crate) signature: String,
    /// The kind of processor that recorded the golden cases.
    pub(crate) processor: Processor,
    /// The tolerance for outputs on another kind of processor.
    pub(crate) tolerance: Tolerance,
    /// The number of golden cases.
    pub(crate) cases: usize,
    pub(crate) made_by: String,
}

/// The number of a manifest's form, whatever else it holds.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Manifest {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, is no such file, or of a form to come.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let bytes = abeyance_storage::read(path, MOST_BYTES).map_err(Error::disk("read", path))?;
        let unread = |error: serde_json::Error| {
            Error::file(path, format!("it is no description of a package: {error}")).advise(
                "`abeyance export` writes one; a folder with a graph and a checkpoint needs none",
            )
        };
        let Format { format } = serde_json::from_slice(&bytes).map_err(unread)?;
        if format != FORMAT {
            return Err(Error::file(
                path,
                format!("the package is of form {format}, and this program reads form {FORMAT}"),
            )
            .advise("read it with a newer version of Abeyance, or pack the model again"));
        }
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(unread)?;
        match name_error(&manifest.name).or_else(|| manifest.tolerance.error()) {
            Some(reason) => Err(Error::file(path, reason)),
            None => Ok(manifest),
        }
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// The reason why a model cannot have this name, which stands in addresses as it is.
pub(crate) fn name_error(name: &str) -> Option<String> {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
    let is_right = name.len() <= LONGEST_NAME
        && name.starts_with(|sign: char| sign.is_ascii_alphanumeric() || sign == '_')
        && name.chars().all(is_plain);
    (!is_right).then(|| {
        let shown: String = name.chars().take(LONGEST_NAME).collect();
        format!(
            "{shown:?} cannot be the name of a model: letters a to z and A to Z, digits, `-`, `_` and `.` can, up to \
             {LONGEST_NAME} of them and the first no `-` or `.`"
        )
    })
}

/// A name for what has none, made from a file's or a folder's.
pub(crate) fn name_of(path: &Path) -> String {
    let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
    // `.` and `..` name folders by what they are called.
    let real = match stem {
        Some(_) => None,
        None => path.canonicalize().ok(),
    };
    let stem = stem.or_else(|| real.as_deref()?.file_name());
    let stem = stem.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let plain =
        |sign: char| if sign.is_ascii_alphanumeric() || "-_.".contains(sign) { sign } else { '_' };
    let name: String = stem.chars().take(LONGEST_NAME).map(plain).collect();
    let name = name.trim_start_matches(['-', '.']);
    if name.is_empty() { "model".to_owned() } else { name.to_owned() }
}
