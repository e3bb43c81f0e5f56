//! The order in memory of an array's elements.

use smallvec::SmallVec;

/// The order in memory of an array's elements. By default it is row-major.
///
/// | layout | sizes in memory of `[N, ..]` | oneDNN's word for images |
/// |---|---|---|
/// | [`RowMajor`](Layout::RowMajor) | `[N, ..]` | `nhwc` |
/// | [`Nhwc16n`](Layout::Nhwc16n) | `[⌈N / 16⌉, .., 16]` | `Nhwc16n` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Neighbours along the last dimension lie next to each other.
    #[default]
    RowMajor,
    /// The first dimension is cut into blocks of [`BLOCK`](Layout::BLOCK), and a block's elements
    /// at one place of the others lie next to each other: of images `[N, H, W, C]` the first number
    /// of sixteen images, then their second one, and so on. A line of sixteen is a register or
    /// several on every processor, full whatever the images' channels are. The elements of the last
    /// block beyond N hold anything.
    Nhwc16n,
}

impl Layout {
    /// The images of a block of [`Layout::Nhwc16n`].
    pub const BLOCK: usize = 16;

    /// The sizes in memory of an array with these sizes.
    pub fn memory_dims(self, dims: &[usize]) -> SmallVec<[usize; 4]> {
        match self {
            Layout::RowMajor => SmallVec::from_slice(dims),
            Layout::Nhwc16n => {
                let (first, rest) = dims.split_first().unwrap_or((&1, &[]));
                let blocks = first.div_ceil(Self::BLOCK);
                std::iter::once(blocks).chain(rest.iter().copied()).chain([Self::BLOCK]).collect()
            }
        }
    }

    /// The elements in memory of an array with these sizes, those beyond a last block's end
    /// included.
    pub fn memory_len(self, dims: &[usize]) -> usize {
        match (self, dims) {
            (Layout::Nhwc16n, [first, rest @ ..]) => {
                first.next_multiple_of(Self::BLOCK) * rest.iter().product::<usize>()
            }
            (Layout::Nhwc16n, []) => Self::BLOCK,
            (Layout::RowMajor, _) => dims.iter().product(),
        }
    }

    /// The layout of an array of this rank in oneDNN's words: a letter for each dimension,
    /// outermost first, large where the dimension is cut into blocks, and the block behind them.
    /// The letters of four dimensions are those of images.
    ///
    /// ```
    /// use abeyance_launch::Layout;
    /// assert_eq!(Layout::RowMajor.tag(4), "nhwc");
    /// assert_eq!(Layout::Nhwc16n.tag(4), "Nhwc16n");
    /// assert_eq!(Layout::Nhwc16n.tag(2), "Ab16a");
    /// ```
    pub fn tag(self, rank: usize) -> String {
        let letter = |axis: usize| match rank {
            4 => ['n', 'h', 'w', 'c'][axis],
            _ => (b'a' + (axis % 26) as u8) as char,
        };
        let mut tag: String = (0..rank).map(letter).collect();
        if let (Layout::Nhwc16n, Some(first)) = (self, tag.get_mut(..1)) {
            first.make_ascii_uppercase();
            tag += &format!("{}{}", Self::BLOCK, letter(0));
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn sizes_in_memory() {
        let dims = [33, 5, 2];
        assert_eq!(Layout::RowMajor.memory_dims(&dims)[..], dims);
        assert_eq!(Layout::Nhwc16n.memory_dims(&dims)[..], [3, 5, 2, 16]);
        for dims in [&[33, 5, 2][..], &[16], &[0, 3], &[]] {
            for layout in [Layout::RowMajor, Layout::Nhwc16n] {
                let len: usize = layout.memory_dims(dims).iter().product();
                assert_eq!(layout.memory_len(dims), len, "{layout:?} {dims:?}");
            }
        }
    }
}
