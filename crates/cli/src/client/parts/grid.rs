
/// Elements in `RANK` dimensions whose sizes are known only when the program runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid<T, const RANK: usize> {
    shape: [usize; RANK],
    elements: Vec<T>,
}

impl<T, const RANK: usize> Grid<T, RANK> {
    /// Elements in row-major order; `None` if they are not as many as the sizes say.
    pub fn new(shape: [usize; RANK], elements: Vec<T>) -> Option<Self> {
        let is_whole = product(&shape) == Some(elements.len());
        is_whole.then_some(Self { shape, elements })
    }

    /// The sizes, outermost first.
    pub fn shape(&self) -> [usize; RANK] {
        self.shape
    }

    /// The elements in row-major order.
    pub fn elements(&self) -> &[T] {
        &self.elements
    }

    /// The element at a place; `None` outside.
    pub fn get(&self, place: [usize; RANK]) -> Option<&T> {
        let mut index = 0;
        for (at, size) in place.into_iter().zip(self.shape) {
            if at >= size {
                return None;
            }
            index = index * size + at;
        }
        self.elements.get(index)
    }
}

impl<T: Element, const RANK: usize> Tensor for Grid<T, RANK> {
    type Element = T;
    fn write(&self, bytes: &mut Vec<u8>) -> Vec<usize> {
        let mut dims = self.shape.to_vec();
        self.elements.iter().for_each(|element| element.put(bytes));
        T::dims(&mut dims);
        dims
    }
    fn read(shape: &[usize], bytes: &[u8]) -> Option<Self> {
        let elements = elements(shape, RANK, bytes)?;
        Self::new(*shape.first_chunk()?, elements)
    }
}
