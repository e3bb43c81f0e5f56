//! The text form: the printer of a graph, and the parser that reads the text back.
//!
//! ```text
//! graph classifier {
//!   forward {
//!     x      = placeholder              : f32[N, 784]
//!     w      = variable initial=zeros   : f32[784, 10]
//!     logits = matmul(x, w)             : f32[N, 10]
//!     loss   = reduce_sum(logits) axes=[0, 1] : f32[]
//!   }
//!   update {
//!     step   = group(loss)              : operation  after=[logits]
//!   }
//!   summary scalar loss = loss
//!   summary histogram weights = w
//!   signature train {
//!     input  images = x
//!     output loss = loss
//!     run    step
//!   }
//! }
//! ```
//!
//! A line is a node: `NAME = OPERATOR(OPERANDS) ATTRIBUTES : TYPE  of FORWARD  after=[CONTROLS]`.
//! Nodes stand in the order of their ids, so a line uses only lines above it; a block says for what
//! its nodes are ([`Role`](crate::Role)), and blocks come in as many pieces as that order makes
//! necessary. `#` begins a comment. What is not a plain name stands in quotes.
//!
//! A tuple's type is `(f32[N, 10], i64[])`. A body stands in a block before the line of the node
//! that has it, named for the attribute it is; the names of its nodes are its own:
//!
//! ```text
//!     then cond/then {
//!       x      = input  : f32[N]
//!       square = mul(x, x) : f32[N]
//!       return square
//!     }
//!     else cond/else { .. }
//!     y = cond(p, x) : f32[N]
//! ```
//!
//! Behind the graph's name stands its seed, if it has one: `graph classifier seed=7 {`. Behind the
//! nodes stand summaries, a line each: `summary KIND TAG = TENSOR, ...`, of kind `scalar`,
//! `histogram` or `image`; only a histogram has several tensors. Signatures follow the nodes;
//! besides inputs, outputs and what is run they say what is always fed: `feed keep = 0.75`.
//!
//! Left out, since the rest says it: attributes that are their default; a required
//! attribute `dtype` or `shape` that repeats the node's type; the parentheses of a node without
//! operands; the type before an array whose element type is the node's.
//!
//! Arrays: `0.5`, `[[1.0, 2.0], [3.0, 4.0]]`, `fill(0.5)` for more than four equal elements, `[]`
//! for none; with their own type before them where the node's does not tell: `i32[2] [3, 4]`,
//! `f32[0, 5] []`, `f32[1000] fill(0.5)`. The sizes of `fill(..)` and `[]` are those of the type.
//! NaN prints as `nan` whatever its payload.
//!
//! Tags of summaries, names of signatures and of their inputs and outputs are any texts:
//! `input "serving_default_x:0" = x`.
//!
//! What [`Graph::to_text`](crate::Graph::to_text) writes, [`Graph::parse`](crate::Graph::parse)
//! reads to a graph that prints the same, byte for byte. Display cuts long arrays short:
//! `[0.1, 0.2, ... 998 more]`, which the parser refuses as such.

mod array;
mod bodies;
mod cursor;
mod literal;
mod names;
mod parse;
mod parser;
mod print;
mod signature;
mod statement;
mod summary;
mod value;
mod write;
