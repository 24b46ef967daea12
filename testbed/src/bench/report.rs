//! Figures as a table: medians, and the ratio against the reference of the same round.

use std::fmt::Write;

use super::scenario::{Budget, PLAIN, Scenario};

/// A line per scenario, the budgets beside the ratios.
pub(super) fn table(scenarios: &[Scenario], micros: &[Vec<f64>]) -> String {
    let rounds_of = |name: &str| {
        let idx = scenarios.iter().position(|scenario| scenario.name == name);
        idx.and_then(|idx| micros.get(idx)).map_or(&[][..], Vec::as_slice)
    };
    let mut table = format!(
        "{:<32}{:>10}{:>12}{:>12}   {}\n",
        "one worker, 1 KiB, per request", "CPU us", "over plain", "x plain", "budget"
    );
    for (scenario, rounds) in scenarios.iter().zip(micros) {
        let (cost, plain) = (median(rounds), median(rounds_of(PLAIN)));
        let ratio = median(&ratios(rounds, rounds_of(PLAIN)));
        let verdicts: Vec<String> = scenario
            .budgets
            .iter()
            .map(|budget| verdict(*budget, median(&ratios(rounds, rounds_of(budget.of)))))
            .collect();
        let row = format!(
            "{:<32}{cost:>10.1}{:>+12.1}{ratio:>12.2}   {}",
            scenario.name,
            cost - plain,
            verdicts.join("; ")
        );
        let _ = writeln!(table, "{}", row.trim_end());
    }
    table
}

fn verdict(budget: Budget, ratio: f64) -> String {
    let word = if ratio <= budget.at_most { "met" } else { "missed" };
    format!("{ratio:.2} of at most {:.2} x {}: {word}", budget.at_most, budget.of)
}

/// Round by round.
fn ratios(rounds: &[f64], reference: &[f64]) -> Vec<f64> {
    rounds.iter().zip(reference).filter(|(_, of)| **of > 0.0).map(|(cost, of)| cost / of).collect()
}

/// The middle one; of an even number the lower of the two.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_ratios_is_taken_round_by_round() {
        // The machine was half as fast in the second round, for both.
        let (plain, filter) = ([20.0, 40.0, 22.0], [24.0, 48.0, 26.4]);
        assert!((median(&ratios(&filter, &plain)) - 1.2).abs() < 1e-9);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }

    #[test]
    fn a_budget_is_met_up_to_its_bound() {
        let budget = Budget { at_most: 1.6, of: "x" };
        assert_eq!(verdict(budget, 1.6), "1.60 of at most 1.60 x x: met");
        assert_eq!(verdict(budget, 1.7), "1.70 of at most 1.60 x x: missed");
    }
}
