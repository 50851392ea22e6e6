//! The closing lines of the test runners: found in their output and counted.

use crate::tally::Tally;

/// The lines by which nextest and cargo's own test runner close, less those of empty runs, and the failed tests that
/// nextest names after its own.
pub(crate) fn lines(output: &[String]) -> Vec<String> {
    let lines = || output.iter().map(|line| line.trim());
    // nextest shows what failed tests have printed: the closing lines of their own processes do not count.
    let found: Vec<&str> = if lines().any(is_nextest_summary) {
        let end = lines().skip_while(|line| !is_nextest_summary(line));
        end.filter(|line| is_nextest_summary(line) || is_nextest_failure(line))
            .collect()
    } else {
        let busy: Vec<&str> = lines().filter(|line| tally(line) != Tally::default()).collect();
        if busy.is_empty() {
            lines().find(|line| is_closing(line)).into_iter().collect()
        } else {
            busy
        }
    };
    found.into_iter().map(str::to_owned).collect()
}

fn is_closing(line: &str) -> bool {
    line.starts_with("test result: ") || is_nextest_summary(line)
}

/// `FAIL [   0.005s] ( 1/65) xtask::bin/xtask tidy::tests::the_repository_is_tidy`, also `TIMEOUT`, `SIGABRT`, …
fn is_nextest_failure(line: &str) -> bool {
    let status = line.split_once(" [").map(|(status, _)| status).unwrap_or_default();
    !status.is_empty() && status.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `Summary [   0.300s] 10 tests run: 8 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
fn is_nextest_summary(line: &str) -> bool {
    line.starts_with("Summary [") && line.contains(" run: ")
}

/// What one closing line counts. What is neither passed nor skipped has failed.
pub(crate) fn tally(line: &str) -> Tally {
    if !is_closing(line) {
        return Tally::default();
    }
    let Some((_, counts)) = line.split_once(" run: ").or_else(|| line.split_once(". ")) else {
        return Tally::default();
    };
    let number = |word: &str| {
        without_remark(counts)
            .split([',', ';'])
            .filter_map(|part| count(part, word))
            .sum()
    };
    Tally {
        passed: number("passed"),
        failed: ["failed", "timed out", "exec failed"].into_iter().map(number).sum(),
    }
}

/// The number of a part such as ` 8 passed`, if the part counts `word`.
fn count(part: &str, word: &str) -> Option<usize> {
    let (number, counted) = part.trim().split_once(' ')?;
    (counted == word).then(|| number.parse().ok())?
}

/// `8 passed (1 slow, 1 leaky), 1 failed` without what stands in parentheses.
fn without_remark(counts: &str) -> String {
    let mut depth = 0_usize;
    let mut keep = |character: &char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    let kept: String = counts.chars().filter(&mut keep).collect();
    kept.replace(" ,", ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, passed: usize, failed: usize) {
        assert_eq!(tally(line), Tally { passed, failed }, "{line}");
    }

    #[test]
    fn counts_of_nextest() {
        check("Summary [   0.012s] 3 tests run: 3 passed, 0 skipped", 3, 0);
        check(
            "Summary [  61.2s] 9 tests run: 6 passed (1 slow, 1 leaky), 2 failed, 1 timed out, 4 skipped",
            6,
            3,
        );
        check(
            "Summary [   0.1s] 2/9 tests run: 1 passed, 1 exec failed, 0 skipped",
            1,
            1,
        );
    }

    #[test]
    fn counts_of_cargo() {
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            12,
            0,
        );
        check(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            1,
            2,
        );
        check("running 3 tests", 0, 0);
    }

    #[test]
    fn closing_lines_of_empty_runs_are_dropped() {
        let output = [
            "running 0 tests",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured",
        ];
        assert_eq!(lines(&output.map(str::to_owned)), output[2..]);
    }

    #[test]
    fn failed_tests_are_named() {
        let output = [
            "        FAIL [   0.005s] (1/2) xtask::bin/xtask a",
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored",
            "     Summary [   0.012s] 2 tests run: 1 passed, 1 failed, 0 skipped",
            "        FAIL [   0.005s] (1/2) xtask::bin/xtask a",
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored",
            "error: test run failed",
        ];
        let found = lines(&output.map(str::to_owned));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].starts_with("FAIL"), "{found:?}");
    }

    #[test]
    fn one_line_stays_when_all_runs_are_empty() {
        let output = vec!["test result: ok. 0 passed; 0 failed; 0 ignored".to_owned(); 3];
        assert_eq!(lines(&output).len(), 1);
    }
}
