//! Bytes aligned for kernels, whose allocation can fail without taking the process down.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use abeyance_kernels::launch::ALIGNMENT;

/// The memory asked for is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("would need {bytes} bytes of memory, which the system does not have")]
pub struct OutOfMemory {
    /// The size of the allocation that failed, in bytes.
    pub bytes: usize,
}

/// A fixed number of bytes, aligned to [`ALIGNMENT`] and zero at first.
pub struct AlignedBytes {
    pointer: NonNull<u8>,
    length: usize,
}

impl AlignedBytes {
    /// Memory of `length` zero bytes; no bytes take no memory.
    ///
    /// # Errors
    /// [`OutOfMemory`] where the system refuses, which includes any length that no address space holds.
    pub fn zeroed(length: usize) -> Result<Self, OutOfMemory> {
        if length == 0 {
            return Ok(Self::default());
        }
        let refused = OutOfMemory { bytes: length };
        let layout = Layout::from_size_align(length, ALIGNMENT).map_err(|_| refused)?;
        // SAFETY: the layout has a size above zero.
        let pointer = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(refused)?;
        Ok(Self { pointer, length })
    }

    /// An aligned copy of `bytes`.
    ///
    /// # Errors
    /// [`OutOfMemory`], as [`AlignedBytes::zeroed`].
    pub fn copy_of(bytes: &[u8]) -> Result<Self, OutOfMemory> {
        let mut copy = Self::zeroed(bytes.len())?;
        copy.copy_from_slice(bytes);
        Ok(copy)
    }

    /// The first byte. Writing through it is sound as long as no reference to the bytes written is alive.
    pub(crate) fn pointer(&self) -> *mut u8 {
        self.pointer.as_ptr()
    }
}

impl Default for AlignedBytes {
    /// No bytes.
    fn default() -> Self {
        let pointer = std::ptr::without_provenance_mut(ALIGNMENT);
        Self {
            // SAFETY: `ALIGNMENT` is not zero, so neither is the address.
            pointer: unsafe { NonNull::new_unchecked(pointer) },
            length: 0,
        }
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `length` bytes were allocated and initialised with zeros; for none, the pointer is aligned.
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
        if self.length > 0 {
            // SAFETY: allocated in `zeroed` with this size and alignment, which made a valid layout there.
            unsafe {
                let layout = Layout::from_size_align_unchecked(self.length, ALIGNMENT);
                dealloc(self.pointer.as_ptr(), layout);
            }
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
        let mut bytes = AlignedBytes::zeroed(100).unwrap();
        assert_eq!(bytes.as_ptr().addr() % ALIGNMENT, 0);
        assert!(bytes.iter().all(|&byte| byte == 0));
        bytes[99] = 7;
        assert_eq!(AlignedBytes::copy_of(&bytes).unwrap()[99], 7);
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
