//! Addresses to listen on.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The text is no address.
    #[error(
        "`{addr}` is no address to listen on\n   = help: an address and a port are wanted, such as `127.0.0.1:6006`, or a port alone; port 0 takes one that is free"
    )]
    Address {
        /// The address as it was given.
        addr: String,
    },
    /// The port is taken.
    #[error(
        "`{addr}` is in use by another program\n   = help: name another port, or port 0, which takes one that is free"
    )]
    InUse {
        /// The address.
        addr: String,
    },
    /// The system does not allow it.
    #[error("cannot listen on `{addr}`: {source}")]
    Listen {
        /// The address.
        addr: String,
        /// The system's error.
        source: io::Error,
    },
}

/// Listens on an address: `127.0.0.1:6006`, `localhost:0` for a port that is free, `6006` for that
/// port on this machine alone. What comes of it does not block, as tokio wants it.
///
/// # Errors
/// The address is none, or its port is taken.
pub fn listen(addr: &str) -> Result<TcpListener, AddressError> {
    let whole = whole(addr);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => AddressError::InUse { addr: whole.clone() },
        _ => AddressError::Listen { addr: whole.clone(), source },
    };
    let listener = TcpListener::bind(&*resolved(addr)?).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// True if all that an address means is this machine alone.
///
/// # Errors
/// The address is none.
pub fn is_loopback(addr: &str) -> Result<bool, AddressError> {
    Ok(resolved(addr)?.iter().all(|addr| addr.ip().is_loopback()))
}

fn whole(addr: &str) -> String {
    let is_port = !addr.is_empty() && addr.bytes().all(|byte| byte.is_ascii_digit());
    if is_port { format!("127.0.0.1:{addr}") } else { addr.to_owned() }
}

fn resolved(addr: &str) -> Result<Vec<SocketAddr>, AddressError> {
    let none = || AddressError::Address { addr: addr.to_owned() };
    let addrs: Vec<SocketAddr> = whole(addr).to_socket_addrs().map_err(|_| none())?.collect();
    if addrs.is_empty() { Err(none()) } else { Ok(addrs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_of_this_machine_alone() {
        assert!(is_loopback("0").is_ok_and(|is| is));
        assert!(is_loopback("[::1]:80").is_ok_and(|is| is));
        assert!(is_loopback("0.0.0.0:80").is_ok_and(|is| !is));
        let listener = listen("0").unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
    }

    #[test]
    fn what_is_no_address_and_what_is_taken_are_told() {
        for wrong in ["", "localhost", "127.0.0.1:99999", "no such host:1"] {
            assert!(matches!(listen(wrong), Err(AddressError::Address { .. })), "{wrong}");
        }
        let first = listen("127.0.0.1:0").unwrap();
        let addr = first.local_addr().unwrap().to_string();
        assert!(matches!(listen(&addr), Err(AddressError::InUse { .. })));
    }
}
