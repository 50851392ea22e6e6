//! `ironhub completions` and `ironhub man`: they need no hub.

use std::collections::BTreeSet;
use std::process::Command;

use ironhub_testkit::HubHome;

use crate::stage::Ran;

/// Written from the same definitions.
const COMMANDS: &str = include_str!("../../../../docs/reference/commands.md");

fn run(arguments: &[&str]) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    Ran::of(HubHome::new(env!("CARGO_BIN_EXE_ironhub"), directory.path()).command(arguments))
}

#[test]
fn every_shell_is_told_of_the_verbs() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.code, 0, "{ran}");
        for word in ["c2d-message", "monitor-events", "consumer-group"] {
            assert!(ran.stdout.contains(word), "{shell} {word}");
        }
    }
    assert_eq!(run(&["completions", "ksh"]).code, 2);
}

#[test]
fn bash_completes() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("ironhub.bash");
    std::fs::write(&script, run(&["completions", "bash"]).stdout).unwrap();
    let asked = "source \"$0\"; COMP_WORDS=(ironhub device c2d-message re); COMP_CWORD=3; \
                 _ironhub ironhub re c2d-message; echo \"${COMPREPLY[@]}\"";
    let bash = Command::new("bash").args(["-c", asked]).arg(&script).output().unwrap();
    assert_eq!(String::from_utf8(bash.stdout).unwrap(), "receive reject\n");
}

#[test]
fn every_command_has_its_page() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    let ran = run(&["man", "--dir", pages.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran}");
    let written: BTreeSet<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let headings = COMMANDS.lines().filter_map(|line| line.strip_prefix("## ironhub "));
    for command in headings.chain(["serve"]) {
        let name = format!("ironhub-{}.1", command.replace(' ', "-"));
        assert!(written.contains(&name), "{name}");
    }
    assert!(written.contains("ironhub.1") && !written.contains("ironhub-reference.1"));

    let page = std::fs::read_to_string(pages.join("ironhub-device-c2d-message-send.1")).unwrap();
    assert_eq!(run(&["man", "device", "c2d-message", "send"]).stdout, page);
    let title = concat!(
        ".TH ironhub-device-c2d-message-send 1  \"ironhub ",
        env!("CARGO_PKG_VERSION"),
        "\" IronHub"
    );
    assert!(page.contains(title), "{page}");
    assert!(page.contains("\\fB\\-w\\fR, \\fB\\-\\-wait\\fR"), "{page}");
    assert_eq!(run(&["man", "device", "nothing"]).code, 2);
    assert_eq!(run(&["man", "--dir", "/proc/nothing"]).code, 1);
}
