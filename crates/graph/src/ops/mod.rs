//! Every operator, one file a family: the handle's methods, signature, checks and shape rule,
//! gradient rule, kernel, documentation and samples side by side.
//!
//! Methods of [`Expr`](crate::Expr) append the nodes: the typed methods and the gradient rules are
//! made of them. [`table`] lists every operator; it drives the checks, the text
//! form's parser and the reference.

// Closures given to loops carry `#[inline(always)]`, without which the loops do not vectorise for
// wider registers than the baseline's; the name of a function cannot carry it.
#![allow(clippy::redundant_closure)]

pub mod activation;
pub mod along;
pub mod argument;
pub mod assign_scatter;
pub mod batch_norm;
pub mod binary;
pub mod boolean_mask;
pub mod candidates;
pub mod cast;
pub mod classify;
pub mod clip;
pub mod closure;
pub mod comparison;
pub mod control;
pub mod conv;
pub mod cross_entropy;
pub mod cumulative;
pub mod custom_gradient;
pub mod diag;
pub mod division;
pub mod dropout;
pub mod einsum;
pub mod elementwise;
pub mod error_function;
pub mod gather_nd;
pub mod hyperbolic;
pub mod index;
pub mod inverse_trigonometric;
pub mod join;
pub mod log_sum_exp;
pub mod logical;
pub mod matmul;
pub mod norm;
pub mod normalization;
pub mod pad;
pub mod pool;
pub mod powi;
pub mod product;
pub mod quantifier;
pub mod random;
pub mod reduce;
pub mod rounding;
pub mod segment;
pub mod select;
pub mod sequence;
pub mod shape;
pub mod slice;
pub mod slope;
pub mod softmax;
pub mod sort;
pub mod source;
pub mod spatial;
pub mod split;
pub mod squares;
pub mod state;
pub mod statistics;
pub mod strided;
pub mod tile;
pub mod trigonometric;
pub mod truncated;
pub mod tuple;
pub mod unary;
pub mod watch;
pub mod where_indices;
pub mod window;

use abeyance_ir::{Operator, OperatorRef, Registry};

/// Every built-in operator.
pub fn table() -> Vec<&'static dyn Operator> {
    let families: &[&[&'static dyn Operator]] = &[
        source::OPERATORS,
        random::OPERATORS,
        candidates::OPERATORS,
        unary::OPERATORS,
        slope::OPERATORS,
        error_function::OPERATORS,
        trigonometric::OPERATORS,
        inverse_trigonometric::OPERATORS,
        hyperbolic::OPERATORS,
        rounding::OPERATORS,
        activation::OPERATORS,
        classify::OPERATORS,
        binary::OPERATORS,
        division::OPERATORS,
        truncated::OPERATORS,
        powi::OPERATORS,
        comparison::OPERATORS,
        logical::OPERATORS,
        select::OPERATORS,
        cast::OPERATORS,
        matmul::OPERATORS,
        conv::OPERATORS,
        pool::OPERATORS,
        reduce::OPERATORS,
        product::OPERATORS,
        quantifier::OPERATORS,
        log_sum_exp::OPERATORS,
        squares::OPERATORS,
        argument::OPERATORS,
        softmax::OPERATORS,
        cross_entropy::OPERATORS,
        shape::OPERATORS,
        join::OPERATORS,
        slice::OPERATORS,
        window::OPERATORS,
        index::OPERATORS,
        segment::OPERATORS,
        strided::OPERATORS,
        pad::OPERATORS,
        tile::OPERATORS,
        gather_nd::OPERATORS,
        along::OPERATORS,
        cumulative::OPERATORS,
        sort::OPERATORS,
        diag::OPERATORS,
        sequence::OPERATORS,
        where_indices::OPERATORS,
        state::OPERATORS,
        assign_scatter::OPERATORS,
        tuple::OPERATORS,
        control::OPERATORS,
        custom_gradient::OPERATORS,
        watch::OPERATORS,
    ];
    families.concat()
}

/// Every built-in operator by name.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    for operator in table() {
        registry.register(OperatorRef::Static(operator));
    }
    registry
}

/// Runs code with a type alias for the Rust type in which elements of a dtype are stored.
macro_rules! with_type {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            abeyance_ir::DType::F32 => {
                type $type = f32;
                $body
            }
            abeyance_ir::DType::F64 => {
                type $type = f64;
                $body
            }
            abeyance_ir::DType::I32 => {
                type $type = i32;
                $body
            }
            abeyance_ir::DType::I64 => {
                type $type = i64;
                $body
            }
            abeyance_ir::DType::U8 | abeyance_ir::DType::Bool => {
                type $type = u8;
                $body
            }
        }
    };
}
/// Instantiates a loop that only moves elements: types of one size share one, so there are three
/// loops rather than five.
macro_rules! with_moved {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            abeyance_ir::DType::F32 | abeyance_ir::DType::I32 => {
                type $type = i32;
                $body
            }
            abeyance_ir::DType::F64 | abeyance_ir::DType::I64 => {
                type $type = i64;
                $body
            }
            abeyance_ir::DType::U8 | abeyance_ir::DType::Bool => {
                type $type = u8;
                $body
            }
        }
    };
}
/// Instantiates a loop for floats; other types are a fault.
macro_rules! with_float {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            abeyance_ir::DType::F32 => {
                type $type = f32;
                $body
            }
            abeyance_ir::DType::F64 => {
                type $type = f64;
                $body
            }
            other => Err(abeyance_ir::Fault::new(format!("there is no loop for {other}"))),
        }
    };
}
/// Instantiates a loop for the index types.
macro_rules! with_index {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            abeyance_ir::DType::I32 => {
                type $type = i32;
                $body
            }
            abeyance_ir::DType::I64 => {
                type $type = i64;
                $body
            }
            other => Err(abeyance_ir::Fault::new(format!("there is no loop for {other}"))),
        }
    };
}
pub(crate) use {with_float, with_index, with_moved, with_type};

/// The bytes that are moved by reading all operands once and writing the result. A sum of sizes
/// that each fit a `usize` need not fit one.
pub(crate) fn traffic(cx: &abeyance_ir::Lowering<'_>) -> f64 {
    let read: f64 = cx.operands.iter().map(|operand| operand.bytes() as f64).sum();
    read + cx.result.bytes() as f64
}
