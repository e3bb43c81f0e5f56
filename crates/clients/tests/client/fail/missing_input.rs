#[path = "../mnist_conv_dropout.rs"]
mod digits;

fn main() {
    let _ = digits::Inputs {};
}
