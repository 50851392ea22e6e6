//! `ironhub device c2d-message`.

use ironhub_client::QueuedMessage;
use ironhub_model::limits::{C2D_MESSAGE_BYTES_MAX, C2D_QUEUE_MESSAGES_MAX};
use ironhub_model::{C2dMessage, DeviceId};

use crate::stage::Stage;

const DEVICE: &str = "MyPythonDevice";

/// A verb of the group for the seeded device, with further flags.
fn c2d<'a>(verb: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [&["device", "c2d-message", verb, "-d", DEVICE], further].concat()
}

impl Stage {
    fn receive(&self) -> serde_json::Value {
        self.json(&c2d("receive", &[]))
    }

    async fn received(&self) -> Option<QueuedMessage> {
        let service = self.service();
        service
            .receive_c2d(&DeviceId::parse(DEVICE).unwrap(), None)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_message_is_sent_received_and_settled() {
    let stage = Stage::new().await;
    stage.shows(
        "c2d-send",
        &c2d(
            "send",
            &[
                "--data",
                "turn north",
                "--mid",
                "m-1",
                "--cid",
                "c-1",
                "--uid",
                "me",
                "--ct",
                "text/plain",
                "-p",
                "priority=high;by=shift 2",
                "--ack",
                "full",
            ],
        ),
    );
    let received = stage.shows("c2d-receive", &c2d("receive", &["--lt", "30"]));
    stage.shows("c2d-receive-none", &c2d("receive", &[]));
    let received: serde_json::Value = serde_json::from_str(&received.stdout).unwrap();
    let etag = received["etag"].as_str().unwrap();
    stage.shows("c2d-abandon", &c2d("abandon", &["--etag", &format!("\"{etag}\"")]));
    let etag = stage.receive()["etag"].as_str().unwrap().to_owned();
    stage.shows("c2d-complete", &c2d("complete", &["-e", &etag]));
    stage.refuses("c2d-complete-twice", 3, &c2d("complete", &["-e", &etag]));
    stage.refuses("c2d-abandon-unknown", 3, &c2d("abandon", &["-e", &etag]));
    stage.refuses("c2d-reject-bad-etag", 2, &c2d("reject", &["-e", "m-1"]));

    stage.run(&c2d("send", &["--mid", "m-2"]));
    stage.shows("c2d-receive-reject", &c2d("receive", &["--reject", "-o", "table"]));
    stage.refuses(
        "c2d-receive-twice-settled",
        2,
        &c2d("receive", &["--reject", "--complete"]),
    );
    stage.run(&c2d("send", &[]));
    stage.shows("c2d-purge", &c2d("purge", &[]));
    stage.shows("c2d-purge-table", &c2d("purge", &["-o", "table"]));
}

#[tokio::test]
async fn a_body_is_what_it_is_declared_to_be() {
    let stage = Stage::new().await;
    let file = |name: &str, content: &[u8]| {
        let path = stage.home.path(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bytes = file("bytes", &[0, 0xFF]);
    let large = file("large", &vec![b'x'; C2D_MESSAGE_BYTES_MAX + 1]);
    for (flags, expected) in [
        (&["--data", "é", "--ce", "utf-16"][..], &b"\xFF\xFE\xE9\0"[..]),
        (&["--data", "é"], "é".as_bytes()),
        (&["--data", "{\"a\": 1}", "--ct", "application/json"], b"{\"a\": 1}"),
        (&["--dfp", &bytes, "--ct", "application/octet-stream"], b"\0\xFF"),
    ] {
        let sent = stage.run(&c2d("send", flags));
        assert_eq!(sent.code, 0, "{sent}");
        let received = stage.received().await.unwrap();
        assert_eq!(received.message.body, expected, "{flags:?}");
    }
    stage.run(&c2d("purge", &[]));
    stage.run(&c2d("send", &["--data", "é", "--ce", "utf-16"]));
    assert_eq!(stage.receive()["data"], "é");
    stage.run(&c2d("purge", &[]));
    stage.run(&c2d(
        "send",
        &["--data-file-path", &bytes, "--ct", "application/octet-stream"],
    ));
    assert_eq!(stage.receive()["data"], "{{non-decodable payload}}");
    stage.run(&c2d("purge", &[]));

    let send = |name, flags: &[&str]| stage.refuses(name, 2, &c2d("send", flags));
    send("c2d-no-json", &["--data", "{a: 1}", "--ct", "application/json"]);
    send("c2d-no-text", &["--dfp", &bytes]);
    send("c2d-no-file", &["--dfp", "/nonexistent"]);
    send("c2d-two-bodies", &["--dfp", &bytes, "--data", "x"]);
    send("c2d-too-large", &["--dfp", &large, "--ct", "application/octet-stream"]);
    send("c2d-no-property", &["--props", "priority"]);
    send("c2d-expired", &["--expiry", "1000"]);
    send("c2d-wait-for-nothing", &["--wait"]);
    send("c2d-timeout-of-nothing", &["--timeout", "5"]);
    assert_eq!(stage.received().await, None, "nothing is half-done");
}

#[tokio::test]
async fn what_cannot_be_sent_is_told() {
    let stage = Stage::new().await;
    let unknown = |name, verb: &str| stage.refuses(name, 3, &["device", "c2d-message", verb, "-d", "nobody"]);
    unknown("c2d-send-unknown", "send");
    unknown("c2d-receive-unknown", "receive");
    unknown("c2d-purge-unknown", "purge");
    stage.refuses(
        "c2d-send-bad-id",
        2,
        &["device", "c2d-message", "send", "-d", "no space"],
    );
    let unreachable = Stage::no_port();
    stage.refuses("c2d-unreachable", 4, &c2d("send", &["--amqp-port", &unreachable]));
    let stranger = "HostName=127.0.0.1;SharedAccessKeyName=iothubowner;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==";
    let (amqp, ca) = (stage.port("amqp"), stage.ca_file());
    let login = ["--amqp-port", &amqp, "--ca-file", &ca, "--login"];
    stage.refuses("c2d-wrong-key", 3, &c2d("send", &[&login[..], &[stranger]].concat()));

    let mut sender = stage.service().c2d_sender();
    for _ in 0..C2D_QUEUE_MESSAGES_MAX {
        let message = C2dMessage {
            to: String::new(),
            ..C2dMessage::default()
        };
        sender.send(&DeviceId::parse(DEVICE).unwrap(), message).await.unwrap();
    }
    stage.refuses("c2d-queue-full", 3, &c2d("send", &[]));
}

#[tokio::test]
async fn who_waits_is_told_what_became_of_the_message() {
    let stage = Stage::new().await;
    stage.run(&c2d("send", &["--mid", "other", "--ack", "full"]));
    stage.run(&c2d("purge", &[]));
    let send = c2d("send", &["--mid", "m-1", "--ack", "Full", "--wait", "--to", "0"]);
    let mut waiting = stage.beside(&send);
    waiting.notes("message m-1 is in the queue");
    waiting.notes("meanwhile: ");
    stage.run(&c2d("receive", &["--complete"]));
    let waited = waiting.ended();
    stage.compare("c2d-wait", &waited);
    assert_eq!(waited.code, 0, "{waited}");

    let positive = &["--mid", "m-2", "--ack", "positive", "-w", "--timeout", "1"];
    stage.refuses("c2d-wait-in-vain", 5, &c2d("send", positive));
    let mut waiting = stage.beside(&c2d("send", &["--mid", "m-3", "--ack", "full", "-w"]));
    waiting.notes("message m-3 is in the queue");
    let stopped = waiting.stopped_by("INT");
    stage.compare("c2d-wait-stopped", &stopped);
    assert_eq!(stopped.code, 1, "{stopped}");
}
