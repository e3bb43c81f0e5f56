//! The memory that the bodies of all requests together may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::request_error::{ErrorKind, RequestError};

/// Bytes of bodies that are in memory, of all requests together.
#[derive(Debug)]
pub(crate) struct Budget {
    taken: AtomicUsize,
    most: usize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { taken: AtomicUsize::new(0), most })
    }
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct BudgetShare {
    budget: Arc<Budget>,
    taken: usize,
}

impl BudgetShare {
    /// A share of no bytes yet.
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, taken: 0 }
    }

    /// The bytes that were taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// Takes so many bytes more.
    ///
    /// # Errors
    /// The budget is used up.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), RequestError> {
        let before = self.budget.taken.fetch_add(bytes, Ordering::Relaxed);
        self.taken += bytes;
        if before.saturating_add(bytes) > self.budget.most {
            Err(RequestError::new(
                ErrorKind::Busy,
                "the bodies of other requests take all the memory there is for them: try again",
            ))
        } else {
            Ok(())
        }
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.taken, Ordering::Relaxed);
    }
}
