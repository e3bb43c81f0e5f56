
impl<T: Element> Tensor for T {
    type Element = T;
    fn write(&self, bytes: &mut Vec<u8>) -> Vec<usize> {
        let mut dims = Vec::new();
        self.put(bytes);
        T::dims(&mut dims);
        dims
    }
    fn read(shape: &[usize], bytes: &[u8]) -> Option<Self> {
        elements(shape, 0, bytes)?.pop()
    }
}
