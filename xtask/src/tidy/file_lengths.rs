//! A file that cannot be read in one sitting is two files.

use super::{
    rust_text::attribute,
    tree::{Finding, SourceFile},
};

/// Most lines of a source file, without the tests at its end.
const LINES_MAX: usize = 500;

/// Most lines of a file that holds tests or benchmarks only.
const TEST_LINES_MAX: usize = 1500;

const EXTENSIONS: &[&str] = &["rs", "py", "js", "cjs", "mjs", "ts", "sh"];

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if !EXTENSIONS.iter().any(|extension| file.has_extension(extension)) {
        return Vec::new();
    }
    let limit = if is_test(&file.path) { TEST_LINES_MAX } else { LINES_MAX };
    let lines = lines_without_tests(&file.text);
    if lines <= limit {
        return Vec::new();
    }
    vec![file.finding(format!("{lines} lines without its tests; at most {limit}: split it"))]
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_directory = |directory: &str| path.split('/').any(|part| part == directory);
    name == "tests.rs" || ["tests", "benches", "conformance"].into_iter().any(in_directory)
}

/// Lines before the closing `#[cfg(test)] mod tests {`.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let opens_tests = |index: &usize| {
        let from_here = lines.iter().skip(*index);
        let mut after = from_here.clone().skip_while(|line| attribute(line).is_some());
        let is_guard = lines.get(*index).is_some_and(|line| *line == "#[cfg(test)]");
        is_guard && after.next().is_some_and(|line| line.ends_with("mod tests {"))
    };
    (0..lines.len()).find(opens_tests).unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::file;

    #[track_caller]
    fn check_lines(path: &str, text: &str, fires: bool) {
        assert_eq!(!check(&file(path, text)).is_empty(), fires, "{path}");
    }

    #[test]
    fn lengths() {
        check_lines("src/a.rs", &"x\n".repeat(500), false);
        check_lines("src/a.rs", &"x\n".repeat(501), true);
        check_lines("src/a/tests.rs", &"x\n".repeat(1500), false);
        check_lines("tests/a.rs", &"x\n".repeat(1501), true);
        check_lines("benches/a.rs", &"x\n".repeat(600), false);
        check_lines("docs/a.md", &"x\n".repeat(5000), false);
    }

    #[test]
    fn trailing_tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(400));
        check_lines("src/a.rs", &("x\n".repeat(499) + &tests), false);
        check_lines("src/a.rs", &("x\n".repeat(501) + &tests), true);
        let with_exception = tests.replacen('\n', "\n#[expect(clippy::x, reason = \"y\")]\n", 1);
        check_lines("src/a.rs", &("x\n".repeat(499) + &with_exception), false);
        let elsewhere = "#[cfg(test)]\nuse a::b;\n".to_owned() + &"x\n".repeat(500);
        check_lines("src/a.rs", &elsewhere, true);
    }
}
