//! The plans that a session keeps: those used last, as many as fit in a number of bytes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abeyance_ir::NodeId;
use hashbrown::HashTable;
use parking_lot::RwLock;

use super::{Plan, key};
use crate::feed::Feed;

/// Plans by fetches and feed shapes. Look-ups do not wait for each other.
pub(crate) struct PlanCache {
    kept: RwLock<Kept>,
    /// The number of uses so far, by which they are ordered.
    clock: AtomicU64,
    limit: usize,
}

#[derive(Default)]
struct Kept {
    /// Every plan with the hash of its fetches and feed shapes, under which it is found.
    plans: HashTable<(u64, Arc<Plan>)>,
    /// Every plan once, with a time at which it was used, the earliest first. A use only notes its
    /// time in the plan, so a plan that is found to have been used since is put back.
    order: BinaryHeap<Reverse<Aged>>,
    bytes: usize,
}

/// A plan and a time at which it was used.
struct Aged {
    used: u64,
    key: u64,
    plan: Arc<Plan>,
}

impl Ord for Aged {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.used.cmp(&other.used)
    }
}

impl PartialOrd for Aged {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Aged {
    fn eq(&self, other: &Self) -> bool {
        self.used == other.used
    }
}

impl Eq for Aged {}

impl Kept {
    fn find(&self, key: u64, fits: impl Fn(&Plan) -> bool) -> Option<Arc<Plan>> {
        self.plans.find(key, |(_, plan)| fits(plan)).map(|(_, plan)| plan.clone())
    }

    /// Takes out the plan used longest ago.
    fn pop(&mut self) -> Option<Arc<Plan>> {
        while let Some(Reverse(aged)) = self.order.pop() {
            let used = aged.plan.used.load(Relaxed);
            if used > aged.used {
                self.order.push(Reverse(Aged { used, ..aged }));
                continue;
            }
            let is_it = |(_, plan): &(u64, Arc<Plan>)| Arc::ptr_eq(plan, &aged.plan);
            if let Ok(entry) = self.plans.find_entry(aged.key, is_it) {
                entry.remove();
            }
            self.bytes -= aged.plan.bytes;
            return Some(aged.plan);
        }
        None
    }
}

impl PlanCache {
    /// Makes a cache without plans. Once there are more of them than `limit` bytes hold, those used
    /// longest ago go.
    pub(crate) fn new(limit: usize) -> Self {
        Self { kept: RwLock::default(), clock: AtomicU64::new(0), limit }
    }

    /// Finds the plan for these fetches and feeds.
    pub(crate) fn find(&self, fetches: &[NodeId], feeds: &[Feed<'_>]) -> Option<Arc<Plan>> {
        let kept = self.kept.read();
        let plan = kept.find(key(fetches, feeds), |plan| plan.fits(fetches, feeds))?;
        self.touch(&plan);
        Some(plan)
    }

    /// Notes that a plan is used now.
    pub(crate) fn touch(&self, plan: &Plan) {
        plan.used.store(self.clock.fetch_add(1, Relaxed) + 1, Relaxed);
    }

    /// Keeps a plan that was made for these fetches and feeds, and returns it, or another one that
    /// was made for them meanwhile. The last plan to come is kept however large it is.
    pub(crate) fn insert(&self, plan: Plan, fetches: &[NodeId], feeds: &[Feed<'_>]) -> Arc<Plan> {
        let key = key(fetches, feeds);
        let mut kept = self.kept.write();
        if let Some(other) = kept.find(key, |plan| plan.fits(fetches, feeds)) {
            self.touch(&other);
            return other;
        }
        let mut gone = Vec::new();
        while kept.bytes.saturating_add(plan.bytes) > self.limit
            && let Some(plan) = kept.pop()
        {
            gone.push(plan);
        }
        let plan = Arc::new(plan);
        self.touch(&plan);
        kept.bytes += plan.bytes;
        kept.plans.insert_unique(key, (key, plan.clone()), |(key, _)| *key);
        let used = plan.used.load(Relaxed);
        kept.order.push(Reverse(Aged { used, key, plan: plan.clone() }));
        // To free a large plan takes a while, in which nobody should wait.
        drop(kept);
        drop(gone);
        plan
    }

    /// The number of plans, and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let kept = self.kept.read();
        (kept.order.len(), kept.bytes)
    }

    /// The most bytes of plans that are kept.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use abeyance_graph::{Graph, Tensor, dims};

    use super::super::{
        FeedShape, FrozenGraph, PassSet, Request, RunMemory, SessionGraph, compile,
    };
    use super::*;

    fn session_graph(g: &Graph) -> SessionGraph {
        SessionGraph {
            graph: FrozenGraph::Own(Box::new(g.ir().clone())),
            seed: 0,
            variables: HashMap::new(),
            passes: PassSet::all(),
            memory: Arc::new(RunMemory::new(1)),
        }
    }

    /// Uses the plan of a sum of `10 + length` numbers, which is made if it is not there. Returns
    /// true if it was. All these plans take the same bytes.
    fn sum(cache: &PlanCache, session: &SessionGraph, x: Tensor<'_, f32>, length: usize) -> bool {
        let numbers = vec![0.0f32; 10 + length];
        let feeds = [Feed::new(x, &numbers)];
        let fetches = [NodeId::new(session.graph.len() - 1)];
        if cache.find(&fetches, &feeds).is_some() {
            return true;
        }
        let feed = &feeds[0];
        let shape = FeedShape { node: feed.node, dtype: feed.dtype, dims: feed.dims.clone() };
        let plan = compile(&Request::new(session, &fetches, &[shape])).unwrap();
        cache.insert(plan, &fetches, &feeds);
        false
    }

    /// The lengths of the sums whose plans are kept.
    fn lengths(cache: &PlanCache) -> Vec<usize> {
        let kept = cache.kept.read();
        let plans = || kept.plans.iter().map(|(_, plan)| plan);
        let mut lengths: Vec<usize> = plans().map(|plan| plan.feeds[0].dims[0] - 10).collect();
        lengths.sort_unstable();
        let bytes: usize = plans().map(|plan| plan.bytes).sum();
        assert_eq!(cache.size(), (lengths.len(), bytes));
        lengths
    }

    #[test]
    fn the_plan_used_longest_ago_goes_first() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_]);
        let _sum = x.reduce_sum(..);
        let session = session_graph(&g);
        let any = PlanCache::new(usize::MAX);
        sum(&any, &session, x, 1);
        let each = any.size().1;
        // A plan of a few tasks: some thousand bytes.
        assert!((500..8_000).contains(&each), "{each}");

        let cache = PlanCache::new(3 * each + each / 2);
        for length in [1, 2, 3] {
            assert!(!sum(&cache, &session, x, length));
        }
        assert!(sum(&cache, &session, x, 1));
        assert!(!sum(&cache, &session, x, 4));
        assert_eq!(lengths(&cache), [1, 3, 4]);
        assert!(sum(&cache, &session, x, 3));
        assert!(!sum(&cache, &session, x, 2));
        assert_eq!(lengths(&cache), [2, 3, 4]);
    }

    #[test]
    fn any_order_of_uses_keeps_those_used_last() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_]);
        let _sum = x.reduce_sum(..);
        let session = session_graph(&g);
        let any = PlanCache::new(usize::MAX);
        sum(&any, &session, x, 1);
        let cache = PlanCache::new(5 * any.size().1);
        // The lengths that are kept, used longest ago first.
        let mut model: Vec<usize> = Vec::new();
        let mut state = 1u32;
        for _ in 0..1000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let length = (state >> 24) as usize % 9 + 1;
            let known = model.iter().position(|&kept| kept == length);
            assert_eq!(sum(&cache, &session, x, length), known.is_some());
            known.map(|index| model.remove(index));
            model.push(length);
            if model.len() > 5 {
                model.remove(0);
            }
            let mut expected = model.clone();
            expected.sort_unstable();
            assert_eq!(lengths(&cache), expected);
        }
    }

    #[test]
    fn the_last_plan_is_kept_though_it_is_larger_than_all_may_be() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_]);
        let _sum = x.reduce_sum(..);
        let session = session_graph(&g);
        let cache = PlanCache::new(0);
        for length in [1, 2, 3] {
            assert!(!sum(&cache, &session, x, length));
            assert_eq!(lengths(&cache), [length]);
            assert!(sum(&cache, &session, x, length));
        }
    }
}
