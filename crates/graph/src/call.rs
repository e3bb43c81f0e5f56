//! Whose line, and whose words: functions that build several nodes on a user's behalf say so.

use std::cell::Cell;
use std::marker::PhantomData;

use abeyance_ir::{Call, Location};

use crate::Graph;

/// The place that new nodes are said to come from, and the call that they belong to.
#[derive(Clone, Copy)]
struct Pinned {
    location: Location,
    call: Option<Call>,
}

thread_local! {
    /// While set, what nodes of this thread's graphs are said to come from, whoever appends them.
    /// It is the thread's and not a graph's, since a call may append to a graph and to bodies of
    /// it.
    static PINNED: Cell<Option<Pinned>> = const { Cell::new(None) };
}

impl Graph {
    /// Until the guard is dropped, what is built is said to have been built by this call of the
    /// function `name`: mistakes are reported with the place of this call, under that name, with
    /// the tensors that were given to it. For functions that build several nodes on a user's
    /// behalf. Inside of another such call, the outer one is what the user called.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph, Tensor};
    ///
    /// #[track_caller]
    /// fn rms<'g>(x: Tensor<'g, f32>, y: Tensor<'g, f32>) -> Tensor<'g, f32> {
    ///     let _call = x.graph().call("rms");
    ///     (x - y).square().reduce_mean(..).sqrt()
    /// }
    ///
    /// let g = Graph::new();
    /// let (x, y) = (g.zeros(dims![2]), g.zeros(dims![3]));
    /// rms(x, y);
    /// let message = g.check().unwrap_err().to_string();
    /// assert!(message.starts_with("error: rms: the shapes [2] and [3] do not broadcast"));
    /// ```
    #[must_use = "the call ends when the guard is dropped: `let _call = g.call(..);`"]
    #[track_caller]
    pub fn call(&self, name: &'static str) -> LocationGuard<'_> {
        pin(Location::caller(), Some(name))
    }

    /// Until the guard is dropped, new nodes are said to come from the place of this call, by their
    /// own names. [`Graph::call`] gives them one.
    #[must_use = "the pinning ends when the guard is dropped: `let _pin = g.pin_location();`"]
    #[track_caller]
    pub(crate) fn pin_location(&self) -> LocationGuard<'_> {
        pin(Location::caller(), None)
    }

    /// The place that new nodes are said to come from: where the caller was called, unless another
    /// is pinned.
    #[track_caller]
    pub(crate) fn here(&self) -> Location {
        // Called as it stands: a function passed on is called from within the standard library.
        match PINNED.get() {
            Some(pinned) => pinned.location,
            None => Location::caller(),
        }
    }

    /// The function that the user called, if that is more than one node.
    pub(crate) fn called(&self) -> Option<Call> {
        PINNED.get()?.call
    }
}

fn pin<'g>(location: Location, name: Option<&'static str>) -> LocationGuard<'g> {
    let before = PINNED.get();
    match before {
        None => PINNED.set(Some(Pinned { location, call: name.map(Call::new) })),
        // A pinned place without a name takes the first that is given.
        Some(Pinned { location, call: None }) if name.is_some() => {
            PINNED.set(Some(Pinned { location, call: name.map(Call::new) }));
        }
        Some(_) => {}
    }
    LocationGuard { before, graph: PhantomData }
}

/// Ends a call, or the pinning of a place, when dropped.
pub struct LocationGuard<'g> {
    before: Option<Pinned>,
    /// Of a graph, which stays on its thread, as the guard has to.
    graph: PhantomData<&'g Graph>,
}

impl std::fmt::Debug for LocationGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocationGuard").finish_non_exhaustive()
    }
}

impl Drop for LocationGuard<'_> {
    fn drop(&mut self) {
        PINNED.set(self.before);
    }
}
