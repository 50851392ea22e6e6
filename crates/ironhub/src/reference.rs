//! The pages `settings.md`, `commands.md` and `metrics.md` of `docs/reference`, written from the definitions themselves.

mod commands;
mod metrics;

use std::error::Error;
use std::fmt::Write;

use clap::{Arg, ArgAction, CommandFactory};

use crate::{Cli, exit, output};

/// What no flag's help has room for.
const TABLES: &str = include_str!("reference/tables.txt");

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Page {
    /// The settings of `ironhub serve`.
    Settings,
    /// All commands.
    Commands,
    /// All metrics.
    Metrics,
}

/// Prints the page.
pub(crate) fn run(which: Page) -> Result<(), Box<dyn Error>> {
    output::print(&match which {
        Page::Settings => page(),
        Page::Commands => commands::page(),
        Page::Metrics => metrics::page(),
    })?;
    Ok(())
}

fn page() -> String {
    let command = Cli::command();
    let serve = command.find_subcommand("serve");
    let arguments: Vec<&Arg> = serve.into_iter().flat_map(clap::Command::get_arguments).collect();
    let listed = arguments.iter().filter(|argument| !argument.is_hide_set());
    let rows: String = listed.filter_map(|argument| row(argument)).collect();
    let codes = exit::CODES.iter().fold(String::new(), |mut codes, (code, meaning)| {
        // Writing to a string cannot fail.
        let _ = writeln!(codes, "| {code} | {meaning} |");
        codes
    });
    format!(
        "# Settings\n\n\
         <!-- Written by `cargo run -- reference`; change the definitions instead. -->\n\n\
         Each setting of `ironhub serve` is a flag, a variable and a key of the TOML file that `--config` names: \
         `--mqtt-port 0`,\n`IRONHUB_MQTT_PORT=0` and `mqtt-port = 0` are the same. A flag beats a variable, a variable \
         beats the file. A setting that\ncan be given more than once is a list in the file. The hub does not start \
         with an unknown key or an impossible value;\nit names the key, the value and what it expected.\n\n\
         | key and flag | variable | default | meaning |\n| --- | --- | --- | --- |\n{rows}\n{TABLES}\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n{codes}"
    )
}

fn row(argument: &Arg) -> Option<String> {
    let key = argument.get_long().filter(|key| !matches!(*key, "help" | "version"))?;
    let variable = argument.get_env()?.to_string_lossy();
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let default = match defaults.as_slice() {
        [] => String::new(),
        values => format!("`{}`", values.join(" ")),
    };
    let list = if matches!(argument.get_action(), ArgAction::Append) {
        " (list)"
    } else {
        ""
    };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    Some(format!("| `{key}`{list} | `{variable}` | {default} | {help} |\n"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::Write;

    use clap::Parser;

    use super::*;
    use crate::{Command, config_file};

    const PAGE: &str = include_str!("../../../docs/reference/settings.md");

    #[test]
    fn the_page_is_current() {
        assert!(
            page() == PAGE,
            "run: cargo run -- reference > docs/reference/settings.md"
        );
    }

    #[test]
    fn flag_variable_and_key_are_one() {
        let command = Cli::command();
        for argument in command.find_subcommand("serve").unwrap().get_arguments() {
            let Some(key) = argument.get_long().filter(|key| *key != "help" && *key != "version") else {
                continue;
            };
            let variable = format!("IRONHUB_{}", key.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().unwrap().to_str(), Some(variable.as_str()));
            assert!(
                argument.get_help().is_some_and(|help| !help.to_string().is_empty()),
                "{key}"
            );
        }
    }

    #[test]
    fn the_example_is_a_configuration() {
        let (_, rest) = PAGE.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("factory-ca.pem"), "PEM").unwrap();
        let example = example.replace("/etc/ironhub", directory.path().to_str().unwrap());
        std::fs::File::create(at("ironhub.toml"))
            .unwrap()
            .write_all(example.as_bytes())
            .unwrap();
        let arguments = [
            "ironhub".into(),
            "serve".into(),
            "--config".into(),
            at("ironhub.toml").into_os_string(),
        ];
        let expanded = config_file::expand::<Cli>(arguments.map(OsString::from)).unwrap();
        let Command::Serve(args) = Cli::try_parse_from(expanded.arguments).unwrap().command else {
            panic!("not serve");
        };
        let declared = args.into_config(&expanded.sources).unwrap().declared;
        assert_eq!(
            (
                declared.policies.len(),
                declared.routes.len(),
                declared.ca_certificates.len()
            ),
            (2, 1, 1)
        );
        assert_eq!(declared.c2d.unwrap().feedback_ttl_s, 86_400);
        assert_eq!(
            declared.sources["route"],
            format!("route in {}", at("ironhub.toml").display())
        );
    }
}
