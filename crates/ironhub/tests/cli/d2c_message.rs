//! `ironhub device send-d2c-message`.

use crate::stage::{Ran, Stage};

const DEVICE: &str = "MyPythonDevice";

fn send<'a>(device: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [&["device", "send-d2c-message", "-d", device], further].concat()
}

#[tokio::test]
async fn telemetry_is_sent_in_a_devices_name() {
    let stage = Stage::new().await;
    stage.shows("d2c-send", &send(DEVICE, &[]));
    let properties = "$.mid=7;$.ct=application/json;$.ce=utf-8;alert=a b&c";
    let json = ["--data", "{\"t\": 21.5}", "--props", properties, "--mc", "2"];
    stage.shows("d2c-send-twice", &send(DEVICE, &json));
    let bytes = stage.home.path("bytes");
    std::fs::write(&bytes, [0, 0xFF]).unwrap();
    let bytes = bytes.to_str().unwrap();
    let mut from_input = stage
        .home
        .command(&send(DEVICE, &["--data", "@-", "-p", "$.ct=application/octet-stream"]));
    from_input.stdin(std::fs::File::open(bytes).unwrap());
    let ran = Ran::of(from_input);
    assert_eq!(ran.code, 0, "{ran}");
    let binary = ["--dfp", bytes, "-p", "$.ct=application/octet-stream"];
    assert_eq!(stage.run(&send(DEVICE, &binary)).code, 0);
    stage.shows(
        "d2c-events",
        &[
            "monitor-events",
            "-e",
            "0",
            "--message-count",
            "4",
            "--props",
            "sys",
            "app",
        ],
    );

    stage.refuses(
        "d2c-no-json",
        2,
        &send(DEVICE, &["--data", "{", "-p", "$.ct=application/json"]),
    );
    stage.refuses("d2c-no-text", 2, &send(DEVICE, &["--dfp", bytes]));
    stage.refuses("d2c-half-a-certificate", 2, &send(DEVICE, &["--cp", bytes]));
    stage.refuses("d2c-no-certificate", 2, &send(DEVICE, &["--cp", bytes, "--kp", bytes]));
}

#[tokio::test]
async fn a_device_proves_itself() {
    let stage = Stage::new().await;
    let keys = ["MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="];
    stage.json(&[
        "device-identity",
        "create",
        "-d",
        "keys",
        "--pk",
        keys[0],
        "--sk",
        keys[1],
    ]);
    stage.json(&["device-identity", "create", "-d", "x509", "--am", "x509_ca"]);
    assert_eq!(stage.run(&send("keys", &["--key", keys[1]])).code, 0);
    stage.refuses(
        "d2c-wrong-key",
        3,
        &send("keys", &["--key", "YWJjZGVmMDEyMzQ1Njc4OQ=="]),
    );
    stage.refuses("d2c-bad-key", 2, &send("keys", &["--key", "secret"]));
    stage.refuses("d2c-certificate-missing", 2, &send("x509", &[]));
    stage.refuses("d2c-unknown", 3, &send("nobody", &[]));
    stage.refuses("d2c-unreachable", 4, &send("keys", &["--mqtt-port", &Stage::no_port()]));

    // A device's own connection string is a login.
    let login = format!("HostName=127.0.0.1;DeviceId=keys;SharedAccessKey={}", keys[0]);
    let (mqtt, ca) = (stage.port("mqtt"), stage.ca_file());
    let login = ["-l", &login, "--mqtt-port", &mqtt, "--ca-file", &ca];
    assert_eq!(stage.run(&send("keys", &login)).code, 0);
    stage.refuses("d2c-anothers-login", 2, &send(DEVICE, &login));
}
