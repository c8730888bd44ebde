//! Counters by a label whose values are known when the program is built, so that no client can add a series.

use std::marker::PhantomData;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The values of one label: an enum without data, made by `labels!`.
pub trait Label: Copy + 'static {
    /// The label's name.
    const KEY: &'static str;
    /// Every value, in the order of `index`.
    const ALL: &'static [Self];
    /// How the value is written.
    fn name(self) -> &'static str;
    /// Its place in `ALL`.
    fn index(self) -> usize;
}

/// One counter for each value of a [`Label`].
///
/// All of them exist from the start: a series that first appears with its first event hides that event from `rate()`.
/// Counting takes neither a lock nor a look-up.
#[derive(Debug)]
pub struct By<L> {
    counters: Box<[Counter]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> By<L> {
    /// Counts one event.
    pub fn inc(&self, label: L) {
        self.inc_by(label, 1);
    }

    /// Counts `n` events.
    pub fn inc_by(&self, label: L, n: u64) {
        self.counters[label.index()].inc_by(n);
    }

    /// What has been counted so far.
    #[must_use]
    pub fn get(&self, label: L) -> u64 {
        self.counters[label.index()].get()
    }

    /// What has been counted so far, whatever the label.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counters.iter().map(Counter::get).sum()
    }

    /// All of them at zero, registered as one family.
    pub(super) fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<[(&str, &str); 1], Counter>::default();
        let counters = L::ALL.iter().map(|label| family.get_or_create_owned(&[(L::KEY, label.name())])).collect();
        registry.register(name, help, family);
        Self { counters, label: PhantomData }
    }
}

/// Makes an enum that is a [`Label`].
macro_rules! labels {
    ($(#[$doc:meta])* $label:ident, $key:literal { $( $(#[$value_doc:meta])* $value:ident = $name:literal, )+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $label { $( $(#[$value_doc])* $value, )+ }

        impl $crate::metrics::Label for $label {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$( Self::$value, )+];

            fn name(self) -> &'static str {
                match self { $( Self::$value => $name, )+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
pub(super) use labels;
