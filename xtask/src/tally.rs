//! How many checks passed and failed.

use std::{fmt, iter::Sum, ops::Add};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Tally {
    /// One check that has only an exit status.
    pub(crate) fn of_status(success: bool) -> Self {
        Self {
            passed: usize::from(success),
            failed: usize::from(!success),
        }
    }

    /// A stage that failed has a failure, even if it failed before it could count one (a test that does not compile).
    pub(crate) fn agreeing_with(self, success: bool) -> Self {
        Self {
            failed: if success { self.failed } else { self.failed.max(1) },
            ..self
        }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), Self::add)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_prints() {
        let total: Tally = [
            Tally::of_status(true),
            Tally { passed: 40, failed: 2 },
            Tally::of_status(false),
        ]
        .into_iter()
        .sum();
        assert_eq!(total.to_string(), "41 passed, 3 failed");
    }

    #[test]
    fn a_failed_stage_counts_at_least_one_failure() {
        assert_eq!(
            Tally { passed: 3, failed: 0 }.agreeing_with(false),
            Tally { passed: 3, failed: 1 }
        );
        assert_eq!(
            Tally { passed: 3, failed: 2 }.agreeing_with(false),
            Tally { passed: 3, failed: 2 }
        );
        assert_eq!(
            Tally { passed: 3, failed: 0 }.agreeing_with(true),
            Tally { passed: 3, failed: 0 }
        );
    }
}
