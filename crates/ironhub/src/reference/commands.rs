//! The page `docs/reference/commands.md`: every command with its flags.

use std::ffi::OsStr;
use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use crate::{Cli, exit};

/// The flags of all verbs that ask a hub: told once.
const LOGIN_HEADING: &str = "Which hub";

const HEAD: &str = "# Commands\n\n\
    <!-- Written by `cargo run -- reference commands`; change the definitions instead. -->\n\n\
    The verbs and flags are those of `az iot hub` and `az iot device`. Answers go to standard output, as JSON or with \
    `-o table` for\npeople; everything else goes to standard error. The flags and settings of `ironhub serve` are on \
    [a page of their own](settings.md).\n";

pub(super) fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let commands = leaves(&root);
    let mut page = HEAD.to_owned();
    page += &login(&commands);
    page.extend(commands.iter().map(|command| section(command)));
    page += &exit_codes();
    page
}

/// What is not a group: in the order of the help.
fn leaves(command: &Command) -> Vec<&Command> {
    let mut found = Vec::new();
    for command in command.get_subcommands() {
        let name = command.get_name();
        if command.is_hide_set() || matches!(name, "help" | "serve") {
            continue;
        }
        if command.has_subcommands() {
            found.extend(leaves(command));
        } else {
            found.push(command);
        }
    }
    found
}

fn login(commands: &[&Command]) -> String {
    let with_login = commands.iter().find(|command| command.get_arguments().any(is_login));
    let rows: String = with_login
        .iter()
        .flat_map(|command| command.get_arguments())
        .filter(|argument| is_login(argument))
        .map(row)
        .collect();
    format!("\n## Which hub\n\nEvery verb that asks a hub has these flags as well.\n\n{TABLE}{rows}")
}

const TABLE: &str = "| flag | default, variable | meaning |\n| --- | --- | --- |\n";

fn section(command: &Command) -> String {
    let mut section = String::new();
    let mut own = command
        .get_arguments()
        .filter(|argument| !is_login(argument) && !argument.is_hide_set())
        .filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
        .peekable();
    let name = command.get_bin_name().unwrap_or_default();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = write!(section, "\n## {name}\n\n{about}.\n");
    if own.peek().is_some() {
        let _ = write!(section, "\n{TABLE}");
        own.for_each(|argument| section += &row(argument));
    }
    if let Some(example) = command.get_after_help() {
        let example = example.to_string();
        let lines = example.lines().map(|line| {
            line.trim_start_matches("Examples:")
                .trim_start_matches("Example:")
                .trim()
        });
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let _ = write!(section, "\n```sh\n{}\n```\n", lines.join("\n"));
    }
    section
}

fn exit_codes() -> String {
    let mut codes = "\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n".to_owned();
    for (code, meaning) in exit::CODES {
        let _ = writeln!(codes, "| {code} | {meaning} |");
    }
    codes
}

fn is_login(argument: &Arg) -> bool {
    argument.get_help_heading() == Some(LOGIN_HEADING)
}

/// Its names, what stands behind them, what holds without it, what it does.
fn row(argument: &Arg) -> String {
    let long = argument.get_long().map(|name| format!("`--{name}`"));
    let short = argument.get_short().map(|name| format!("`-{name}`"));
    let aliases = argument.get_visible_aliases().unwrap_or_default();
    let names = long
        .into_iter()
        .chain(short)
        .chain(aliases.into_iter().map(|name| format!("`--{name}`")));
    let mut flag = names.collect::<Vec<_>>().join(" ");
    if let Some(value) = value(argument) {
        let _ = write!(flag, " {value}");
    }
    let default = match argument.get_default_values() {
        [default] if !argument.is_hide_default_value_set() => Some(default.to_string_lossy()),
        _ => None,
    };
    let variable = argument.get_env().map(OsStr::to_string_lossy);
    let words = default.into_iter().chain(variable).map(|word| format!("`{word}`"));
    let required = argument.is_required_set().then(|| "required".to_owned());
    let default = words.chain(required).collect::<Vec<_>>().join(", ");
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    format!("| {} | {default} | {} |\n", flag.trim(), help.replace('|', "\\|"))
}

/// The words it takes, or the kind of its value.
fn value(argument: &Arg) -> Option<String> {
    if !argument.get_action().takes_values() {
        return None;
    }
    let words = argument.get_possible_values();
    let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.get_name())).collect();
    if !words.is_empty() {
        return Some(words.join(", "));
    }
    let names = argument.get_value_names()?.iter().map(|name| format!("*{name}*"));
    Some(names.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/reference/commands.md");

    #[test]
    fn the_page_is_current() {
        assert!(
            page() == PAGE,
            "run: cargo run -- reference commands > docs/reference/commands.md"
        );
    }

    #[test]
    fn every_flag_has_its_help() {
        let mut root = Cli::command();
        root.build();
        for command in leaves(&root) {
            for argument in command.get_arguments() {
                let name = command.get_bin_name().unwrap();
                assert!(argument.get_help().is_some(), "{name} --{}", argument.get_id());
            }
        }
    }
}
