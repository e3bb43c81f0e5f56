//! Fetches prepared for many runs.

use std::sync::Arc;

use abeyance_ir::{Location, NodeId};
use parking_lot::RwLock;
use smallvec::SmallVec;

use super::Session;
use crate::feed::Feed;
use crate::fetch::Decode;
use crate::plan::{Explanation, Plan};
use crate::{Error, NodeCost, Results, RunOptions};

impl Session {
    /// Prepares nodes of the session's graph for many runs.
    pub(crate) fn callable<D: Decode>(
        &self,
        fetches: SmallVec<[NodeId; 12]>,
        decoder: D,
    ) -> Callable<'_, D> {
        Callable { session: self, fetches, decoder, last: RwLock::new(None) }
    }
}

/// Fetches prepared for many runs: [`Session::prepare`]. It keeps the plan of the last run, and
/// looks another one up only where feeds change their shapes.
pub struct Callable<'s, D> {
    session: &'s Session,
    fetches: SmallVec<[NodeId; 12]>,
    decoder: D,
    /// The plan of the last run.
    last: RwLock<Option<Arc<Plan>>>,
}

impl<D: Decode> Callable<'_, D> {
    /// Computes the fetches: [`Session::run`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run<'a>(&self, feeds: impl AsRef<[Feed<'a>]>) -> Result<D::Output, Error> {
        self.run_with(RunOptions::new(), feeds)
    }

    /// Computes the fetches with [`RunOptions`]: [`Session::run_with`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run_with<'a>(
        &self,
        options: RunOptions<'_>,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<D::Output, Error> {
        let location = Location::caller();
        self.run_and(feeds.as_ref(), options, |decoder, results| decoder.decode(results))
            .map_err(|error| error.at(location))
    }

    /// Computes the fetches into values that are there: [`Session::run_into`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run_into<'a>(
        &self,
        feeds: impl AsRef<[Feed<'a>]>,
        output: &mut D::Output,
    ) -> Result<(), Error> {
        let location = Location::caller();
        self.run_and(feeds.as_ref(), RunOptions::new(), |decoder, results| {
            decoder.decode_into(results, output);
        })
        .map_err(|error| error.at(location))
    }

    fn run_and<R>(
        &self,
        feeds: &[Feed<'_>],
        options: RunOptions<'_>,
        decode: impl FnOnce(&D, &mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let plan = self.plan(feeds)?;
        self.session.execute(&plan, feeds, options, |results| decode(&self.decoder, results))
    }

    /// Explains the plan of a run: [`Session::explain`].
    ///
    /// # Errors
    /// As [`Session::explain`].
    #[track_caller]
    pub fn explain<'a>(&self, feeds: impl AsRef<[Feed<'a>]>) -> Result<Explanation, Error> {
        let location = Location::caller();
        let explained = self.session.explain_nodes(&self.fetches, feeds.as_ref());
        explained.map_err(|error| error.at(location))
    }

    /// The cost of each node by itself: [`Session::costs`].
    ///
    /// # Errors
    /// As [`Session::costs`].
    #[track_caller]
    pub fn costs<'a>(&self, feeds: impl AsRef<[Feed<'a>]>) -> Result<Vec<NodeCost>, Error> {
        let location = Location::caller();
        let costs = self.session.node_costs(&self.fetches, feeds.as_ref());
        costs.map_err(|error| error.at(location))
    }

    fn plan(&self, feeds: &[Feed<'_>]) -> Result<Arc<Plan>, Error> {
        let last = self.last.read().clone();
        // A feed of another graph could have the node and sizes of one that fits.
        let ours = feeds.iter().all(|feed| feed.graph == self.session.id);
        if let Some(plan) = last.filter(|plan| ours && plan.fits(&self.fetches, feeds)) {
            self.session.plans.touch(&plan);
            return Ok(plan);
        }
        let plan = self.session.plan(&self.fetches, feeds)?;
        *self.last.write() = Some(plan.clone());
        Ok(plan)
    }
}
