
impl<T: Element, const N: usize> Element for [T; N] {
    const DATATYPE: &'static str = T::DATATYPE;
    const BYTES: usize = N * T::BYTES;
    fn dims(dims: &mut Vec<usize>) {
        dims.push(N);
        T::dims(dims);
    }
    fn put(&self, bytes: &mut Vec<u8>) {
        self.iter().for_each(|part| part.put(bytes));
    }
    fn take(bytes: &mut &[u8]) -> Self {
        std::array::from_fn(|_| T::take(bytes))
    }
}
