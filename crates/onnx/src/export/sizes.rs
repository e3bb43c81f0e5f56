//! Shapes as values of the model: sizes that are known as constants, others taken from values that
//! have them.

use abeyance_ir::{Dim, SymbolId, known_dims};

use super::attribute::int;
use super::writer::Writer;
use crate::layout::NHWC_TO_NCHW;

impl Writer<'_> {
    /// A vector of one element: the size of an unknown dimension.
    fn size(&mut self, symbol: SymbolId) -> Result<String, String> {
        if let Some(name) = self.sizes.get(&symbol) {
            return Ok(name.clone());
        }
        let Some(&(id, axis)) = self.sources.get(&symbol) else {
            return Err(format!("the size {} is that of no value", self.ir.symbols().name(symbol)));
        };
        let names = self.names(id);
        let (of, axis) = match names.images.filter(|_| names.plain.is_none()) {
            Some(images) => {
                (images, NHWC_TO_NCHW.iter().position(|&at| at == axis).unwrap_or(axis))
            }
            None => (self.value(id), axis),
        };
        let part = vec![int("start", axis as i64), int("end", axis as i64 + 1)];
        let name = self.node("Shape", &[&of], part);
        self.shared.insert(name.clone());
        self.sizes.insert(symbol, name.clone());
        Ok(name)
    }

    /// A vector of sizes.
    pub fn shape_vector(&mut self, shape: &[Dim]) -> Result<String, String> {
        let shape = self.ir.resolve(shape);
        if let Some(dims) = known_dims(&shape) {
            let sizes: Vec<i64> = dims.iter().map(|&dim| dim as i64).collect();
            return Ok(self.integers("shape", &sizes));
        }
        let mut parts: Vec<String> = Vec::new();
        let mut numbers: Vec<i64> = Vec::new();
        for dim in shape {
            match dim {
                Dim::Known(size) => numbers.push(size as i64),
                Dim::Symbol(symbol) => {
                    if !numbers.is_empty() {
                        parts.push(self.integers("shape", &std::mem::take(&mut numbers)));
                    }
                    parts.push(self.size(symbol)?);
                }
            }
        }
        if !numbers.is_empty() {
            parts.push(self.integers("shape", &numbers));
        }
        match &parts[..] {
            [only] => Ok(only.clone()),
            _ => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                Ok(self.node("Concat", &parts, vec![int("axis", 0)]))
            }
        }
    }

    /// A vector of sizes for a reshape: one that is not known may be worked out.
    pub fn target_vector(&mut self, shape: &[Dim]) -> Result<String, String> {
        let shape = self.ir.resolve(shape);
        let open = shape.iter().filter(|dim| dim.known().is_none()).count();
        if open == 1 && !shape.contains(&Dim::Known(0)) {
            let sizes: Vec<i64> =
                shape.iter().map(|dim| dim.known().map_or(-1, |size| size as i64)).collect();
            return Ok(self.integers("shape", &sizes));
        }
        self.shape_vector(&shape)
    }
}
