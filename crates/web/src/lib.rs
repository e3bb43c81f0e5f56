//! Code that the servers of this workspace share: [addresses](listen) to listen on, a
//! [check](Names) that a request is meant for them and not sent by a page that tricks a browser,
//! and [secrets](secret) that are [compared](is_same) without telling where they differ.
//!
//! It must not know what is served.

mod address;
mod guard;
mod random;

pub use address::{AddressError, is_loopback, listen};
pub use guard::{Names, is_same};
pub use random::secret;
