//! Arrows inside a crate that its manifest cannot express.

use super::{
    rust_text::{has_word, is_word_byte},
    tree::{Finding, SourceFile},
};

/// The command line's verbs speak to a hub over the network like everyone: they never reach into one.
const CLI: &str = "crates/ironhub/src/cli";
const NOT_IN_CLI: &[&str] = &[
    "ironhub_hub",
    "ironhub_server",
    "ironhub_storage_embedded",
    "ironhub_storage_jetstream",
    "ironhub_transport",
];

/// The hub writes the stored form of events with the AMQP codec and uses none of its state machines.
const HUB: &str = "crates/ironhub-hub/src/";
const AMQP: &str = "ironhub_amqp::";
const AMQP_IN_HUB: &[&str] = &["types", "message"];

pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    if file.path.starts_with(CLI) {
        return file.findings(|line| {
            let used = NOT_IN_CLI.iter().find(|name| has_word(line, name))?;
            Some(format!("the command line may not use {used}"))
        });
    }
    if file.path.starts_with(HUB) {
        return foreign_amqp(file);
    }
    Vec::new()
}

/// Looks at the whole text, since a list of imports may take several lines.
fn foreign_amqp(file: &SourceFile) -> Vec<Finding> {
    let paths = file
        .text
        .match_indices(AMQP)
        .filter_map(|(start, _)| file.text.split_at_checked(start + AMQP.len()));
    let foreign = paths.filter_map(|(before, path)| {
        let used = first_words(path).into_iter().find(|name| !AMQP_IN_HUB.contains(name))?;
        let message = format!("the hub may use ironhub_amqp::{{types, message}} only, not {used}");
        Some(Finding {
            path: file.path.clone(),
            line: Some(before.lines().count()),
            message,
        })
    });
    foreign.collect()
}

/// The modules that a path names after the crate: `a::X` or `{a::X, b::{Y, Z}}`.
fn first_words(path: &str) -> Vec<&str> {
    let Some(list) = path.strip_prefix('{') else {
        return vec![first_word(path)];
    };
    let mut depth = 0_usize;
    let mut words = Vec::new();
    for part in list.split_inclusive(['{', '}', ',']) {
        if depth == 0 && !first_word(part.trim_start()).is_empty() {
            words.push(first_word(part.trim_start()));
        }
        match part.bytes().next_back() {
            Some(b'{') => depth += 1,
            Some(b'}') if depth == 0 => break,
            Some(b'}') => depth -= 1,
            _ => {}
        }
    }
    words
}

fn first_word(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_word_byte(byte)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::tests::{file, lines};

    #[track_caller]
    fn check_text(path: &str, text: &str, expected: &[usize]) {
        assert_eq!(lines(&check(&file(path, text))), expected, "{path}: {text}");
    }

    #[test]
    fn the_command_line_stays_outside() {
        check_text(
            "crates/ironhub/src/cli/query.rs",
            "use ironhub_model::Id;\nuse ironhub_hub::Hub;\n",
            &[2],
        );
        check_text(
            "crates/ironhub/src/cli.rs",
            "use ironhub_storage_embedded::Log;\n",
            &[1],
        );
        check_text("crates/ironhub/src/main.rs", "use ironhub_server::Server;\n", &[]);
    }

    #[test]
    fn the_hub_takes_only_the_codec() {
        let path = "crates/ironhub-hub/src/event.rs";
        check_text(
            path,
            "use ironhub_amqp::types::Value;\nuse ironhub_amqp::session::Session;\n",
            &[2],
        );
        check_text(
            path,
            "use ironhub_amqp::{message::{Body, Section}, types::Value};\n",
            &[],
        );
        check_text(path, "use ironhub_amqp::{message::{Body, Section}, link};\n", &[1]);
        check_text(
            path,
            "use x;\nuse ironhub_amqp::{\n    message::{Body, Section},\n    link,\n};\n",
            &[2],
        );
        check_text(
            "crates/ironhub-transport/src/amqp.rs",
            "use ironhub_amqp::session::Session;\n",
            &[],
        );
    }
}
