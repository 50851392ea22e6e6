//! Whole runs with shell scripts in the roles of hub and client.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use super::*;
use crate::conformance::suites::Suites;

/// Says what the real one says, and drains. `stop` in its data directory makes it end by itself.
const HUB: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in --ready-file) ready=$2;; --fault) fault=$2;; --data-dir) data=$2;; esac
  shift
done
mkdir -p "$data"
trap 'exit 0' TERM
echo start >> "$data/starts"
printf '{"ca_file":"ca.pem","fault":"%s","ports":{"mqtt":8883,"https":443,"amqp":5671,"amqp_plain":5672}}' "$fault" > "$ready.new"
mv "$ready.new" "$ready"
while [ ! -e "$data/stop" ]; do sleep 0.02; done
exit 9
"#;

struct Fixture {
    directory: tempfile::TempDir,
    workspace: Workspace,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        fs::create_dir(root.join("conformance")).unwrap();
        fs::write(root.join("hub"), HUB).unwrap();
        fs::set_permissions(root.join("hub"), fs::Permissions::from_mode(0o755)).unwrap();
        let workspace = Workspace {
            target: root.join("target"),
            root,
        };
        Self { directory, workspace }
    }

    /// Runs a shell script as the suite.
    fn run(&self, script: &str, cases: &[&str], fault: Option<&str>) -> SuiteRun {
        let clients = Clients::prepare(&self.workspace, &[]).unwrap();
        let hub: PathBuf = self.directory.path().join("hub");
        let bench = Bench {
            workspace: &self.workspace,
            clients: &clients,
            hub: &hub,
            keep: false,
        };
        let cases: Vec<_> = cases.iter().map(|case| Pattern::exactly(case)).collect();
        bench.run(&suite(script), &cases, fault).unwrap()
    }
}

fn suite(script: &str) -> Suite {
    let timeout_s = if script.contains(HANG) { 1 } else { 60 };
    let quoted = serde_json::to_string(script).unwrap();
    let text = format!(
        "[[suite]]\nname='s'\nlanguage='python'\naddress=1\ntimeout_s={timeout_s}\ncommand=['sh','-euc',{quoted}]\n"
    );
    Suites::parse(&text)
        .and_then(|suites| suites.chosen(&[]))
        .unwrap()
        .remove(0)
}

fn names(run: &SuiteRun) -> Vec<&str> {
    run.cases.iter().map(|case| case.name.as_str()).collect()
}

#[track_caller]
fn check_problem(script: &str, expected: &str) {
    let run = Fixture::new().run(script, &[], None);
    let problem = run.problem.unwrap_or_default();
    assert!(problem.contains(expected), "{problem}");
}

const PASS: &str = r#"echo '{"case":"a","outcome":"passed"}' >> "$IRONHUB_RESULTS""#;
const FAIL: &str = r#"echo '{"case":"b","outcome":"failed","message":"no"}' >> "$IRONHUB_RESULTS""#;
const HANG: &str = "sleep 600";

#[test]
fn cases_are_collected() {
    let run = Fixture::new().run(&format!("{PASS}\n{FAIL}\nexit 1"), &[], None);
    assert_eq!(run.problem, None);
    assert_eq!(names(&run), ["a", "b"]);
}

#[test]
fn a_client_is_told_where_everything_is() {
    let script = format!(
        "test \"$SSL_CERT_FILE\" = ca.pem\ntest -f \"$IRONHUB_READY_FILE\"\ntest -d \"$IRONHUB_SCRATCH\"\n\
         test -x \"$IRONHUB_BIN\"\ntest \"$IRONHUB_CASES\" = \"$(printf 'a\\ntwin[*]')\"\n{PASS}"
    );
    let run = Fixture::new().run(&script, &["a", "twin[*]"], None);
    assert_eq!((run.problem.as_deref(), names(&run)), (None, vec!["a"]));
}

#[test]
fn a_fault_rule_reaches_the_hub() {
    let script = format!("grep -q '\"fault\":\"drop puback\"' \"$IRONHUB_READY_FILE\"\n{PASS}");
    assert_eq!(Fixture::new().run(&script, &[], Some("drop puback")).problem, None);
    assert!(Fixture::new().run(&script, &[], None).problem.is_some());
}

#[test]
fn what_spoils_a_run() {
    check_problem("true", "reported no case");
    check_problem(&format!("{PASS}\necho broken harness\nexit 2"), "broken harness");
    check_problem("echo '{\"case\":' > \"$IRONHUB_RESULTS\"", "line 1 of the results");
    let stop = r#"touch "$(dirname "$IRONHUB_READY_FILE")/data/stop""#;
    check_problem(&format!("{PASS}\n{stop}\nsleep 60"), "the hub ended by itself");
    check_problem(&format!("{PASS}\n{HANG}"), "not done after 1s");
}

#[test]
fn a_case_can_restart_the_hub() {
    let restart = |how: &str| {
        format!("echo {how} > \"$IRONHUB_RESTART\"\nwhile [ -e \"$IRONHUB_RESTART\" ]; do sleep 0.02; done")
    };
    let starts = r#"test "$(wc -l < "$(dirname "$IRONHUB_READY_FILE")/data/starts")" -eq 3"#;
    let script = format!("{}\n{}\n{starts}\n{PASS}", restart("drain"), restart("kill"));
    let run = Fixture::new().run(&script, &[], None);
    assert_eq!((run.problem.as_deref(), names(&run)), (None, vec!["a"]));
}
