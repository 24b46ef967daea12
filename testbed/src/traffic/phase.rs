//! The phases that the service goes through. Pure.

use serde_json::{Value, json};

/// How the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Well.
    Calm,
    /// A part of all answers is 503, and what the breaker guards fails altogether.
    Failing,
    /// Well again; the breaker finds out.
    Recovering,
    /// One instance takes its time.
    Slow,
}

/// Where each phase ends, as a share of the whole.
const ENDS: [(f64, Phase); 5] = [
    (0.25, Phase::Calm),
    (0.45, Phase::Failing),
    (0.65, Phase::Recovering),
    (0.85, Phase::Slow),
    (1.0, Phase::Calm),
];

/// Instances of the service.
const N_INSTANCES: usize = 3;

impl Phase {
    /// The phase when this share of the time has passed, from 0 to 1.
    #[must_use]
    pub fn at(share: f64) -> Self {
        ENDS.iter().find(|(end, _)| share < *end).map_or(Self::Calm, |(_, phase)| *phase)
    }

    /// What each instance is to be switched to; `null` takes a switch back.
    #[must_use]
    pub fn switches(self) -> [Value; N_INSTANCES] {
        let well = json!({"status": null, "latency": null});
        match self {
            Self::Calm | Self::Recovering => [well.clone(), well.clone(), well],
            Self::Failing => [(); N_INSTANCES].map(|()| json!({"status": "503:0.3"})),
            Self::Slow => [json!({"latency": "150ms..600ms"}), well.clone(), well],
        }
    }

    /// In words for the line of progress.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Failing => "the service fails",
            Self::Recovering => "the service is well again",
            Self::Slow => "one instance is slow",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_and_ends_calm_and_every_phase_has_its_time() {
        let phases: Vec<Phase> = (0..100).map(|idx| Phase::at(f64::from(idx) / 100.0)).collect();
        for phase in [Phase::Calm, Phase::Failing, Phase::Recovering, Phase::Slow] {
            assert!(phases.iter().filter(|one| **one == phase).count() >= 20, "{phase:?}");
        }
        assert_eq!(
            (phases[0], phases[99], Phase::at(1.0)),
            (Phase::Calm, Phase::Calm, Phase::Calm)
        );
    }

    #[test]
    fn what_one_phase_switches_calm_takes_back() {
        for phase in [Phase::Failing, Phase::Slow] {
            for (set, back) in phase.switches().iter().zip(Phase::Calm.switches()) {
                for name in set.as_object().unwrap().keys() {
                    assert!(back[name].is_null() && back.get(name).is_some(), "{name}");
                }
            }
        }
    }
}
