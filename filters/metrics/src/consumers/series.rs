//! The series of one consumer: a counter for each class, defined when it is first met.

use kit::meter::{Counter, Meter};

use crate::labels::Class;
use crate::signals;

/// One consumer's counters.
#[derive(Debug)]
pub(super) struct Series {
    /// The value of the label `consumer`.
    pub(super) label: Box<str>,
    classes: [Option<Counter>; Class::ALL.len()],
}

impl Series {
    /// No series yet.
    pub(super) fn new(label: &str) -> Self {
        Self { label: Box::from(label), classes: [None; Class::ALL.len()] }
    }

    /// Counts a request.
    ///
    /// **Cost**: an increment; a definition the first time.
    pub(super) fn count<M: Meter + ?Sized>(&mut self, meter: &M, class: Class) {
        let Some(place) = self.classes.get_mut(class as usize) else { return };
        let counter = place.get_or_insert_with(|| {
            let values = [&*self.label, class.as_str()];
            let labels: Vec<_> = signals::CONSUMER_LABELS.iter().copied().zip(values).collect();
            Counter::new(meter, signals::CONSUMER_REQUESTS, &labels)
        });
        counter.add(meter, 1);
    }
}
