//! Names for nodes made on a user's behalf, which must not fail because a name is taken.

use crate::{Element, Graph, Tensor};

impl Graph {
    /// `base`, or the first of `base_1`, `base_2`, ... that no node has in the current scope.
    pub fn free_name(&self, base: &str) -> String {
        let ir = self.ir();
        let scope = &ir.context().scope;
        let is_free = |name: &str| ir.find(&format!("{scope}{name}")).is_none();
        if is_free(base) {
            return base.to_owned();
        }
        (1..)
            .map(|count: u64| format!("{base}_{count}"))
            .find(|name| is_free(name))
            .unwrap_or_default()
    }

    /// Calls `build` and gives its result, called `base` (`base_1` where that is taken), with the
    /// nodes that lead to it behind `base/`: for functions that are several nodes and read like
    /// one.
    ///
    /// ```
    /// # use abeyance_graph::{dims, Graph};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let swish = g.within("swish", || x * x.sigmoid());
    /// assert_eq!(swish.name(), "swish");
    /// assert!(g.to_string().contains("swish/sigmoid"));
    /// ```
    #[track_caller]
    pub fn within<'g, T: Element>(
        &'g self,
        base: &str,
        build: impl FnOnce() -> Tensor<'g, T>,
    ) -> Tensor<'g, T> {
        let (tensor, path) = {
            let _scope = self.scope(base);
            let tensor = build();
            (tensor, self.ir().context().scope.clone())
        };
        let path = path.trim_end_matches('/');
        let name = self.free_name(path.rsplit('/').next().unwrap_or(path));
        tensor.named(&name)
    }
}
