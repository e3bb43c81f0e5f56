//! What the servers of this workspace have in common before they answer anything: [where](listen)
//! they listen, whether a request [may be meant for them](Names) and not for a page that tricks a
//! browser, and [secrets](secret) that are [compared](is_same) without telling where they differ.
//!
//! It must not know what is served.

mod address;
mod guard;
mod random;

pub use address::{AddressError, is_loopback, listen};
pub use guard::{Names, is_same};
pub use random::secret;
