//! Bytes aligned for kernels, whose allocation can fail without taking the process down.

#![allow(unsafe_code)] // every block says why it is sound

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// The alignment in bytes of every buffer a kernel sees: a cache line, and enough for any SIMD
/// register.
pub const ALIGNMENT: usize = 64;

/// The error of an allocation that the system refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("would need {bytes} bytes of memory, which the system does not have")]
pub struct OutOfMemory {
    /// The size of the allocation that failed, in bytes.
    pub bytes: usize,
}

/// The smallest allocation, in bytes, for which the system is asked for zero pages, which take no
/// memory until they are touched. The standard library asks so only where no alignment beyond a
/// word's is wanted, and otherwise writes every byte.
const PAGES: usize = 64 * 1024;

/// A fixed number of bytes, aligned to [`ALIGNMENT`] and zero at first. Of many bytes, those that
/// were never touched take no memory where the system hands out pages so.
pub struct AlignedBytes {
    /// The first byte.
    pointer: NonNull<u8>,
    length: usize,
    /// The start of the allocation, up to `ALIGNMENT` bytes before the first byte.
    start: NonNull<u8>,
}

/// The layout of the allocation for `length` bytes, more than zero.
fn layout(length: usize) -> Option<Layout> {
    match length {
        PAGES.. => Layout::from_size_align(length.checked_add(ALIGNMENT)?, align_of::<usize>()),
        _ => Layout::from_size_align(length, ALIGNMENT),
    }
    .ok()
}

impl AlignedBytes {
    /// Allocates `length` zero bytes. No bytes take no memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] where the system refuses, which includes any length that no address space
    /// holds.
    pub fn zeroed(length: usize) -> Result<Self, OutOfMemory> {
        if length == 0 {
            return Ok(Self::default());
        }
        let refused = OutOfMemory { bytes: length };
        let layout = layout(length).ok_or(refused)?;
        // SAFETY: the layout has a size above zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(refused)?;
        let before = start.addr().get().next_multiple_of(ALIGNMENT) - start.addr().get();
        // SAFETY: nothing, where the allocation is aligned, and else less than the `ALIGNMENT`
        // bytes that it has more.
        let pointer = unsafe { start.add(before) };
        Ok(Self { pointer, length, start })
    }

    /// Allocates an aligned copy of `bytes`.
    ///
    /// # Errors
    /// [`OutOfMemory`] where the system refuses.
    pub fn copy_of(bytes: &[u8]) -> Result<Self, OutOfMemory> {
        let mut copy = Self::zeroed(bytes.len())?;
        copy.copy_from_slice(bytes);
        Ok(copy)
    }

    /// The first byte. Writing through it is sound as long as no reference to the bytes written is
    /// alive.
    pub fn pointer(&self) -> *mut u8 {
        self.pointer.as_ptr()
    }
}

impl Default for AlignedBytes {
    /// No bytes.
    fn default() -> Self {
        let pointer = std::ptr::without_provenance_mut(ALIGNMENT);
        // SAFETY: `ALIGNMENT` is not zero, so neither is the address.
        let pointer = unsafe { NonNull::new_unchecked(pointer) };
        Self { pointer, length: 0, start: pointer }
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `length` bytes were allocated and initialised with zeros; for none, the pointer
        // is aligned.
        unsafe { std::slice::from_raw_parts(self.pointer.as_ptr(), self.length) }
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` is the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr(), self.length) }
    }
}

impl Drop for AlignedBytes {
    fn drop(&mut self) {
        if self.length > 0
            && let Some(layout) = layout(self.length)
        {
            // SAFETY: allocated in `zeroed` with this layout.
            unsafe { dealloc(self.start.as_ptr(), layout) };
        }
    }
}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBytes({} bytes)", self.length)
    }
}

// SAFETY: `AlignedBytes` owns its memory as `Box<[u8]>` does.
unsafe impl Send for AlignedBytes {}
// SAFETY: shared references only read; the crate's writes through `pointer` answer for themselves.
unsafe impl Sync for AlignedBytes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_aligned_and_writable() {
        for length in [100, PAGES - 1, PAGES, PAGES + 1] {
            let mut bytes = AlignedBytes::zeroed(length).unwrap();
            assert_eq!((bytes.len(), bytes.as_ptr().addr() % ALIGNMENT), (length, 0));
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes[0] = 1;
            bytes[length - 1] = 7;
            assert_eq!(AlignedBytes::copy_of(&bytes).unwrap()[length - 1], 7);
        }
    }

    #[test]
    fn no_bytes_take_no_memory() {
        assert!(AlignedBytes::zeroed(0).unwrap().is_empty());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri stops where memory is not to be had")]
    fn memory_that_is_not_to_be_had_is_an_error_with_the_size() {
        for bytes in [usize::MAX, isize::MAX as usize, 1 << 60] {
            let error = AlignedBytes::zeroed(bytes).unwrap_err();
            assert_eq!(error, OutOfMemory { bytes });
            assert!(error.to_string().contains(&bytes.to_string()));
        }
    }
}
