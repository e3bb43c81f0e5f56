//! Every operator of the table is held against what its samples promise: gradients against
//! differences, second derivatives, zero-sized dimensions, thread counts, rows of a batch, the text
//! form. An operator without samples fails here unless it is listed with the test that covers it.

mod derivatives;
mod rows;
mod samples;
mod table;
