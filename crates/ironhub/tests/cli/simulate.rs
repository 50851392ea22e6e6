//! `ironhub device simulate`: what simulated devices send, and what they do when they are asked.

use std::process::{Child, Stdio};
use std::time::Duration;

use ironhub_client::{
    AckRequest, C2dMessage, DeviceId, FeedbackStatus, IdentityId, Match, MethodInvocation, StartFrom,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::bench::{signal, until};
use crate::stage::{Ran, Stage};

const WATCHDOG: Duration = Duration::from_mins(1);
const DEVICE: &str = "MyPythonDevice";

impl Stage {
    /// Simulates until [`ends`] says so.
    fn simulates(&self, arguments: &[&str]) -> Child {
        let forever = ["device", "simulate", "-d", DEVICE, "--msg-count", "0", "-o", "json"];
        let mut command = self.home.command(&[&forever, arguments].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    async fn calls(&self, method: &str, payload: Value) -> (i32, Value) {
        let invocation = MethodInvocation::new(method)
            .payload(payload)
            .connect_timeout(Duration::from_secs(30));
        let answer = self.service().invoke_method(DEVICE, invocation).await.unwrap();
        (answer.status, answer.payload)
    }

    async fn reports(&self, name: &str, value: Value) {
        let id = IdentityId::parse(DEVICE).unwrap();
        let reported = async || self.service().twin(&id).await.unwrap().properties.reported;
        until("reported", async || reported().await[name] == value).await;
    }

    async fn sends(&self, body: &str, ack: Option<AckRequest>) {
        let message = C2dMessage {
            message_id: Some("order-1".to_owned()),
            body: body.into(),
            ack,
            ..C2dMessage::default()
        };
        let device = DeviceId::parse(DEVICE).unwrap();
        self.service().c2d_sender().send(&device, message).await.unwrap();
        let queued = async || {
            self.service()
                .device(&device)
                .await
                .unwrap()
                .cloud_to_device_message_count
        };
        until("settled", async || queued().await == 0).await;
    }
}

/// Interrupts a simulation, which then tells its totals and what it noted.
fn ends(child: Child) -> (Value, String) {
    signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{notes}");
    (serde_json::from_slice(&output.stdout).unwrap(), notes)
}

#[tokio::test]
async fn messages_are_made_from_their_template() {
    let stage = Stage::new().await;
    let totals = stage.json(&[
        "device",
        "simulate",
        "-d",
        DEVICE,
        "--mc",
        "3",
        "--mi",
        "0",
        "--data",
        r#"{"who":"{device}","n":{n},"level":{random 2.5 2.5}}"#,
        "--props",
        "level=l{n};$.mid=m{n}",
        "--irp",
        r#"{"firmware":"1.2"}"#,
        "-o",
        "json",
    ]);
    let counts = ["devices", "messagesSent", "messagesAcknowledged", "messagesFailed"].map(|name| &totals[name]);
    assert_eq!(counts, [1, 3, 3, 0], "{totals:#}");
    let mut events = stage
        .service()
        .events()
        .start(StartFrom::Earliest)
        .connect()
        .await
        .unwrap();
    for n in 1..=3 {
        let event = timeout(WATCHDOG, events.next()).await.expect("a message").unwrap();
        let body: Value = serde_json::from_slice(&event.body).unwrap();
        assert_eq!(body, json!({ "who": DEVICE, "n": n, "level": 2.5 }));
        assert_eq!(event.properties["level"], format!("l{n}"));
        let system = &event.system_properties;
        assert_eq!(
            (&system["message-id"], &system["content-type"]),
            (&json!(format!("m{n}")), &json!("application/json"))
        );
    }
    stage.reports("firmware", json!("1.2")).await;
}

#[tokio::test]
async fn a_simulated_device_does_what_it_is_asked() {
    let stage = Stage::new().await;
    let simulation = stage.simulates(&["--msg-interval", "0.05"]);
    let echo = json!({ "methodName": "look", "methodRequestPayload": { "up": 1 } });
    assert_eq!(stage.calls("look", json!({ "up": 1 })).await, (200, echo));
    stage.sends("open", None).await;
    let id = IdentityId::parse(DEVICE).unwrap();
    let patch = json!({ "properties": { "desired": { "mode": "eco" } } });
    stage.service().update_twin(&id, &patch, &Match::Any).await.unwrap();
    stage.reports("mode", json!("eco")).await;
    let (totals, notes) = ends(simulation);
    let done = [
        "methodsAnswered",
        "c2dMessagesSettled",
        "desiredChangesReported",
        "messagesFailed",
    ];
    assert_eq!(done.map(|name| &totals[name]), [1, 1, 1, 0], "{totals:#}");
    assert_eq!(totals["messagesSent"], totals["messagesAcknowledged"], "{totals:#}");
    for note in [
        "method look {\"up\":1}: answered 200\n",
        "message from the cloud open: completed\n",
        "desired properties {\"mode\":\"eco\"}: reported\n",
    ] {
        assert!(notes.contains(note), "{note} not in {notes}");
    }
}

#[tokio::test]
async fn methods_are_answered_and_messages_settled_as_is_said() {
    let stage = Stage::new().await;
    let simulation = stage.simulates(&["--mrc", "418", "--mrp", "[\"tea\"]", "--receive-settle", "reject"]);
    assert_eq!(stage.calls("brew", json!(null)).await, (418, json!(["tea"])));
    stage.sends("open", Some(AckRequest::Full)).await;
    let mut feedback = stage.service().feedback();
    let told = timeout(WATCHDOG, feedback.next()).await.expect("feedback").unwrap();
    let statuses: Vec<_> = told.records.iter().map(|record| record.status_code).collect();
    assert_eq!(statuses, [FeedbackStatus::Rejected]);
    let (totals, notes) = ends(simulation);
    assert_eq!(totals["c2dMessagesSettled"], 1, "{totals:#}");
    assert!(notes.contains("message from the cloud open: rejected\n"), "{notes}");
}

#[tokio::test]
async fn many_devices_share_a_rate() {
    let stage = Stage::new().await;
    let many = [
        "device",
        "simulate",
        "--devices",
        "3",
        "--prefix",
        "t-",
        "--msg-count",
        "4",
        "--rate",
        "500",
    ];
    stage.refuses("simulate-unregistered", 3, &many);
    let totals = stage.json(&[&many[..], &["--create", "-o", "json"]].concat());
    let counts = ["devices", "failedDevices", "messagesAcknowledged"].map(|name| &totals[name]);
    assert_eq!(counts, [3, 0, 12], "{totals:#}");
    assert_eq!(stage.devices("t-").await.len(), 3, "they stay");
    stage.shows("simulate-many", &many);
}

#[tokio::test]
async fn a_device_that_is_removed_ends_and_says_so() {
    let stage = Stage::new().await;
    let simulation = stage.simulates(&["--msg-interval", "0.05"]);
    assert_eq!(stage.calls("look", json!(null)).await.0, 200);
    let device = DeviceId::parse(DEVICE).unwrap();
    stage.service().delete_device(&device, &Match::Any).await.unwrap();
    let output = simulation.wait_with_output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{notes}");
    assert!(
        notes.contains("error: the hub refused the connection: not authorized"),
        "{notes}"
    );
    let totals: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(totals["failedDevices"], 1, "{totals:#}");
}

#[tokio::test]
async fn a_device_proves_itself_by_a_certificate_or_a_key_that_is_given() {
    let stage = Stage::new().await;
    let directory = stage.home.path("certificates");
    std::fs::create_dir(&directory).unwrap();
    let place = directory.display().to_string();
    let create = [
        "device-identity",
        "create",
        "-d",
        "x",
        "--am",
        "x509_thumbprint",
        "--output-dir",
        &place,
    ];
    stage.json(&create);
    let file = |name: &str| directory.join(name).display().to_string();
    let once = ["device", "simulate", "--msg-count", "1", "-o", "json"];
    let (certificate, key) = (file("x-cert.pem"), file("x-key.pem"));
    let totals = stage.json(&[&once[..], &["-d", "x", "--cp", &certificate, "--kp", &key]].concat());
    assert_eq!(totals["messagesAcknowledged"], 1, "{totals:#}");

    let key =
        stage.json(&["device-identity", "show", "-d", DEVICE])["authentication"]["symmetricKey"]["secondaryKey"].take();
    let key = key.as_str().unwrap();
    let totals = stage.json(&[&once[..], &["-d", DEVICE, "--symmetric-key", key]].concat());
    assert_eq!(totals["messagesAcknowledged"], 1, "{totals:#}");
    let wrong = stage.run(&[&once[..], &["-d", "x", "--key", key]].concat());
    assert_eq!((wrong.code, wrong.stdout.as_str()), (3, ""), "{wrong}");
}

#[tokio::test]
async fn a_simulation_that_cannot_be_says_why() {
    let stage = Stage::new().await;
    let simulate = ["device", "simulate", "-d"];
    let refuses = |name: &str, code: i32, arguments: &[&str]| {
        stage.refuses(name, code, &[&simulate[..], arguments].concat());
    };
    refuses("simulate-unknown", 3, &["wind-17"]);
    refuses("simulate-bad-template", 2, &[DEVICE, "--data", "{devcie}"]);
    refuses("simulate-bad-range", 2, &[DEVICE, "--data", "{random 2 1}"]);
    refuses("simulate-bad-property", 2, &[DEVICE, "--props", "a={b}"]);
    refuses("simulate-bad-reported", 2, &[DEVICE, "--irp", "[]"]);
    stage.refuses("simulate-nobody", 2, &["device", "simulate"]);
    let key = "MDEyMzQ1Njc4OWFiY2RlZg==";
    stage.refuses(
        "simulate-many-one-key",
        2,
        &["device", "simulate", "--devices", "2", "--key", key],
    );
    let wrong_key = format!("HostName=127.0.0.1;DeviceId={DEVICE};SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==");
    let (mqtt, ca) = (stage.port("mqtt"), stage.ca_file());
    let mut command = stage
        .home
        .command(&[&simulate[..], &[DEVICE, "--mqtt-port", &mqtt, "--ca-file", &ca]].concat());
    command.env("IRONHUB_LOGIN", wrong_key);
    let ran = Ran::of(command);
    stage.compare("simulate-wrong-key", &ran);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran}");
}
