
macro_rules! numbers {
    ($($type:ident $datatype:literal,)*) => {$(
        impl Element for $type {
            const DATATYPE: &'static str = $datatype;
            const BYTES: usize = size_of::<$type>();
            fn dims(_: &mut Vec<usize>) {}
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }
            fn take(bytes: &mut &[u8]) -> Self {
                let mut number = [0; size_of::<$type>()];
                if let Some((first, rest)) = bytes.split_first_chunk() {
                    (number, *bytes) = (*first, rest);
                }
                $type::from_le_bytes(number)
            }
        }
    )*};
}
