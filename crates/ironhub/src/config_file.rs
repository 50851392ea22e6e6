//! The configuration file: its keys are the flags of `ironhub serve`, so that each setting is defined once.
//!
//! A flag beats a variable, a variable beats the file. The file is turned into flags before the real parse, so that
//! values are checked in one place and unknown keys cannot slip through.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigFileError {
    #[error("cannot read the configuration file {path}: {source}", path = .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration file {path} is not TOML: {reason}", path = .path.display())]
    Syntax { path: PathBuf, reason: String },
    #[error("{path}: unknown key {key:?}; expected one of: {known}", path = .path.display())]
    UnknownKey { path: PathBuf, key: String, known: String },
    #[error("{path}: {key} = {value} is not possible: expected {expected}", path = .path.display())]
    Value {
        path: PathBuf,
        key: String,
        value: String,
        expected: &'static str,
    },
}

/// The subcommand that takes a file.
const SUBCOMMAND: &str = "serve";
/// Settings that make no sense inside the file.
const NOT_IN_FILE: [&str; 3] = ["config", "help", "version"];

/// Adds the settings of the file that `--config` names to the arguments. Without a file, or with arguments that the
/// real parse will refuse anyway, gives them back as they are.
pub(crate) fn expand<C: CommandFactory>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, ConfigFileError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let Ok(matches) = C::command().try_get_matches_from(&arguments) else {
        return Ok(arguments);
    };
    let Some(given) = matches.subcommand_matches(SUBCOMMAND) else {
        return Ok(arguments);
    };
    let Some(path) = given.get_one::<PathBuf>("config") else {
        return Ok(arguments);
    };
    let text = std::fs::read_to_string(path).map_err(|source| ConfigFileError::Read {
        path: path.clone(),
        source,
    })?;
    let mut expanded = arguments.clone();
    expanded.extend(flags::<C>(path, &text, given)?);
    Ok(expanded)
}

/// The file's settings as flags, less what a flag or a variable already says.
fn flags<C: CommandFactory>(path: &Path, text: &str, given: &ArgMatches) -> Result<Vec<OsString>, ConfigFileError> {
    let table: toml::Table = toml::from_str(text).map_err(|error| ConfigFileError::Syntax {
        path: path.into(),
        reason: error.to_string().trim_end().into(),
    })?;
    let command = C::command();
    let serve = command.find_subcommand(SUBCOMMAND).unwrap_or(&command);
    let mut flags = Vec::new();
    for (key, value) in &table {
        let id = argument_id(serve, key).ok_or_else(|| ConfigFileError::UnknownKey {
            path: path.into(),
            key: key.clone(),
            known: known_keys(serve).join(", "),
        })?;
        let decided = given.value_source(id);
        if !matches!(decided, Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
            push(&mut flags, key, value).ok_or_else(|| ConfigFileError::Value {
                path: path.into(),
                key: key.clone(),
                value: value.to_string(),
                expected: "a text, a number, true, false or a list of texts",
            })?;
        }
    }
    Ok(flags)
}

fn argument_id<'a>(serve: &'a Command, key: &str) -> Option<&'a str> {
    let mut arguments = serve
        .get_arguments()
        .filter(|argument| argument.get_long() == Some(key));
    let found = arguments.next().map(|argument| argument.get_id().as_str());
    found.filter(|_| !NOT_IN_FILE.contains(&key))
}

fn known_keys(serve: &Command) -> Vec<&str> {
    let mut keys: Vec<&str> = serve
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter_map(clap::Arg::get_long)
        .filter(|key| !NOT_IN_FILE.contains(key))
        .collect();
    keys.sort_unstable();
    keys
}

/// `None` when the value has no form as a flag.
fn push(flags: &mut Vec<OsString>, key: &str, value: &toml::Value) -> Option<()> {
    match value {
        toml::Value::Boolean(false) => {}
        toml::Value::Boolean(true) => flags.push(format!("--{key}").into()),
        toml::Value::String(text) => flags.push(format!("--{key}={text}").into()),
        toml::Value::Integer(number) => flags.push(format!("--{key}={number}").into()),
        toml::Value::Array(values) => {
            for value in values {
                flags.push(format!("--{key}={}", value.as_str()?).into());
            }
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;

    use super::*;
    use crate::Cli;

    fn expand_with(file: &str, arguments: &[&str]) -> Result<Vec<String>, String> {
        let mut config = tempfile::NamedTempFile::new().unwrap();
        config.write_all(file.as_bytes()).unwrap();
        let path = config.path().display().to_string();
        let start = ["ironhub", "serve", "--config", &path];
        let given = start.iter().chain(arguments).map(OsString::from);
        match expand::<Cli>(given) {
            Ok(expanded) => Ok(expanded
                .iter()
                .skip(4)
                .map(|text| text.to_string_lossy().into_owned())
                .collect()),
            Err(error) => Err(error.to_string().replace(&path, "ironhub.toml")),
        }
    }

    #[test]
    fn keys_become_flags_unless_a_flag_says_otherwise() {
        let file = "dev = true\nhost-name = \"a\"\nmqtt-port = 0\nhost-alias = [\"b\", \"c\"]\nin-memory = false";
        assert_eq!(
            expand_with(file, &["--mqtt-port", "5"]).unwrap(),
            [
                "--mqtt-port",
                "5",
                "--dev",
                "--host-alias=b",
                "--host-alias=c",
                "--host-name=a"
            ]
        );
    }

    #[test]
    fn mistakes_are_named_with_key_and_value() {
        let error = expand_with("hostname = \"a\"", &[]).unwrap_err();
        assert!(
            error.starts_with("ironhub.toml: unknown key \"hostname\"; expected one of: "),
            "{error}"
        );
        assert!(error.contains("host-name"), "{error}");
        assert!(
            expand_with("config = \"other.toml\"", &[])
                .unwrap_err()
                .contains("unknown key")
        );
        assert_eq!(
            expand_with("mqtt-port = 1.5", &[]).unwrap_err(),
            "ironhub.toml: mqtt-port = 1.5 is not possible: expected a text, a number, true, false or a list of texts"
        );
        assert!(expand_with("a = ", &[]).unwrap_err().contains("is not TOML"));
    }

    #[test]
    fn a_bad_value_is_refused_by_the_real_parse() {
        let expanded = expand_with("mqtt-port = 70000", &[]).unwrap();
        let arguments = ["ironhub", "serve"].into_iter().map(String::from).chain(expanded);
        let error = Cli::try_parse_from(arguments).unwrap_err().to_string();
        assert!(error.contains("70000") && error.contains("--mqtt-port"), "{error}");
    }
}
