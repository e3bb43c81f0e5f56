//! Methods of tensors.

use abeyance::ndarray::array;
use abeyance::prelude::*;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

use crate::operands::*;
use crate::{Row, calls, never_wrong};

pub fn rows() -> Vec<Row> {
    [elementwise(), reductions(), arrangement(), indexing(), networks(), others()]
        .into_iter()
        .flatten()
        .collect()
}

fn elementwise() -> Vec<Row> {
    calls! { g:
        "Tensor::leaky_relu", f(g).leaky_relu(0.1), op::<f32>(g).leaky_relu(0.1);
        "Tensor::elu", f(g).elu(), op::<f32>(g).elu();
        "Tensor::selu", f(g).selu(), op::<f32>(g).selu();
        "Tensor::softplus", f(g).softplus(), op::<f32>(g).softplus();
        "Tensor::silu", f(g).silu(), op::<f32>(g).silu();
        "Tensor::gelu", f(g).gelu(true), op::<f32>(g).gelu(true);
        "Tensor::gelu#2", f(g).gelu(false), op::<f32>(g).gelu(false);
        "Tensor::squared_difference", f(g).squared_difference(1.0), f(g).squared_difference(four(g));
        "Tensor::pow", f(g).pow(2.0), f(g).pow(four(g));
        "Tensor::maximum", f(g).maximum(0.0), f(g).maximum(four(g));
        "Tensor::minimum", f(g).minimum(0.0), f(g).minimum(four(g));
        "Tensor::cast", f(g).cast::<i32>(), op::<f32>(g).cast::<i32>();
        "Tensor::is_nan", f(g).is_nan(), op::<f32>(g).is_nan();
        "Tensor::is_inf", f(g).is_inf(), op::<f32>(g).is_inf();
        "Tensor::is_finite", f(g).is_finite(), op::<f32>(g).is_finite();
        "Tensor::clip_by_value", f(g).clip_by_value(0.0, 1.0), f(g).clip_by_value(four(g), 1.0);
        "Tensor::equal", f(g).equal(0.0), f(g).equal(four(g));
        "Tensor::not_equal", f(g).not_equal(0.0), f(g).not_equal(four(g));
        "Tensor::greater", f(g).greater(0.0), f(g).greater(four(g));
        "Tensor::greater_equal", f(g).greater_equal(0.0), f(g).greater_equal(four(g));
        "Tensor::less", f(g).less(0.0), f(g).less(four(g));
        "Tensor::less_equal", f(g).less_equal(0.0), f(g).less_equal(four(g));
        "Tensor::floor_div", f(g).floor_div(2.0), f(g).floor_div(four(g));
        "Tensor::modulo", f(g).modulo(2.0), f(g).modulo(four(g));
        "Tensor::erf", f(g).erf(), op::<f32>(g).erf();
        "Tensor::erfc", f(g).erfc(), op::<f32>(g).erfc();
        "Tensor::logical_and", b(g).logical_and(true), b(g).logical_and(op(g));
        "Tensor::logical_or", b(g).logical_or(true), b(g).logical_or(op(g));
        "Tensor::logical_xor", b(g).logical_xor(true), b(g).logical_xor(op(g));
        "Tensor::logical_not", b(g).logical_not(), op::<bool>(g).logical_not();
        "Tensor::floor", f(g).floor(), op::<f32>(g).floor();
        "Tensor::ceil", f(g).ceil(), op::<f32>(g).ceil();
        "Tensor::round", f(g).round(), op::<f32>(g).round();
        "Tensor::select", b(g).select(f(g), 0.0), b(g).select(four(g), 0.0);
        "Tensor::sin", f(g).sin(), op::<f32>(g).sin();
        "Tensor::cos", f(g).cos(), op::<f32>(g).cos();
        "Tensor::tan", f(g).tan(), op::<f32>(g).tan();
        "Tensor::atan2", f(g).atan2(1.0), f(g).atan2(four(g));
        "Tensor::identity", f(g).identity(), op::<f32>(g).identity();
        "Tensor::stop_gradient", f(g).stop_gradient(), op::<f32>(g).stop_gradient();
        "Tensor::abs", f(g).abs(), op::<f32>(g).abs();
        "Tensor::sign", f(g).sign(), op::<f32>(g).sign();
        "Tensor::square", f(g).square(), op::<f32>(g).square();
        "Tensor::relu", f(g).relu(), op::<f32>(g).relu();
        "Tensor::exp", f(g).exp(), op::<f32>(g).exp();
        "Tensor::expm1", f(g).expm1(), op::<f32>(g).expm1();
        "Tensor::log", f(g).log(), op::<f32>(g).log();
        "Tensor::log1p", f(g).log1p(), op::<f32>(g).log1p();
        "Tensor::sqrt", f(g).sqrt(), op::<f32>(g).sqrt();
        "Tensor::rsqrt", f(g).rsqrt(), op::<f32>(g).rsqrt();
        "Tensor::reciprocal", f(g).reciprocal(), op::<f32>(g).reciprocal();
        "Tensor::tanh", f(g).tanh(), op::<f32>(g).tanh();
        "Tensor::sigmoid", f(g).sigmoid(), op::<f32>(g).sigmoid();
        "add", f(g).add(1.0), f(g).add(four(g));
        "sub", f(g).sub(1.0), f(g).sub(four(g));
        "mul", f(g).mul(1.0), f(g).mul(four(g));
        "div", f(g).div(1.0), f(g).div(four(g));
        "neg", f(g).neg(), op::<f32>(g).neg();
        "logical_not", b(g).not(), op::<bool>(g).not();
        "logical_and", b(g).bitand(true), b(g).bitand(op::<bool>(g));
        "logical_or", b(g).bitor(true), b(g).bitor(op::<bool>(g));
        "logical_xor", b(g).bitxor(true), b(g).bitxor(op::<bool>(g));
    }
}

fn reductions() -> Vec<Row> {
    calls! { g:
        "Tensor::argmax", f(g).argmax(-1), f(g).argmax(2);
        "Tensor::argmin", f(g).argmin(-1), f(g).argmin(2);
        "Tensor::cumsum", f(g).cumsum(0), f(g).cumsum(2);
        "Tensor::cumsum_with", f(g).cumsum_with(0, CumulativeOptions::new().exclusive(true).reverse(true)), f(g).cumsum_with(2, CumulativeOptions::new().exclusive(true).reverse(true));
        "Tensor::cumprod", f(g).cumprod(0), f(g).cumprod(2);
        "Tensor::cumprod_with", f(g).cumprod_with(0, CumulativeOptions::new().exclusive(true).reverse(true)), f(g).cumprod_with(2, CumulativeOptions::new().exclusive(true).reverse(true));
        "Tensor::reduce_logsumexp", f(g).reduce_logsumexp(..), f(g).reduce_logsumexp(2);
        "Tensor::l1_norm", f(g).l1_norm(..), f(g).l1_norm(2);
        "Tensor::l2_norm", f(g).l2_norm(..), f(g).l2_norm(2);
        "Tensor::max_norm", f(g).max_norm(..), f(g).max_norm(2);
        "Tensor::l2_normalize", f(g).l2_normalize(-1, 1e-12), f(g).l2_normalize(2, 1e-12);
        "Tensor::reduce_any", b(g).reduce_any(..), b(g).reduce_any(2);
        "Tensor::reduce_all", b(g).reduce_all(..), b(g).reduce_all(2);
        "Tensor::reduce_sum", f(g).reduce_sum(..), f(g).reduce_sum(2);
        "Tensor::reduce_mean", f(g).reduce_mean(..), f(g).reduce_mean(2);
        "Tensor::reduce_max", f(g).reduce_max(..), f(g).reduce_max(2);
        "Tensor::reduce_min", f(g).reduce_min(..), f(g).reduce_min(2);
        "Tensor::reduce_prod", f(g).reduce_prod(..), f(g).reduce_prod(2);
        "Tensor::reduce_variance", f(g).reduce_variance(..), f(g).reduce_variance(2);
        "Tensor::reduce_std", f(g).reduce_std(..), f(g).reduce_std(2);
        "Tensor::moments", f(g).moments(..), f(g).moments(2);
        "Tensor::sort", f(g).sort(-1), f(g).sort(2);
        "Tensor::sort_with", f(g).sort_with(0, SortOptions::new().descending(true)), f(g).sort_with(2, SortOptions::new().descending(true));
        "Tensor::argsort", f(g).argsort(-1), f(g).argsort(2);
        "Tensor::argsort_with", f(g).argsort_with::<i64>(0, SortOptions::new().descending(true)), f(g).argsort_with::<i64>(2, SortOptions::new().descending(true));
        "Tensor::top_k", f(g).top_k(2), f(g).top_k(4);
        "Tensor::top_k_as", f(g).top_k_as::<i64>(2), f(g).top_k_as::<i64>(4);
        "Tensor::in_top_k", f(g).in_top_k(i(g), 2), f(g).in_top_k(g.zeros::<i64>(dims![5]), 2);
        "Tensor::segment_sum", f(g).segment_sum(i(g), 2), f(g).segment_sum(g.zeros::<i64>(dims![5]), 2);
        "Tensor::unsorted_segment_sum", f(g).unsorted_segment_sum(i(g), 2), f(g).unsorted_segment_sum(g.zeros::<i64>(dims![5]), 2);
    }
}

fn arrangement() -> Vec<Row> {
    calls! { g:
        "Tensor::diag", f(g).diag(), g.constant(1.0f32).diag();
        "Tensor::diag_part", g.zeros::<f32>(dims![3, 3]).diag_part(), four(g).diag_part();
        "Tensor::pad_constant", f(g).pad_constant([[0, 0], [1, 2]], 1.0), f(g).pad_constant([[0, -1], [1, 2]], 1.0);
        "Tensor::pad_reflect", f(g).pad_reflect([[0, 0], [1, 2]]), f(g).pad_reflect([[0, 0], [3, 0]]);
        "Tensor::pad_symmetric", f(g).pad_symmetric([[0, 0], [1, 2]]), f(g).pad_symmetric([[0, 0], [4, 0]]);
        "Tensor::pad", f(g).pad([[0, 0], [1, 2]]), f(g).pad([[0, -1], [1, 2]]);
        "Tensor::reshape", f(g).reshape(dims![3, _]), f(g).reshape(dims![4, _]);
        "Tensor::reshape#2", f(g).reshape(dims![6]), f(g).reshape(dims![_, _]);
        "Tensor::transpose", f(g).transpose(), op::<f32>(g).transpose();
        "Tensor::transpose_by", f(g).transpose_by(&[1, 0]), f(g).transpose_by(&[1, 1]);
        "Tensor::expand_dims", f(g).expand_dims(0), f(g).expand_dims(4);
        "Tensor::squeeze", g.zeros::<f32>(dims![1, 3]).squeeze(&[0]), f(g).squeeze(&[0]);
        "Tensor::broadcast_to", f(g).broadcast_to(dims![5, 2, 3]), f(g).broadcast_to(dims![4]);
        "Tensor::broadcast_to#2", f(g).broadcast_to(dims![2, 3]), f(g).broadcast_to(dims![_, 3]);
        "Tensor::slice", f(g).slice([0, 1], [2, -1]), f(g).slice([0, 1], [2, 3]);
        "Tensor::strided_slice", f(g).strided_slice(slices![0, ..]), f(g).strided_slice(slices![7, ..]);
        "Tensor::strided_slice#2", f(g).strided_slice(slices![..]), f(g).strided_slice(slices![0, 0, 0]);
        "Tensor::reverse", f(g).reverse([0]), f(g).reverse([2]);
        "Tensor::tile", f(g).tile([2, 1]), f(g).tile([2]);
        "Tensor::unstack", f(g).unstack(0), f(g).unstack(2);
        "Tensor::unstack#2", f(g).unstack(1), g.placeholder::<f32>("x", dims![_]).unstack(0);
        "Tensor::split", f(g).split(3, 1), f(g).split(2, 1);
        "Tensor::split#2", g.placeholder::<f32>("x", dims![_]).split(3, 0), f(g).split(0, 1);
        "Tensor::split_sizes", f(g).split_sizes(&[1, -1], 1), f(g).split_sizes(&[2, 2], 1);
    }
}

fn indexing() -> Vec<Row> {
    calls! { g:
        "Tensor::take_along_axis", f(g).take_along_axis(g.zeros::<i64>(dims![2, 1]), 1), f(g).take_along_axis(i(g), 1);
        "Tensor::take_along_axis#2", f(g).take_along_axis(g.zeros::<i64>(dims![1, 3]), 0), f(g).take_along_axis(i(g), 5);
        "Tensor::gather_nd", f(g).gather_nd(i(g)), f(g).gather_nd(g.constant(0i64));
        "Tensor::gather_nd#2", f(g).gather_nd(i(g)), f(g).gather_nd(g.zeros::<i64>(dims![1, 3]));
        "Tensor::scatter_nd", four(g).scatter_nd(g.zeros::<i64>(dims![4, 1]), dims![5]), four(g).scatter_nd(g.constant(0i64), dims![5]);
        "Tensor::scatter_nd#2", four(g).scatter_nd(g.zeros::<i64>(dims![4, 1]), dims![5]), four(g).scatter_nd(g.zeros::<i64>(dims![3, 1]), dims![5]);
        "Tensor::scatter_nd#3", four(g).scatter_nd(g.zeros::<i64>(dims![4, 1]), dims![5]), four(g).scatter_nd(g.zeros::<i64>(dims![4, 1]), dims![_]);
        "Tensor::gather", f(g).gather(i(g)), f(g).gather(g.constant(2i64));
        "Tensor::gather_along", f(g).gather_along(i(g), 1), f(g).gather_along(i(g), 2);
        "Tensor::embedding_lookup", f(g).embedding_lookup(i(g)), f(g).embedding_lookup(g.constant(2i64));
        "Tensor::scatter_add", f(g).scatter_add(i(g), dims![5, 3]), f(g).scatter_add(i(g), dims![5, 4]);
        "Tensor::scatter_add#2", f(g).scatter_add(i(g), dims![5, 3]), f(g).scatter_add(i(g), dims![_, 3]);
        "Tensor::scatter_add_along", f(g).scatter_add_along(i(g), dims![5, 3], 0), f(g).scatter_add_along(i(g), dims![5, 3], 3);
        "Tensor::one_hot_values", i(g).one_hot_values::<f32>(3, 0, 2.0, 1.0), i(g).one_hot_values::<f32>(3, 5, 2.0, 1.0);
        "Tensor::one_hot_values#2", i(g).one_hot_values::<f32>(3, 0, 2.0, 1.0), i(g).one_hot_values::<f32>(3, 0, g.zeros(dims![7]), 1.0);
        "Tensor::boolean_mask", f(g).boolean_mask(b(g)), f(g).boolean_mask(g.fill(dims![3], true));
        "Tensor::boolean_mask_within", f(g).boolean_mask_within(b(g), 2), f(g).boolean_mask_within(g.fill(dims![3], true), 2);
        "Tensor::boolean_mask_within#2", f(g).boolean_mask_within(b(g), 2), f(g).boolean_mask_within(b(g), usize::MAX);
        "Tensor::squeeze_all", f(g).squeeze_all(), op::<f32>(g).squeeze_all();
        "Tensor::assign_scatter", v(g).assign_scatter(i(g), f(g)), v(g).assign_scatter(i(g), four(g));
        "Tensor::assign_scatter#2", v(g).assign_scatter(i(g), f(g)), f(g).assign_scatter(i(g), f(g));
        "Tensor::assign_scatter#3", v(g).assign_scatter(i(g), f(g)), v(g).assign_scatter(g.constant_array(&array![5i64, 0]), f(g));
        "Tensor::assign_scatter_add", v(g).assign_scatter_add(i(g), f(g)), v(g).assign_scatter_add(i(g), four(g));
        "Tensor::assign_scatter_sub", v(g).assign_scatter_sub(i(g), f(g)), v(g).assign_scatter_sub(i(g), four(g));
        "Tensor::assign_scatter_nd", v(g).assign_scatter_nd(i(g), 1.0), v(g).assign_scatter_nd(i(g), four(g));
        "Tensor::assign_scatter_nd_add", v(g).assign_scatter_nd_add(i(g), 1.0), v(g).assign_scatter_nd_add(i(g), four(g));
        "Tensor::assign_scatter_nd_sub", v(g).assign_scatter_nd_sub(i(g), 1.0), v(g).assign_scatter_nd_sub(g.zeros::<i64>(dims![5]), 1.0);
        "Tensor::one_hot", i(g).one_hot::<f32>(3), op::<i64>(g).one_hot::<f32>(3);
        "Tensor::where_indices", b(g).where_indices(), op::<bool>(g).where_indices();
    }
}

fn networks() -> Vec<Row> {
    calls! { g:
        "Tensor::dropout_keeping", f(g).dropout_keeping(0.5), f(g).dropout_keeping(0.0);
        "Tensor::dropout_keeping#2", f(g).dropout_keeping(0.5), f(g).dropout_keeping(four(g));
        "Tensor::softmax_cross_entropy", f(g).softmax_cross_entropy(f(g)), f(g).softmax_cross_entropy(four(g));
        "Tensor::sparse_softmax_cross_entropy", f(g).sparse_softmax_cross_entropy(i(g)), f(g).sparse_softmax_cross_entropy(g.zeros::<i64>(dims![5]));
        "Tensor::sigmoid_cross_entropy", f(g).sigmoid_cross_entropy(f(g)), f(g).sigmoid_cross_entropy(four(g));
        "Tensor::softmax_along", f(g).softmax_along(0), f(g).softmax_along(2);
        "Tensor::log_softmax_along", f(g).log_softmax_along(0), f(g).log_softmax_along(2);
        "Tensor::softmax_cross_entropy_along", f(g).softmax_cross_entropy_along(f(g), 0), f(g).softmax_cross_entropy_along(four(g), 0);
        "Tensor::softmax_cross_entropy_along#2", f(g).softmax_cross_entropy_along(f(g), 0), f(g).softmax_cross_entropy_along(f(g), 2);
        "Tensor::sparse_softmax_cross_entropy_along", f(g).sparse_softmax_cross_entropy_along(g.zeros::<i64>(dims![3]), 0), f(g).sparse_softmax_cross_entropy_along(g.zeros::<i64>(dims![5]), 0);
        "Tensor::l2_loss", f(g).l2_loss(), op::<f32>(g).l2_loss();
        "Tensor::powi", f(g).powi(2i32), f(g).powi(g.zeros::<i64>(dims![4]));
        "Tensor::truncate_mod", f(g).truncate_mod(2.0), f(g).truncate_mod(four(g));
        "Tensor::asin", f(g).asin(), op::<f32>(g).asin();
        "Tensor::acos", f(g).acos(), op::<f32>(g).acos();
        "Tensor::atan", f(g).atan(), op::<f32>(g).atan();
        "Tensor::sinh", f(g).sinh(), op::<f32>(g).sinh();
        "Tensor::cosh", f(g).cosh(), op::<f32>(g).cosh();
        "Tensor::asinh", f(g).asinh(), op::<f32>(g).asinh();
        "Tensor::acosh", f(g).acosh(), op::<f32>(g).acosh();
        "Tensor::atanh", f(g).atanh(), op::<f32>(g).atanh();
        "Tensor::softmax", f(g).softmax(), g.constant(1.0f32).softmax();
        "Tensor::log_softmax", f(g).log_softmax(), g.constant(1.0f32).log_softmax();
        "Tensor::matmul", f(g).matmul(g.zeros(dims![3, 4])), f(g).matmul(f(g));
        "Tensor::matmul_with", f(g).matmul_with(f(g), MatMulOptions::new().transpose_b(true)), f(g).matmul_with(f(g), MatMulOptions::new());
        "Tensor::tensordot", f(g).tensordot(f(g), [1], [1]), f(g).tensordot(f(g), [1], [0]);
        "Tensor::layer_norm", f(g).layer_norm(g.ones(dims![3]), g.zeros(dims![3]), 1e-3), f(g).layer_norm(four(g), g.zeros(dims![3]), 1e-3);
        "Tensor::batch_normalization", f(g).batch_normalization(0.0, 1.0, 0.0, 1.0, 1e-3), f(g).batch_normalization(four(g), 1.0, 0.0, 1.0, 1e-3);
        "Tensor::max_pool", images(g).max_pool(PoolOptions::valid(2)), f(g).max_pool(PoolOptions::valid(2));
        "Tensor::avg_pool", images(g).avg_pool(PoolOptions::valid(2)), f(g).avg_pool(PoolOptions::valid(2));
        "Tensor::global_max_pool", images(g).global_max_pool(), f(g).global_max_pool();
        "Tensor::global_avg_pool", images(g).global_avg_pool(), f(g).global_avg_pool();
        "Tensor::conv2d", images(g).conv2d(filter(g), ConvOptions::same()), images(g).conv2d(g.zeros(dims![2, 2, 4, 5]), ConvOptions::same());
        "Tensor::depthwise_conv2d", images(g).depthwise_conv2d(filter(g), ConvOptions::same()), images(g).depthwise_conv2d(g.zeros(dims![2, 2, 4, 5]), ConvOptions::same());
        "Tensor::depthwise_conv2d#2", images(g).depthwise_conv2d(filter(g), ConvOptions::same()), images(g).depthwise_conv2d(g.zeros(dims![9, 9, 3, 5]), ConvOptions::valid());
        "Tensor::conv2d_transpose", images(g).conv2d_transpose(g.zeros(dims![2, 2, 5, 3]), ConvOptions::same()), images(g).conv2d_transpose(filter(g), ConvOptions::same());
        "Tensor::conv2d_transpose_to", images(g).conv2d_transpose_to(g.zeros(dims![2, 2, 5, 3]), dims![2, 8, 8, 5], ConvOptions::same().stride(2)), images(g).conv2d_transpose_to(g.zeros(dims![2, 2, 5, 3]), dims![2, 4, 8, 5], ConvOptions::same().stride(2));
    }
}

fn others() -> Vec<Row> {
    let mut rows = calls! { g:
        "Tensor::assign", v(g).assign(f(g)), f(g).assign(f(g));
        "Tensor::assign_add", v(g).assign_add(f(g)), v(g).assign_add(four(g));
        "Tensor::assign_sub", v(g).assign_sub(f(g)), v(g).assign_sub(four(g));
        "Tensor::check_numerics", f(g).check_numerics("f"), op::<f32>(g).check_numerics("f");
        "Tensor::print", f(g).print("f"), op::<f32>(g).print("f");
        "Tensor::dim", f(g).reshape(dims![f(g).dim(1), 2]), f(g).dim(2);
        "Tensor::scalar", f(g).reduce_sum(..).scalar(), f(g).scalar();
        "AnyTensor::item", {
            let (x, places) = f(g).top_k(2);
            (x, places)
        }, f(g).erase().item(3);
    };
    rows.extend(never_wrong! { g:
        "Tensor::shape_of", f(g).shape_of();
        "Tensor::zeros_like", f(g).zeros_like();
        "Tensor::size", f(g).size::<f32>();
    });
    rows
}
