//! [`ConformanceReport`]: what came of the checks, to be asserted on and to be read.

use std::fmt;
use std::time::Duration;

use super::ConformanceCheck;

/// What came of each check.
///
/// Its `Display` is a line for each check and one with the sum.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConformanceReport {
    /// The source that the connector served.
    pub source: String,
    /// In the order of [`ConformanceCheck::ALL`].
    pub results: Vec<ConformanceResult>,
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConformanceResult {
    /// The check.
    pub check: ConformanceCheck,
    /// What came of it.
    pub verdict: ConformanceVerdict,
    /// How much was done, or why it failed or was skipped.
    pub words: String,
    /// How long it took.
    pub took: Duration,
}

/// What may come of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConformanceVerdict {
    /// The connector keeps the promise.
    Passed,
    /// It does not.
    Failed,
    /// Nobody tried: a sample is missing, or the check was left out.
    Skipped,
}

impl ConformanceReport {
    /// The checks of this verdict, in order.
    pub fn checks(&self, verdict: ConformanceVerdict) -> Vec<ConformanceCheck> {
        let results = self.results.iter().filter(|result| result.verdict == verdict);
        results.map(|result| result.check).collect()
    }

    /// Whether no check failed. Skipped ones do not count: look at [`checks`](Self::checks) for them.
    pub fn is_clean(&self) -> bool {
        self.checks(ConformanceVerdict::Failed).is_empty()
    }

    /// Asserts that no check failed.
    ///
    /// # Panics
    ///
    /// With the whole report, when one did.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }
}

impl fmt::Display for ConformanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for result in &self.results {
            writeln!(f, "{result}")?;
        }
        let number = |verdict| self.checks(verdict).len();
        let took: Duration = self.results.iter().map(|result| result.took).sum();
        write!(
            f,
            "the connector of `{}`: {} passed, {} failed, {} skipped, in {:.1} s",
            self.source,
            number(ConformanceVerdict::Passed),
            number(ConformanceVerdict::Failed),
            number(ConformanceVerdict::Skipped),
            took.as_secs_f64(),
        )
    }
}

impl fmt::Display for ConformanceResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, verdict, words, took } = self;
        write!(f, "{verdict} {check}: {words}")?;
        match verdict {
            ConformanceVerdict::Skipped => Ok(()),
            _ => write!(f, " ({:.1} s)", took.as_secs_f64()),
        }
    }
}

impl fmt::Display for ConformanceVerdict {
    /// Failures are to be found at a glance.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed ",
            Self::Failed => "FAILED ",
            Self::Skipped => "skipped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: &[ConformanceVerdict]) -> ConformanceReport {
        let result = |(check, verdict): (ConformanceCheck, &ConformanceVerdict)| ConformanceResult {
            check,
            verdict: *verdict,
            words: "3 times".to_owned(),
            took: Duration::from_millis(1_250),
        };
        let results = ConformanceCheck::ALL.into_iter().zip(verdicts).map(result).collect();
        ConformanceReport { source: "a".to_owned(), results }
    }

    #[test]
    fn there_is_a_line_for_each_check_and_a_sum() {
        use ConformanceVerdict::{Failed, Passed, Skipped};
        let report = report(&[Passed, Failed, Skipped]);
        let lines = [
            "passed  opens and closes its link: 3 times (1.2 s)",
            "FAILED  understands every way a server speaks: 3 times (1.2 s)",
            "skipped answers queries one after another: 3 times",
            "the connector of `a`: 1 passed, 1 failed, 1 skipped, in 3.8 s",
        ];
        assert_eq!(report.to_string().lines().collect::<Vec<_>>(), lines);
        assert!(!report.is_clean());
        assert_eq!(report.checks(Failed), [ConformanceCheck::UnderstandsServers]);
    }

    #[test]
    fn what_was_skipped_does_not_fail() {
        report(&[ConformanceVerdict::Passed, ConformanceVerdict::Skipped]).assert_clean();
    }

    #[test]
    #[should_panic = "FAILED  opens and closes its link: 3 times"]
    fn what_failed_is_in_the_panic() {
        report(&[ConformanceVerdict::Failed]).assert_clean();
    }
}
