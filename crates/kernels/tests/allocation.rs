//! The loops allocate nothing: what they work in is handed to them.

#![allow(unsafe_code)] // an allocator that counts

use std::alloc::{self, GlobalAlloc, System};
use std::cell::Cell;

use abeyance_kernels::broadcast::Broadcast;
use abeyance_kernels::conv::{Convolution, Propagation};
use abeyance_kernels::element::Real;
use abeyance_kernels::launch::Layout;
use abeyance_kernels::layout::{
    Concat, Gather, Pad, ScatterAdd, Slice, Steps, Strided, StridedScatter, Transpose, one_hot,
};
use abeyance_kernels::matmul::Matmul;
use abeyance_kernels::order::{order_rows, places as first_places};
use abeyance_kernels::prod_except::prod_except;
use abeyance_kernels::random::Stream;
use abeyance_kernels::reduce::{ArgReduction, Operation, Reduction};
use abeyance_kernels::scan::Scan;
use abeyance_kernels::serial::{Serial, Workspace};
use abeyance_kernels::sliding::{Padding, Sliding};
use abeyance_kernels::{elementwise, softmax};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: alloc::Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: alloc::Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocates_nothing(name: &str, f: impl FnOnce()) {
    let before = COUNT.get();
    f();
    assert_eq!(COUNT.get() - before, 0, "{name} allocates");
}

#[test]
fn matrix_products() {
    for (m, k, n) in [(100, 784, 10), (100, 200, 300), (1, 700, 200), (5, 2000, 33)] {
        for (ta, tb) in [(false, false), (true, false), (false, true)] {
            let plan = Matmul::new(m, k, n, ta, tb);
            let mut workspace = Workspace::new(plan.workspace::<f32>(m));
            let (a, b, mut c) = (vec![1.0f32; m * k], vec![1.0f32; k * n], vec![0.0f32; m * n]);
            allocates_nothing("matmul", || plan.run(&a, &b, &mut c, 0, workspace.bytes()));
            let mut workspace = Workspace::new(plan.workspace::<f64>(m));
            let (a, b, mut c) = (vec![1.0f64; m * k], vec![1.0f64; k * n], vec![0.0f64; m * n]);
            allocates_nothing("matmul", || plan.run(&a, &b, &mut c, 0, workspace.bytes()));
        }
    }
}

#[test]
fn everything_else() {
    let dims = [20, 3, 50];
    let x = vec![0.5f32; 3000];
    let mut out = vec![0.0f32; 3000];
    allocates_nothing("map", || elementwise::map(&x, &mut out, 0, Real::tanh));
    allocates_nothing("zip", || {
        elementwise::zip(&x, &x, &mut out, 0, [false; 2], |x: f32, y: f32| x + y);
        elementwise::zip(&x, &x, &mut out, 0, [false, true], |x: f32, y: f32| x / y);
    });
    let counts = vec![3i32; 3000];
    let mut quotients = vec![0i32; 3000];
    let plan = Broadcast::new(&dims, [&dims, &[50]]);
    allocates_nothing("try_binary", || {
        let divide = |x: i32, y: i32| x.checked_div(y);
        elementwise::try_binary(&plan, &counts, &counts[..50], &mut quotients, 0, divide).unwrap();
    });
    for axes in [&[0][..], &[1], &[2], &[0, 2], &[0, 1, 2]] {
        let plan = Reduction::new(&dims, axes);
        allocates_nothing("reduction", || {
            plan.run(Operation::Mean, &x, &mut out[..plan.outputs()], 0).unwrap();
        });
    }
    let mut places = vec![0i64; 150];
    let arg = ArgReduction::new(&dims, 0);
    allocates_nothing("argmax", || arg.argmax(&x, &mut places, 0).unwrap());
    allocates_nothing("softmax", || {
        softmax::softmax(&x, 50, &mut out, 0);
        softmax::log_softmax(&x, 50, &mut out, 0);
        softmax::softmax_cross_entropy(&x, &x, 50, &mut out[..60], 0);
        softmax::sparse_softmax_cross_entropy(&x, &places[..60], 50, &mut out[..60], 0).unwrap();
    });
    let turn = Transpose::new(&dims, &[2, 0, 1]);
    let (slice, pad) =
        (Slice::new(&dims, &[1, 1, 1], &[9, 1, 9]), Pad::new(&[18, 1, 48], &[1; 3], &[1; 3]));
    let concat = Concat::new(&[&dims, &[0, 3, 50]], 0);
    allocates_nothing("layout", || {
        turn.run(&x, &mut out, 0);
        slice.run(&x, &mut out[..81], 0);
        pad.run(&x[..864], &mut out, 0, 0.0);
        concat.run(|n| if n == 0 { &x[..] } else { &[] }, &mut out, 0);
        Gather::new(60, 50).run(&x, &places[..60], &mut out, 0).unwrap();
        ScatterAdd::new(60, 50).run(&x, &places[..60], &mut out, 0).unwrap();
        one_hot(&places[..60], 50, 1.0, 0.0, &mut out, 0);
    });
    let steps = dims.map(Steps::reversed);
    let (pick, place) = (Strided::new(&dims, &steps), StridedScatter::new(&dims, &steps));
    let mut pairs = vec![[0; 2]; 3000];
    let mut order = [0i64; 30];
    allocates_nothing("strided copies, scans and order", || {
        pick.run(&x, &mut out, 0);
        place.run(&x, &mut out, 0);
        Scan::new(&dims, 2, true).sum(&x, true, &mut out, 0);
        order_rows(&x, 1000, 10, true, &mut pairs, 0);
        first_places(&pairs, 1000, 10, &mut order, 0);
    });
    allocates_nothing("random", || {
        let stream = Stream::new(1, "noise");
        stream.fill_uniform(0, 0, &mut out, 0.0, 1.0);
        stream.fill_truncated_normal(0, 0, &mut out, 0.0, 1.0);
    });
    allocates_nothing("products", || {
        prod_except(&x, 50, &mut out, 0);
    });
}

#[test]
fn convolutions() {
    for (window, channels, filters, stride, groups) in
        [(5, 1, 4, 1, 1), (4, 4, 8, 2, 1), (3, 6, 40, 2, 1), (3, 4, 4, 1, 4)]
    {
        let axis = Sliding::new(14, window, stride, 1, Padding::Same).unwrap();
        let conv = Convolution { images: 30, rows: axis, columns: axis, channels, filters, groups };
        let mut x = vec![1.0f32; conv.input_len()];
        let mut w = vec![1.0f32; conv.filter_len()];
        let mut y = vec![1.0f32; conv.output_len()];
        let mut forward =
            Serial::new(conv.kernel::<f32>(Propagation::Forward, Layout::RowMajor), 2);
        let mut input_gradient =
            Serial::new(conv.kernel::<f32>(Propagation::BackwardInput, Layout::RowMajor), 2);
        let mut filter_gradient =
            Serial::new(conv.kernel::<f32>(Propagation::BackwardFilter, Layout::RowMajor), 2);
        allocates_nothing("a convolution", || {
            forward.run(&[&x[..], &w], &mut y).unwrap();
            input_gradient.run(&[&w[..], &y], &mut x).unwrap();
            filter_gradient.run(&[&x[..], &y], &mut w).unwrap();
        });
    }
}
