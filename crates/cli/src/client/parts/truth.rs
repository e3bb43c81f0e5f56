
impl Element for bool {
    const DATATYPE: &'static str = "BOOL";
    const BYTES: usize = 1;
    fn dims(_: &mut Vec<usize>) {}
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.push((*self).into());
    }
    fn take(bytes: &mut &[u8]) -> Self {
        let mut truth = 0;
        if let Some((first, rest)) = bytes.split_first() {
            (truth, *bytes) = (*first, rest);
        }
        truth != 0
    }
}
