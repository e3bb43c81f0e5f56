#[path = "../mnist_conv_dropout.rs"]
mod digits;

fn main() {
    let image = [[[0.0; 1]; 28]; 27];
    let _ = digits::Inputs { images: vec![image] };
}
