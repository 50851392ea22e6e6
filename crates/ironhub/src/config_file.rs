//! The configuration file: its keys are the flags of `ironhub serve`, so that each setting is defined once.
//!
//! A flag beats a variable, a variable beats the file. The file is turned into flags before the real parse, so that
//! values are checked in one place and unknown keys cannot slip through. A table of the file becomes an inline table.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command, CommandFactory};

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigFileError {
    #[error("cannot read the configuration file {path}: {source}", path = .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is not TOML: {reason}", path = .path.display())]
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

/// Where each setting is given, by its key, for people: a flag, a variable, or the key and its file.
pub(crate) type Sources = BTreeMap<String, String>;

/// Arguments with the settings of the file, and where each setting is from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) arguments: Vec<OsString>,
    pub(crate) sources: Sources,
}

/// Adds the settings of the file that `--config` names to the arguments. Without a file, or with arguments that the
/// real parse will refuse anyway, gives them back as they are.
pub(crate) fn expand<C: CommandFactory>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Expanded, ConfigFileError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut expanded = Expanded {
        arguments: arguments.clone(),
        ..Expanded::default()
    };
    let Ok(matches) = C::command().try_get_matches_from(arguments) else {
        return Ok(expanded);
    };
    let Some(given) = matches.subcommand_matches(SUBCOMMAND) else {
        return Ok(expanded);
    };
    let command = C::command();
    let serve = command.find_subcommand(SUBCOMMAND).unwrap_or(&command);
    for argument in serve.get_arguments() {
        expanded.note(argument, given.value_source(argument.get_id().as_str()));
    }
    if let Some(path) = given.get_one::<PathBuf>("config") {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigFileError::Read {
            path: path.clone(),
            source,
        })?;
        expanded.add_file(serve, path, &text)?;
    }
    Ok(expanded)
}

impl Expanded {
    fn note(&mut self, argument: &Arg, source: Option<ValueSource>) {
        let Some(key) = argument.get_long() else { return };
        let place = match source {
            Some(ValueSource::CommandLine) => format!("--{key}"),
            Some(ValueSource::EnvVariable) => argument.get_env().unwrap_or_default().to_string_lossy().into_owned(),
            _ => return,
        };
        self.sources.insert(key.into(), place);
    }

    /// Adds the file's settings as flags, less what a flag or a variable already says.
    fn add_file(&mut self, serve: &Command, path: &Path, text: &str) -> Result<(), ConfigFileError> {
        let table: toml::Table = toml::from_str(text).map_err(|error| ConfigFileError::Syntax {
            path: path.into(),
            reason: without_source_text(text, &error),
        })?;
        for (key, value) in &table {
            let argument = argument(serve, key).ok_or_else(|| ConfigFileError::UnknownKey {
                path: path.into(),
                key: key.clone(),
                known: known_keys(serve).join(", "),
            })?;
            let flags = flags(argument, key, value).ok_or_else(|| ConfigFileError::Value {
                path: path.into(),
                key: key.clone(),
                value: brief(value),
                expected: expected_form(argument),
            })?;
            if !self.sources.contains_key(key) {
                self.arguments.extend(flags);
                self.sources.insert(key.clone(), format!("{key} in {}", path.display()));
            }
        }
        Ok(())
    }
}

/// What is wrong and where. The text itself may hold keys of policies, so it is not repeated.
fn without_source_text(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message.into();
    };
    let line = before.matches('\n').count() + 1;
    format!("line {line}: {message}")
}

fn argument<'a>(serve: &'a Command, key: &str) -> Option<&'a Arg> {
    let mut arguments = serve.get_arguments().filter(|_| !NOT_IN_FILE.contains(&key));
    arguments.find(|argument| argument.get_long() == Some(key))
}

/// Every key that a file can have.
pub(crate) fn known_keys(serve: &Command) -> Vec<&str> {
    let mut keys: Vec<&str> = serve
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter_map(Arg::get_long)
        .filter(|key| !NOT_IN_FILE.contains(key))
        .collect();
    keys.sort_unstable();
    keys
}

/// The setting as flags; `None` when the value has no form as a flag.
fn flags(argument: &Arg, key: &str, value: &toml::Value) -> Option<Vec<OsString>> {
    if !argument.get_action().takes_values() {
        let is_on = value.as_bool()?;
        return Some(is_on.then(|| format!("--{key}").into()).into_iter().collect());
    }
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    values
        .iter()
        .map(|value| Some(format!("--{key}={}", text(value)?).into()))
        .collect()
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Boolean(_) | toml::Value::Integer(_) | toml::Value::Table(_) => Some(value.to_string()),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) => None,
    }
}

/// The value of a message: tables and lists may hold keys of policies.
fn brief(value: &toml::Value) -> String {
    if value.is_array() {
        "[…]".into()
    } else if value.is_table() {
        "{…}".into()
    } else {
        value.to_string()
    }
}

fn expected_form(argument: &Arg) -> &'static str {
    let action = argument.get_action();
    if matches!(action, ArgAction::SetTrue) {
        "true or false"
    } else if matches!(action, ArgAction::Append) {
        "a text or a table, or a list of them"
    } else {
        "a text, a number, true or false, or a table"
    }
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
                .arguments
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
            "ironhub.toml: mqtt-port = 1.5 is not possible: expected a text, a number, true or false, or a table"
        );
        assert_eq!(
            expand_with("dev = \"yes\"", &[]).unwrap_err(),
            "ironhub.toml: dev = \"yes\" is not possible: expected true or false"
        );
    }

    #[test]
    fn a_file_that_is_none_is_named_with_its_line_and_without_its_keys() {
        let error = expand_with("dev = true\n[[policy]]\nprimary-key = \"c2VjcmV0\n", &[]).unwrap_err();
        assert!(error.starts_with("ironhub.toml is not TOML: line 3: "), "{error}");
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }

    #[test]
    fn tables_become_inline_tables() {
        let file = "fallback-route = false\n[[route]]\nname = \"a\"\nsource = \"TwinChangeEvents\"\n\
                    [[route]]\nname = \"b\"\nsource = \"DeviceMessages\"\n[c2d]\ndefault-ttl-s = 60\n";
        let expanded = expand_with(file, &[]).unwrap();
        let expected = [
            "--c2d={ default-ttl-s = 60 }",
            "--fallback-route=false",
            r#"--route={ name = "a", source = "TwinChangeEvents" }"#,
            r#"--route={ name = "b", source = "DeviceMessages" }"#,
        ];
        assert_eq!(expanded, expected);
    }

    #[test]
    fn each_setting_knows_where_it_is_from() {
        let mut config = tempfile::NamedTempFile::new().unwrap();
        config.write_all(b"dev = true\nmqtt-port = 0\n").unwrap();
        let path = config.path().display().to_string();
        let arguments = ["ironhub", "serve", "--config", &path, "--mqtt-port", "5"];
        let sources = expand::<Cli>(arguments.map(OsString::from)).unwrap().sources;
        assert_eq!(sources["mqtt-port"], "--mqtt-port");
        assert_eq!(sources["dev"], format!("dev in {path}"));
        assert_eq!(sources.get("https-port"), None);
    }

    #[test]
    fn a_bad_value_is_refused_by_the_real_parse() {
        let expanded = expand_with("mqtt-port = 70000", &[]).unwrap();
        let arguments = ["ironhub", "serve"].into_iter().map(String::from).chain(expanded);
        let error = Cli::try_parse_from(arguments).unwrap_err().to_string();
        assert!(error.contains("70000") && error.contains("--mqtt-port"), "{error}");
    }
}
