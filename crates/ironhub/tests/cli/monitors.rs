//! `ironhub monitor-events` and `ironhub monitor-feedback`.

use std::process::Stdio;

use ironhub_client::Module;
use ironhub_model::{DeviceId, ModuleId};

use crate::stage::Stage;

const EVENTS: &str = "monitor-events";
const DEVICE: &str = "MyPythonDevice";

impl Stage {
    fn tells(&self, device: &str, data: &str, further: &[&str]) {
        let verb = ["device", "send-d2c-message", "-d", device, "--data", data];
        let sent = self.run(&[&verb, further].concat());
        assert_eq!(sent.code, 0, "{sent}");
    }
}

#[tokio::test]
async fn events_are_printed_as_they_come() {
    let stage = Stage::new().await;
    stage.register("other");
    stage.tells(DEVICE, "before", &[]);
    let monitor = [EVENTS, "-d", "My*n?evice", "--props", "ALL", "--mc", "2"];
    let mut monitor = stage.beside(&monitor);
    monitor.notes("Starting event monitor, filtering on device: My*n?evice, use ctrl-c to stop...");
    stage.tells("other", "from another device", &[]);
    stage.tells(
        DEVICE,
        "{\"t\": 21.5}",
        &["-p", "$.ct=application/json;$.ce=utf-8;alert=true"],
    );
    stage.tells(DEVICE, "text", &[]);
    let monitored = monitor.ended();
    stage.compare("events", &monitored);
    assert_eq!(monitored.code, 0, "{monitored}");

    let from_the_start = [EVENTS, "-d", DEVICE, "--et", "0"];
    let more = |further: &[&'static str]| [&from_the_start[..], further].concat();
    stage.shows("events-table", &more(&["--message-count", "3", "-o", "table"]));
    stage.shows("events-plain", &more(&["--mc", "1"]));
    stage.shows(
        "events-as-json",
        &more(&["--mc", "1", "--ct", "application/json", "-p", "anno"]),
    );
}

#[tokio::test]
async fn events_are_chosen_by_query_and_module() {
    let stage = Stage::new().await;
    stage.register("other");
    let module = Module::new(DeviceId::parse(DEVICE).unwrap(), ModuleId::parse("m1").unwrap());
    stage.service().create_module(&module).await.unwrap();
    stage.tells("other", "from another device", &[]);
    stage.tells(DEVICE, "from the device", &[]);
    stage.tells(DEVICE, "from the module", &["-m", "m1"]);
    let from_the_start = [EVENTS, "--et", "0", "-o", "table"];
    let chosen = |name, further: &[&str]| stage.shows(name, &[&from_the_start, further].concat());
    let query = "SELECT * FROM devices WHERE deviceId = 'other'";
    chosen("events-query", &["-q", query, "--mc", "1"]);
    chosen("events-module", &["-m", "m?", "--mc", "1"]);
    stage.refuses(
        "events-query-of-none",
        2,
        &[EVENTS, "-q", "SELECT * FROM devices WHERE deviceId = 'x'"],
    );
    stage.refuses("events-bad-query", 3, &[EVENTS, "-q", "SELECT * FROM"]);
}

#[tokio::test]
async fn a_monitor_ends() {
    let stage = Stage::new().await;
    stage.shows("events-silence", &[EVENTS, "--timeout", "1"]);
    stage.refuses("events-too-few", 5, &[EVENTS, "--timeout", "1", "--mc", "1"]);
    for signal in ["INT", "TERM"] {
        let mut monitor = stage.beside(&[EVENTS, "--timeout", "0"]);
        monitor.notes("Starting event monitor");
        let ran = monitor.stopped_by(signal);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran}");
    }
    // Like `| head`: whoever reads has seen enough.
    stage.tells(DEVICE, "one", &[]);
    let mut monitor = stage.home.command(&[EVENTS, "--timeout", "0", "-e", "0"]);
    let mut monitor = monitor.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(monitor.stdout.take());
    assert_eq!(monitor.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_monitor_tells_that_the_hub_is_gone() {
    let mut stage = Stage::new().await;
    let mut monitor = stage.beside(&[EVENTS, "--timeout", "0"]);
    monitor.notes("Starting event monitor");
    stage.hub.kill();
    let note = monitor.notes("the connection was lost: ");
    assert!(note.ends_with("; connecting again\n"), "{note}");
    assert_eq!(monitor.stopped_by("INT").code, 0);
}

#[tokio::test]
async fn a_monitor_that_cannot_begin_says_why() {
    let stage = Stage::new().await;
    stage.refuses("events-unknown-group", 3, &[EVENTS, "--consumer-group", "billing"]);
    stage.refuses("events-unreachable", 4, &[EVENTS, "--amqp-port", &Stage::no_port()]);
    stage.refuses(
        "events-bad-login",
        2,
        &[EVENTS, "-l", "HostName=127.0.0.1;SharedAccessKey=x"],
    );
    stage.refuses("events-bad-properties", 2, &[EVENTS, "--props", "some"]);
    stage.refuses("events-no-count", 2, &[EVENTS, "--mc", "0"]);
    let (amqp, ca) = (stage.port("amqp"), stage.ca_file());
    let key = "SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==";
    let login = format!("HostName=127.0.0.1;SharedAccessKeyName=service;{key}");
    let login = ["--amqp-port", &amqp, "--ca-file", &ca, "-l", &login];
    stage.refuses("events-wrong-key", 3, &[&[EVENTS], &login[..]].concat());
    let feedback = [&["monitor-feedback"], &login[..]].concat();
    stage.refuses("feedback-wrong-key", 3, &feedback);
    let untrusted = ["--amqp-port", &amqp, "-l", &stage.policy("service")];
    let mut command = stage.home.command(&[&[EVENTS], &untrusted[..]].concat());
    command.env("HOME", stage.home.path("elsewhere"));
    let ran = crate::stage::Ran::of(command);
    stage.compare("events-untrusted", &ran);
    assert_eq!(ran.code, 4, "{ran}");
}

#[tokio::test]
async fn feedback_is_printed() {
    let stage = Stage::new().await;
    stage.register("other");
    let send = |device: &str, message: &str| {
        let sent = stage.run(&[
            "device",
            "c2d-message",
            "send",
            "-d",
            device,
            "--mid",
            message,
            "--ack",
            "full",
        ]);
        assert_eq!(sent.code, 0, "{sent}");
    };
    send(DEVICE, "m-1");
    let mut monitor = stage.beside(&["monitor-feedback", "-d", "mypythondevice", "-w", "m-3"]);
    monitor.notes("Starting C2D feedback monitor, filtering on device: mypythondevice,");
    stage.run(&["device", "c2d-message", "receive", "-d", DEVICE, "--reject"]);
    monitor.prints("m-1");
    send("other", "m-2");
    stage.run(&["device", "c2d-message", "purge", "-d", "other"]);
    send(DEVICE, "m-3");
    stage.run(&["device", "c2d-message", "receive", "-d", DEVICE, "--complete"]);
    let monitored = monitor.ended();
    stage.compare("feedback", &monitored);
    assert_eq!(monitored.code, 0, "{monitored}");

    // Like `| head -0`: what nobody has seen comes again.
    send(DEVICE, "m-4");
    let mut blind = stage.home.command(&["monitor-feedback"]);
    let mut blind = blind.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(blind.stdout.take());
    stage.run(&["device", "c2d-message", "purge", "-d", DEVICE]);
    assert_eq!(blind.wait().unwrap().code(), Some(0));
    stage.shows("feedback-table", &["monitor-feedback", "-w", "m-4", "-o", "table"]);
    stage.shows("feedback-silence", &["monitor-feedback", "--timeout", "1"]);
    stage.refuses(
        "feedback-in-vain",
        5,
        &["monitor-feedback", "--timeout", "1", "-w", "m-5"],
    );
}
