//! Convolutions of any stride, dilation and groups: plain loops whose innermost one runs over
//! channels.

use smallvec::smallvec;

use super::partials::Partials;
use super::{Convolution, Propagation};
use crate::dispatch::vectorized;
use crate::element::Real;
use crate::launch::{Call, Cost, Kernel, Source, Step, Target};

/// Channels of a pixel that is read, of one that is written, and the groups in which they meet.
#[derive(Clone, Copy)]
struct Channels {
    from: usize,
    to: usize,
    groups: usize,
}

impl Channels {
    /// Add to a pixel another one times the filter's numbers for the tap between them,
    /// `[from / groups, to]`.
    #[inline(always)]
    fn add<T: Real>(self, x: &[T], w: &[T], out: &mut [T]) {
        let (from, to) = (self.from / self.groups, self.to / self.groups);
        if self.groups == 1 {
            for (&x, w) in x.iter().zip(w.chunks_exact(to)) {
                axpy(x, w, out);
            }
        } else if from == 1 && to == 1 {
            for ((o, &x), &w) in out.iter_mut().zip(x).zip(w) {
                *o = *o + x * w;
            }
        } else {
            for ((g, x), out) in x.chunks_exact(from).enumerate().zip(out.chunks_exact_mut(to)) {
                for (&x, w) in x.iter().zip(w.chunks_exact(self.to)) {
                    axpy(x, &w[g * to..][..to], out);
                }
            }
        }
    }

    /// Add to the filter's numbers for a tap the products of the two pixels it lies between.
    #[inline(always)]
    fn add_products<T: Real>(self, x: &[T], y: &[T], w: &mut [T]) {
        let (from, to) = (self.from / self.groups, self.to / self.groups);
        if self.groups == 1 {
            for (&x, w) in x.iter().zip(w.chunks_exact_mut(to)) {
                axpy(x, y, w);
            }
        } else if from == 1 && to == 1 {
            for ((w, &x), &y) in w.iter_mut().zip(x).zip(y) {
                *w = *w + x * y;
            }
        } else {
            for ((g, x), y) in x.chunks_exact(from).enumerate().zip(y.chunks_exact(to)) {
                for (&x, w) in x.iter().zip(w.chunks_exact_mut(self.to)) {
                    axpy(x, y, &mut w[g * to..][..to]);
                }
            }
        }
    }
}

#[inline(always)]
fn axpy<T: Real>(a: T, x: &[T], out: &mut [T]) {
    for (o, &x) in out.iter_mut().zip(x) {
        *o = *o + a * x;
    }
}

pub(super) fn kernel<T: Real>(conv: Convolution, propagation: Propagation) -> Kernel {
    match propagation {
        Propagation::Forward => forward::<T>(conv),
        Propagation::BackwardInput => input_gradient::<T>(conv),
        Propagation::BackwardFilter => filter_gradient::<T>(conv),
    }
}

fn forward<T: Real>(conv: Convolution) -> Kernel {
    let width = conv.columns.output * conv.filters;
    let each = conv.multiplications() / (conv.images * conv.rows.output).max(1) as f64;
    let chunk = conv.rows_in_part(conv.rows.output, each) * width * size_of::<T>();
    Kernel::single(2, chunk, conv.cost::<T>(), move |call| {
        let (x, w) = (call.input::<T>(0), call.input::<T>(1));
        let first = call.start::<T>() / width;
        let out = call.output::<T>();
        vectorized(
            #[inline(always)]
            || forward_rows(&conv, x, w, out, first),
        );
        Ok(())
    })
}

/// The rows of the result from `first` on, counted through all images, as many as fit into `out`.
#[inline(always)]
pub(super) fn forward_rows<T: Real>(
    conv: &Convolution,
    x: &[T],
    w: &[T],
    out: &mut [T],
    first: usize,
) {
    let &Convolution { rows, columns, channels, filters, groups, .. } = conv;
    let pixels = Channels { from: channels, to: filters, groups };
    let tap = channels / groups * filters;
    out.fill(T::ZERO);
    if channels == 0 {
        return;
    }
    for (i, out) in out.chunks_exact_mut(columns.output * filters).enumerate() {
        let (image, place) = ((first + i) / rows.output, (first + i) % rows.output);
        for p in rows.taps(place) {
            let row = image * rows.input + rows.element(place, p);
            let x = &x[row * columns.input * channels..][..columns.input * channels];
            for q in 0..columns.window {
                let w = &w[(p * columns.window + q) * tap..][..tap];
                for place in columns.places(q) {
                    let x = &x[columns.element(place, q) * channels..][..channels];
                    pixels.add(x, w, &mut out[place * filters..][..filters]);
                }
            }
        }
    }
}

fn input_gradient<T: Real>(conv: Convolution) -> Kernel {
    let width = conv.columns.input * conv.channels;
    let each = conv.multiplications() / (conv.images * conv.rows.input).max(1) as f64;
    let chunk = conv.rows_in_part(conv.rows.input, each) * width * size_of::<T>();
    let filter = conv.filter_len() * size_of::<T>();
    // The filter of the way back, `[h, w, F / groups, C]`: its innermost dimension is that of what
    // is written.
    let turn = Step {
        reads: smallvec![Source::Operand(0)],
        writes: Target::Scratch(0),
        chunk: filter.max(1),
        cost: Cost { flops: 0.0, bytes: 2.0 * filter as f64 },
        workspace: 0,
        run: Box::new(move |call| {
            turn_filter(&conv, call.input::<T>(0), call.output::<T>());
            Ok(())
        }),
    };
    let main = Step {
        reads: smallvec![Source::Scratch(0), Source::Operand(1)],
        writes: Target::Output,
        chunk: chunk.max(1),
        cost: conv.cost::<T>(),
        workspace: 0,
        run: Box::new(move |call| {
            let (w, y) = (call.input::<T>(0), call.input::<T>(1));
            let first = call.start::<T>() / width;
            let out = call.output::<T>();
            vectorized(
                #[inline(always)]
                || input_gradient_rows(&conv, w, y, out, first),
            );
            Ok(())
        }),
    };
    Kernel { steps: [turn, main].into_iter().collect(), scratch: smallvec![filter] }
}

/// `[h, w, C / groups, F]` to `[h, w, F / groups, C]`.
pub(super) fn turn_filter<T: Real>(conv: &Convolution, w: &[T], out: &mut [T]) {
    let (channels, filters) = (conv.group_channels(), conv.group_filters());
    let tap = channels * conv.filters;
    for (w, out) in w.chunks_exact(tap).zip(out.chunks_exact_mut(tap)) {
        for group in 0..conv.groups {
            for c in 0..channels {
                for f in 0..filters {
                    out[f * conv.channels + group * channels + c] =
                        w[c * conv.filters + group * filters + f];
                }
            }
        }
    }
}

/// The rows of the images' gradient from `first` on, counted through all images, as many as fit
/// into `out`.
#[inline(always)]
pub(super) fn input_gradient_rows<T: Real>(
    conv: &Convolution,
    w: &[T],
    y: &[T],
    out: &mut [T],
    first: usize,
) {
    let &Convolution { rows, columns, channels, filters, groups, .. } = conv;
    let pixels = Channels { from: filters, to: channels, groups };
    let tap = channels / groups * filters;
    out.fill(T::ZERO);
    if filters == 0 {
        return;
    }
    for (i, out) in out.chunks_exact_mut(columns.input * channels).enumerate() {
        let (image, element) = ((first + i) / rows.input, (first + i) % rows.input);
        for p in 0..rows.window {
            let Some(place) = rows.place(element, p) else {
                continue;
            };
            let row = image * rows.output + place;
            let y = &y[row * columns.output * filters..][..columns.output * filters];
            for q in 0..columns.window {
                let w = &w[(p * columns.window + q) * tap..][..tap];
                for place in columns.places(q) {
                    let y = &y[place * filters..][..filters];
                    let at = columns.element(place, q) * channels;
                    pixels.add(y, w, &mut out[at..][..channels]);
                }
            }
        }
    }
}

fn filter_gradient<T: Real>(conv: Convolution) -> Kernel {
    let partials = Partials::new(&conv);
    partials.kernel::<T>(&conv, move |call| {
        let (x, y) = (call.input::<T>(0), call.input::<T>(1));
        let rows = partials.rows(call.part());
        let out = call.output::<T>();
        vectorized(
            #[inline(always)]
            || filter_gradient_of_rows(&conv, x, y, out, rows),
        );
    })
}

impl Partials {
    /// A kernel of which each part of the first step sums one block, `[h, w, C / groups, F]`; the
    /// second step adds these in their order.
    pub(super) fn kernel<T: Real>(
        self,
        conv: &Convolution,
        sum: impl Fn(&mut Call<'_>) + Send + Sync + 'static,
    ) -> Kernel {
        let (len, size) = (conv.filter_len(), size_of::<T>());
        let first = Step {
            reads: smallvec![Source::Operand(0), Source::Operand(1)],
            writes: Target::Scratch(0),
            chunk: (len * size).max(1),
            cost: conv.cost::<T>(),
            workspace: 0,
            run: Box::new(move |call| {
                sum(call);
                Ok(())
            }),
        };
        if self.blocks == 1 {
            let only = Step { writes: Target::Output, ..first };
            return Kernel { steps: smallvec![only], scratch: smallvec![] };
        }
        let sums = self.blocks * len;
        let second = Step {
            reads: smallvec![Source::Scratch(0)],
            writes: Target::Output,
            chunk: crate::elementwise_chunk(len, (self.blocks + 1) * size) * size,
            cost: Cost { flops: sums as f64, bytes: ((sums + len) * size) as f64 },
            workspace: 0,
            run: Box::new(move |call| {
                let (sums, start) = (call.input::<T>(0), call.start::<T>());
                let out = call.output::<T>();
                vectorized(
                    #[inline(always)]
                    || {
                        out.fill(T::ZERO);
                        for sums in sums.chunks_exact(len) {
                            for (o, &s) in out.iter_mut().zip(&sums[start..]) {
                                *o = *o + s;
                            }
                        }
                    },
                );
                Ok(())
            }),
        };
        Kernel { steps: [first, second].into_iter().collect(), scratch: smallvec![sums * size] }
    }
}

/// The filter's gradient from some rows of the result's.
#[inline(always)]
fn filter_gradient_of_rows<T: Real>(
    conv: &Convolution,
    x: &[T],
    y: &[T],
    out: &mut [T],
    these: std::ops::Range<usize>,
) {
    let &Convolution { rows, columns, channels, filters, groups, .. } = conv;
    let pixels = Channels { from: channels, to: filters, groups };
    let tap = channels / groups * filters;
    out.fill(T::ZERO);
    for (t, out) in out.chunks_exact_mut(tap).enumerate() {
        let (p, q) = (t / columns.window, t % columns.window);
        let seen = rows.places(p);
        for row in these.clone() {
            let (image, place) = (row / rows.output, row % rows.output);
            if !seen.contains(&place) {
                continue;
            }
            let y = &y[row * columns.output * filters..][..columns.output * filters];
            let row = image * rows.input + rows.element(place, p);
            let x = &x[row * columns.input * channels..][..columns.input * channels];
            for place in columns.places(q) {
                let x = &x[columns.element(place, q) * channels..][..channels];
                pixels.add_products(x, &y[place * filters..][..filters], out);
            }
        }
    }
}
