//! The names of symbols: chosen here in the order in which the symbols are made, or given by a user
//! or a file.

use std::sync::Arc;

use crate::shape::SymbolId;

use super::{Mark, Symbols};

/// The kind of name that is chosen for a symbol to which nobody gave one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `N`, `N2`, ...: a size that a feed brings.
    Fed,
    /// `D`, `D2`, ...: a size that an operator computes from others.
    Derived,
}

impl Symbols {
    /// Makes a symbol, with the first free name of that kind.
    pub fn fresh(&mut self, naming: Naming) -> SymbolId {
        let name = self.free_name(naming);
        self.push(name, Some(naming))
    }

    fn free_name(&mut self, naming: Naming) -> Arc<str> {
        let (letter, counter) = match naming {
            Naming::Fed => ('N', &mut self.counters[0]),
            Naming::Derived => ('D', &mut self.counters[1]),
        };
        loop {
            *counter += 1;
            let name = match *counter {
                1 => letter.to_string(),
                count => format!("{letter}{count}"),
            };
            if !self.by_name.contains_key(name.as_str()) {
                return name.into();
            }
        }
    }

    /// The symbol of that name, made if it is new.
    pub fn named(&mut self, name: &str) -> SymbolId {
        match self.by_name.get(name) {
            Some(&id) => id,
            None => self.push(name.into(), None),
        }
    }

    /// The symbol to which a user gave that name, made if it is new. A symbol for which the name
    /// was chosen gets another one: two sizes are equal where the user says so, not by chance.
    pub fn declared(&mut self, name: &str) -> SymbolId {
        if let Some(&id) = self.by_name.get(name)
            && let Some(naming) = self.entries[id.index()].naming
        {
            let other = self.free_name(naming);
            self.entries[id.index()].name = other.clone();
            self.by_name.insert(other, id);
            self.by_name.remove(name);
            self.revision += 1;
        }
        self.named(name)
    }

    /// The name under which a dimension prints: that of the oldest symbol equal to it.
    pub fn name(&self, id: SymbolId) -> &str {
        self.entry(self.root(id)).map_or("?", |entry| &entry.name)
    }

    /// Removes the symbols made since, of which nothing may be left in use. What was found out
    /// about older ones stays.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        // No older symbol refers to a newer one: the oldest is the parent of its class.
        for symbol in self.entries.drain(mark.len..) {
            self.by_name.remove(&symbol.name);
            // Numbers below the first that is free again are taken, by names that were given: the
            // next search need not begin before them.
            if let Some(naming) = symbol.naming {
                let number = symbol.name.get(1..).and_then(|digits| digits.parse().ok());
                let counter = &mut self.counters[naming as usize];
                *counter = number.unwrap_or(1u32).saturating_sub(1).min(*counter);
            }
        }
    }
}
