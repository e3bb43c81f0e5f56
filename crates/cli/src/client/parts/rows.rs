
impl<T: Element> Tensor for Vec<T> {
    type Element = T;
    fn write(&self, bytes: &mut Vec<u8>) -> Vec<usize> {
        let mut dims = vec![self.len()];
        self.iter().for_each(|element| element.put(bytes));
        T::dims(&mut dims);
        dims
    }
    fn read(shape: &[usize], bytes: &[u8]) -> Option<Self> {
        elements(shape, 1, bytes)
    }
}
