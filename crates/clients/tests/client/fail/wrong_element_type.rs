#[path = "../mnist_conv_dropout.rs"]
mod digits;

fn main() {
    let image = [[[0u8; 1]; 28]; 28];
    let _ = digits::Inputs { images: vec![image] };
}
