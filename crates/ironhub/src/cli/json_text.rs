//! JSON on the command line: the text itself, the name of a file that holds it, or standard input.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::failure::Failure;

/// The value of a flag: JSON, a file's name, `@` and a file's name, or `@-` for standard input.
pub(super) fn parse(flag: &str, given: &str) -> Result<Value, Failure> {
    let (text, place) = match given.strip_prefix('@') {
        Some("-") => (read_input(flag)?, " on standard input".to_owned()),
        Some(path) => (read(flag, path)?, format!(" in {path}")),
        // A name that looks like JSON is rare enough: what is a file is read.
        None if Path::new(given).is_file() => (read(flag, given)?, format!(" in {given}")),
        None => (given.to_owned(), String::new()),
    };
    serde_json::from_str(&text).map_err(|error| {
        let failure = Failure::usage(format!("{flag}{place} is not JSON: {error}"));
        if place.is_empty() {
            failure.with_hint(
                "give JSON in single quotes, such as '{\"interval\": 5}', or the name of a file that is there",
            )
        } else {
            failure
        }
    })
}

/// The same for what has to be an object.
pub(super) fn parse_object(flag: &str, given: &str) -> Result<Value, Failure> {
    let value = parse(flag, given)?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Failure::usage(format!(
        "{flag} is JSON and no object, such as {{\"interval\": 5}}"
    )))
}

fn read_input(flag: &str) -> Result<String, Failure> {
    io::read_to_string(io::stdin())
        .map_err(|error| Failure::usage(format!("{flag}: cannot read standard input: {error}")))
}

fn read(flag: &str, path: &str) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::usage(format!("{flag}: cannot read {path}: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        fs::write(&path, "{\"a\": 1}").unwrap();
        let path = path.to_str().unwrap();
        for given in ["{\"a\": 1}", path, &format!("@{path}")] {
            assert_eq!(parse_object("--tags", given).unwrap(), json!({"a": 1}), "{given}");
        }
        assert_eq!(parse("--mp", "5").unwrap(), json!(5));
    }

    #[track_caller]
    fn check(given: &str, message: &str) {
        let failure = parse_object("--tags", given).unwrap_err();
        assert!(failure.to_string().starts_with(message), "{failure}");
        assert_eq!(failure.code(), 2);
    }

    #[test]
    fn mistakes_name_the_flag_and_the_place() {
        check("{a}", "--tags is not JSON: key must be a string at line 1 column 2");
        check("", "--tags is not JSON: EOF");
        check("[1]", "--tags is JSON and no object");
        check(
            "@/nonexistent.json",
            "--tags: cannot read /nonexistent.json: No such file",
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bad.json");
        fs::write(&path, "{").unwrap();
        let path = path.to_str().unwrap();
        check(path, &format!("--tags in {path} is not JSON: EOF"));
    }
}
