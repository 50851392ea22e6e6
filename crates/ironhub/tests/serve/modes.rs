//! What holds keys is its owner's only, and a directory remembers what it was made for.

use crate::stage::{Stage, mode, set_mode};

#[tokio::test]
async fn what_the_hub_makes_nobody_else_can_read() {
    let mut stage = Stage::new();
    // A ready file of an earlier run, readable by all.
    set_mode(&stage.write("ready.json.old", "{}"), 0o644);
    std::fs::rename(stage.path("ready.json.old"), stage.path("ready.json")).unwrap();
    let hub = stage.start(stage.dev(&[])).await;
    for (name, expected) in [
        ("data", 0o700),
        ("data/master.key", 0o600),
        ("data/state.sqlite", 0o600),
        ("data/meta.json", 0o600),
        ("data/log", 0o700),
        ("ca", 0o700),
        ("ca/ca.key", 0o600),
        ("ready.json", 0o600),
    ] {
        assert_eq!(
            format!("{:o}", mode(&stage.path(name))),
            format!("{expected:o}"),
            "{name}"
        );
    }
    hub.stop().await;
    assert!(
        !stage.path("ready.json").exists(),
        "the hub is gone, and so is its ready file"
    );
}

#[tokio::test]
async fn modes_that_are_too_wide_are_refused_with_the_remedy() {
    let mut stage = Stage::new();
    stage.start(stage.dev(&[])).await.stop().await;
    for (name, wide, remedy) in [
        ("data", 0o750, "chmod 700"),
        ("data/master.key", 0o640, "chmod 600"),
        ("data/state.sqlite", 0o604, "chmod 600"),
        ("ca/ca.key", 0o640, "chmod 600"),
    ] {
        let path = stage.path(name);
        let before = mode(&path);
        set_mode(&path, wide);
        let (code, said) = stage.refused(stage.dev(&[])).await;
        set_mode(&path, before);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("{remedy} {}", path.display())), "{said}");
    }
    stage.start(stage.dev(&[])).await.stop().await;
}

#[tokio::test]
async fn a_server_key_that_everyone_can_read_is_refused() {
    let mut stage = Stage::new();
    stage.certificate();
    set_mode(&stage.path("hub.key"), 0o644);
    let (code, said) = stage.refused(stage.production(&[])).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("has mode 0644"), "{said}");
    // A group may: that is how system accounts share keys.
    set_mode(&stage.path("hub.key"), 0o640);
    stage.start(stage.production(&[])).await.stop().await;
}

#[tokio::test]
async fn a_development_directory_never_becomes_production() {
    let mut stage = Stage::new();
    stage.certificate();
    stage.start(stage.dev(&[])).await.stop().await;
    let (code, said) = stage.refused(stage.production(&[])).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("belongs to a development hub, whose keys everyone knows"),
        "{said}"
    );
    let other = stage.path("other");
    let argument = format!("--data-dir={}", other.display());
    let mut command = stage
        .home
        .command(&["serve", "--listen=127.0.0.1", "--host-name=127.0.0.1", &argument]);
    command.args(["--mqtt-port=0", "--https-port=0", "--health-port=0"]);
    for (flag, name) in [
        ("certificate", "hub.pem"),
        ("key", "hub.key"),
        ("ready-file", "ready.json"),
    ] {
        command.arg(format!("--{flag}={}", stage.path(name).display()));
    }
    stage.start(command).await.stop().await;
}
