//! Secrets that nobody can guess: tokens of random bytes.

use std::io;

/// So many random bytes from the system, in hexadecimal digits.
///
/// # Errors
/// The system has none.
pub fn secret(bytes: usize) -> io::Result<String> {
    use rand::TryRng;
    let mut random = vec![0u8; bytes];
    rand::rngs::SysRng
        .try_fill_bytes(&mut random)
        .map_err(|source| io::Error::other(source.to_string()))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
