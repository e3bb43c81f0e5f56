//! Plans as text and figures, without a run: tasks, drafts, costs.

use abeyance_ir::{Location, NodeId};
use smallvec::SmallVec;

use super::{Session, feed_shapes};
use crate::feed::Feed;
use crate::fetch::{Fetch, FetchList};
use crate::plan::{Explanation, Request, compile, compile_watched};
use crate::{Error, NodeCost, feed_check};

impl Session {
    /// Explains a run of these fetches on feeds of these shapes without doing it: the tasks of its
    /// plan with the nodes that each computes, what they read and write, where that lies in memory
    /// and what it costs. Print it:
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let y = (x + 1.0).relu();
    /// let session = Session::new(&g)?;
    /// let plan = session.explain(y, feeds![x => &ndarray::array![[1.0, -2.0, 3.0]]])?;
    /// assert_eq!(plan.tasks, 1);
    /// println!("{plan}");
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::run`], but for what only shows when it runs.
    #[track_caller]
    pub fn explain<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<Explanation, Error> {
        let location = Location::caller();
        let explained = self
            .fetched_nodes(&fetches)
            .and_then(|fetches| self.explain_nodes(&fetches, feeds.as_ref()));
        explained.map_err(|error| error.at(location))
    }

    pub(super) fn explain_nodes(
        &self,
        fetches: &[NodeId],
        feeds: &[Feed<'_>],
    ) -> Result<Explanation, Error> {
        self.check_feeds(feeds)?;
        let plan = compile(&Request::new(&self.frozen, fetches, &feed_shapes(feeds)))?;
        Ok(plan.explain(&self.frozen))
    }

    /// The draft of such a run's plan as each pass leaves it, with the pass's name: the first is
    /// the translation of the graph. Passes that change nothing are left out.
    /// `docs/one-training-step.md` explains what is printed.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let y = (x + 1.0).relu();
    /// let session = Session::new(&g)?;
    /// let drafts = session.explain_passes(y, feeds![x => &ndarray::array![[1.0, -2.0, 3.0]]])?;
    /// let names: Vec<_> = drafts.iter().map(|(name, _)| *name).collect();
    /// assert_eq!(names, ["translation", "fusion"]);
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::explain`].
    #[track_caller]
    pub fn explain_passes<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let (location, feeds) = (Location::caller(), feeds.as_ref());
        let mut drafts: Vec<(&'static str, String)> = Vec::new();
        let compiled = self.fetched_nodes(&fetches).and_then(|fetches| {
            self.check_feeds(feeds)?;
            let shapes = feed_shapes(feeds);
            compile_watched(&Request::new(&self.frozen, &fetches, &shapes), &mut |name, draft| {
                let text = draft.to_string();
                if drafts.last().is_none_or(|(_, last)| *last != text) {
                    drafts.push((name, text));
                }
            })
        });
        compiled.map_err(|error| error.at(location))?;
        Ok(drafts)
    }

    /// The cost of each node that such a run computes, by itself: as if none were fused with
    /// others, folded or shared.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let y = x.matmul(g.constant_array(&ndarray::array![[1.0f32], [2.0], [3.0]])).relu();
    /// let session = Session::new(&g)?;
    /// let costs = session.costs(y, feeds![x => &ndarray::array![[1.0, -2.0, 3.0]]])?;
    /// let named: Vec<&str> = costs.iter().map(|cost| &*cost.node).collect();
    /// assert_eq!(named, ["matmul", "relu"]);
    /// assert_eq!(costs[0].flops, 6.0);
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::explain`].
    #[track_caller]
    pub fn costs<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<Vec<NodeCost>, Error> {
        let location = Location::caller();
        let costs = self
            .fetched_nodes(&fetches)
            .and_then(|fetches| self.node_costs(&fetches, feeds.as_ref()));
        costs.map_err(|error| error.at(location))
    }

    pub(super) fn node_costs(
        &self,
        fetches: &[NodeId],
        feeds: &[Feed<'_>],
    ) -> Result<Vec<NodeCost>, Error> {
        self.check_feeds(feeds)?;
        let shapes = feed_shapes(feeds);
        let plan = compile(&Request::new(&self.frozen, fetches, &shapes).without_passes())?;
        Ok(plan.node_costs(&self.frozen))
    }

    fn fetched_nodes<F: Fetch>(&self, fetches: &F) -> Result<SmallVec<[NodeId; 12]>, Error> {
        let mut list = FetchList::default();
        fetches.list(&mut list);
        self.fetched(&list)
    }

    fn check_feeds(&self, feeds: &[Feed<'_>]) -> Result<(), Error> {
        self.check_foreign(feeds)?;
        feed_check::check(&self.frozen.graph, feeds)
    }
}
