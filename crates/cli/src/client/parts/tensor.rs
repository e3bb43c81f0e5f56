
/// The value of an input or an output.
pub trait Tensor: Sized {
    /// What it is made of.
    type Element: Element;
    /// Appends its numbers, and gives its shape.
    fn write(&self, bytes: &mut Vec<u8>) -> Vec<usize>;
    /// The tensor of that shape, if it can have it and there are as many bytes.
    fn read(shape: &[usize], bytes: &[u8]) -> Option<Self>;
}

/// As many elements as the first sizes of a shape say, if the others are an element's.
fn elements<T: Element>(shape: &[usize], rank: usize, mut bytes: &[u8]) -> Option<Vec<T>> {
    /// Elements without a number in them cost nothing to claim.
    const MOST_EMPTY: usize = 1 << 20;
    let (outer, inner) = shape.split_at_checked(rank)?;
    let mut dims = Vec::new();
    T::dims(&mut dims);
    let count = product(outer)?;
    let size = count.checked_mul(T::BYTES)?;
    if inner != dims || size != bytes.len() || T::BYTES == 0 && count > MOST_EMPTY {
        return None;
    }
    Some((0..count).map(|_| T::take(&mut bytes)).collect())
}

fn product(sizes: &[usize]) -> Option<usize> {
    let mut product = 1_usize;
    for size in sizes {
        product = product.checked_mul(*size)?;
    }
    Some(product)
}
