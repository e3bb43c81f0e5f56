//! Fetches made ready for many runs.

use std::sync::{Arc, PoisonError, RwLock};

use abeyance_ir::{Location, NodeId};
use smallvec::SmallVec;

use super::Session;
use crate::feed::Feed;
use crate::fetch::Decode;
use crate::plan::{Explanation, Plan};
use crate::{Error, NodeCost, Results, RunOptions};

impl Session {
    /// Nodes of the session's graph made ready to run.
    pub(crate) fn callable<C: Decode>(
        &self,
        fetches: SmallVec<[NodeId; 12]>,
        collect: C,
    ) -> Callable<'_, C> {
        Callable { session: self, fetches, collect, last: RwLock::new(None) }
    }
}

/// Fetches made ready by [`Session::prepare`].
pub struct Callable<'s, C> {
    session: &'s Session,
    fetches: SmallVec<[NodeId; 12]>,
    collect: C,
    /// The plan of the last run.
    last: RwLock<Option<Arc<Plan>>>,
}

impl<C: Decode> Callable<'_, C> {
    /// Computes the fetches: [`Session::run`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run<'a>(&self, feeds: impl AsRef<[Feed<'a>]>) -> Result<C::Output, Error> {
        self.run_with(RunOptions::new(), feeds)
    }

    /// The same in another way: [`Session::run_with`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run_with<'a>(
        &self,
        options: RunOptions<'_>,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<C::Output, Error> {
        let location = Location::caller();
        self.run_and(feeds.as_ref(), options, |collect, results| collect.decode(results))
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
        output: &mut C::Output,
    ) -> Result<(), Error> {
        let location = Location::caller();
        self.run_and(feeds.as_ref(), RunOptions::new(), |collect, results| {
            collect.decode_into(results, output);
        })
        .map_err(|error| error.at(location))
    }

    fn run_and<R>(
        &self,
        feeds: &[Feed<'_>],
        options: RunOptions<'_>,
        pick_up: impl FnOnce(&C, &mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let plan = self.plan(feeds)?;
        self.session.execute(&plan, feeds, options, |results| pick_up(&self.collect, results))
    }

    /// The plan of a run: [`Session::explain`].
    ///
    /// # Errors
    /// As [`Session::explain`].
    #[track_caller]
    pub fn explain<'a>(&self, feeds: impl AsRef<[Feed<'a>]>) -> Result<Explanation, Error> {
        let location = Location::caller();
        let explained = self.session.explain_nodes(&self.fetches, feeds.as_ref());
        explained.map_err(|error| error.at(location))
    }

    /// What each node costs: [`Session::costs`].
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
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner).clone();
        // A feed of another graph could have the node and sizes of one that fits.
        let ours = feeds.iter().all(|feed| feed.graph == self.session.id);
        if let Some(plan) = last.filter(|plan| ours && plan.fits(&self.fetches, feeds)) {
            self.session.plans.touch(&plan);
            return Ok(plan);
        }
        let plan = self.session.plan(&self.fetches, feeds)?;
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(plan.clone());
        Ok(plan)
    }
}
