//! Memory that grows, or says that it cannot.

use abeyance_launch::{AlignedBytes, OutOfMemory};

/// Makes room for `length` bytes, whatever is in them. Memory that grows again takes a sixteenth
/// more each time, so that many programs, each a little larger than the last, are not as many
/// allocations.
///
/// # Errors
/// [`OutOfMemory`] where the system has no such room; there may be room for fewer bytes then than
/// before.
pub(crate) fn grow(bytes: &mut AlignedBytes, length: usize) -> Result<(), OutOfMemory> {
    let before = bytes.len();
    if before >= length {
        return Ok(());
    }
    // The old memory goes before the new comes: what is in it is void, and the two together would
    // be the peak.
    *bytes = AlignedBytes::default();
    let ample = length.max(before.saturating_add(before / 16));
    *bytes = match AlignedBytes::zeroed(ample) {
        Err(_) if ample > length => AlignedBytes::zeroed(length)?,
        grown => grown?,
    };
    Ok(())
}

/// Makes room for `length` items.
///
/// # Errors
/// [`OutOfMemory`] where the system has no such room.
pub(crate) fn reserve<T>(items: &mut Vec<T>, length: usize) -> Result<(), OutOfMemory> {
    let refused = OutOfMemory { bytes: length.saturating_mul(size_of::<T>()) };
    items.try_reserve(length.saturating_sub(items.len())).map_err(|_| refused)
}
