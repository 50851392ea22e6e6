//! `ironhub device-identity`.

use ironhub_client::{ClientCertificate, DeviceClient};
use serde_json::json;

use crate::stage::Stage;

const DEVICE: &str = "device-identity";

#[tokio::test]
async fn a_device_is_made_shown_changed_and_deleted() {
    let stage = Stage::new().await;
    stage.shows(
        "device-create",
        &[DEVICE, "create", "-d", "wind-1", "--star", "new", "--sta", "disabled"],
    );
    stage.shows("device-show", &[DEVICE, "show", "-d", "wind-1"]);
    let before = stage.json(&[DEVICE, "show", "-d", "wind-1"]);
    stage.shows(
        "device-update",
        &[
            DEVICE, "update", "-d", "wind-1", "--status", "enabled", "--ee", "-o", "table",
        ],
    );
    let after = stage.json(&[DEVICE, "show", "-d", "wind-1"]);
    assert_eq!(
        after["authentication"], before["authentication"],
        "what is not named stays"
    );
    assert_eq!(after["statusReason"], "new");

    let after_set = stage.json(&[
        DEVICE,
        "update",
        "-d",
        "wind-1",
        "--set",
        "statusReason=in use",
        "status=disabled",
    ]);
    assert_eq!(
        (&after_set["statusReason"], &after_set["status"]),
        (&json!("in use"), &json!("disabled"))
    );
    stage.refuses(
        "device-bad-set",
        2,
        &[DEVICE, "update", "-d", "wind-1", "--set", "status=gone"],
    );
    let after = stage.json(&[DEVICE, "show", "-d", "wind-1"]);
    assert_eq!(after["etag"], after_set["etag"], "nothing is half-done");

    let etag = before["etag"].as_str().unwrap();
    stage.refuses(
        "device-stale",
        3,
        &[DEVICE, "update", "-d", "wind-1", "-e", etag, "--sta", "disabled"],
    );
    stage.refuses(
        "device-delete-stale",
        3,
        &[DEVICE, "delete", "-d", "wind-1", "-e", etag],
    );
    assert_eq!(
        stage.json(&[DEVICE, "show", "-d", "wind-1"]),
        after,
        "nothing is half-done"
    );
    let etag = format!("\"{}\"", after["etag"].as_str().unwrap());
    stage.shows("device-delete", &[DEVICE, "delete", "-d", "wind-1", "-e", &etag]);
    stage.refuses("device-unknown", 3, &[DEVICE, "show", "-d", "wind-1"]);
    stage.refuses("device-delete-unknown", 3, &[DEVICE, "delete", "-d", "wind-1"]);
}

#[tokio::test]
async fn devices_are_listed() {
    let stage = Stage::new().await;
    for id in ["a", "b"] {
        stage.json(&[DEVICE, "create", "-d", id]);
    }
    stage.json(&[DEVICE, "create", "-d", "edge", "--edge-enabled", "true"]);
    stage.shows("device-list-table", &[DEVICE, "list", "-o", "table"]);
    stage.shows("device-list-edge", &[DEVICE, "list", "--ee"]);
    let count = |top| stage.json(&[DEVICE, "list", "--top", top]).as_array().unwrap().len();
    assert_eq!((count("1"), count("3"), count("-1")), (1, 3, 4));
    stage.refuses("device-list-none", 2, &[DEVICE, "list", "--top", "0"]);
}

#[tokio::test]
async fn a_device_proves_itself_as_it_is_told() {
    let stage = Stage::new().await;
    let keys = ["MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="];
    let made = stage.json(&[DEVICE, "create", "-d", "keys", "--pk", keys[0], "--sk", keys[1]]);
    assert_eq!(made["authentication"]["symmetricKey"]["primaryKey"], keys[0]);
    let string = |extra: &[&str]| {
        let show = [DEVICE, "connection-string", "show", "-d", "keys"];
        stage.json(&[&show, extra].concat())["connectionString"].clone()
    };
    let expected = |key| format!("HostName=127.0.0.1;DeviceId=keys;SharedAccessKey={key}");
    assert_eq!(string(&[]), expected(keys[0]));
    assert_eq!(string(&["--kt", "secondary"]), expected(keys[1]));
    stage.shows(
        "device-connection-string",
        &[DEVICE, "connection-string", "show", "-d", "keys", "-o", "table"],
    );

    let thumbprint = "0123456789abcdef0123456789ABCDEF01234567";
    let x509 = ["--am", "x509_thumbprint", "--ptp", thumbprint];
    stage.shows(
        "device-thumbprint",
        &[&[DEVICE, "update", "-d", "keys"], &x509[..]].concat(),
    );
    assert_eq!(string(&[]), "HostName=127.0.0.1;DeviceId=keys;x509=true");
    stage.shows(
        "device-authority",
        &[DEVICE, "create", "-d", "ca", "--auth-method", "x509_ca"],
    );

    let create =
        |name, code, extra: &[&str]| stage.refuses(name, code, &[&[DEVICE, "create", "-d", "x"], extra].concat());
    create("device-half-a-pair", 2, &["--pk", keys[0]]);
    create("device-bad-key", 2, &["--pk", "secret", "--sk", keys[1]]);
    create("device-no-thumbprint", 2, &["--am", "x509_thumbprint"]);
    create("device-bad-thumbprint", 3, &["--am", "x509_thumbprint", "--ptp", "abc"]);
    create("device-stray-thumbprint", 2, &["--ptp", thumbprint]);
    assert_eq!(stage.run(&[DEVICE, "show", "-d", "x"]).code, 3, "nothing is half-done");
    stage.refuses("device-twice", 3, &[DEVICE, "create", "-d", "keys"]);
    stage.refuses("device-bad-id", 2, &[DEVICE, "create", "-d", "no space"]);
}

#[tokio::test]
async fn a_device_gets_a_certificate_of_its_own() {
    let stage = Stage::new().await;
    let directory = stage.home.path("certificates").display().to_string();
    std::fs::create_dir(&directory).unwrap();
    let files = || std::fs::read_dir(&directory).unwrap().count();
    let create = |id: &'static str| {
        let line = [
            DEVICE,
            "create",
            "-d",
            id,
            "--am",
            "x509_thumbprint",
            "--od",
            &directory,
            "--vd",
            "2",
        ];
        line.map(str::to_owned)
    };
    let line = create("own");
    stage.shows("device-own-certificate", &line.each_ref().map(String::as_str));
    let file = |name: &str| std::path::Path::new(&directory).join(name);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(file("own-key.pem")).unwrap());
    assert_eq!((files(), mode & 0o777), (2, 0o600));

    // The device connects with it.
    let certificate = ClientCertificate::from_files(file("own-cert.pem"), file("own-key.pem")).unwrap();
    let builder = DeviceClient::builder("HostName=127.0.0.1;DeviceId=own;x509=true").unwrap();
    stage.connect(builder.certificate(certificate)).await.close().await;

    // A key is overwritten by nothing, and left behind by no failure.
    let again = stage.run(&line.each_ref().map(String::as_str));
    assert!(
        again.code == 1 && again.stderr.contains("own-cert.pem: File exists"),
        "{again}"
    );
    assert_eq!(files(), 2);
    let taken = stage.run(&create("MyPythonDevice").each_ref().map(String::as_str));
    assert_eq!((taken.code, files()), (3, 2), "{taken}");
    stage.refuses(
        "device-certificate-for-keys",
        2,
        &[DEVICE, "create", "-d", "x", "--od", &directory],
    );
    assert_eq!(files(), 2);
}

#[tokio::test]
async fn keys_are_renewed() {
    let stage = Stage::new().await;
    for id in ["a", "b"] {
        stage.json(&[DEVICE, "create", "-d", id]);
    }
    stage.json(&[DEVICE, "create", "-d", "ca", "--am", "x509_ca"]);
    let keys = |device: &serde_json::Value| {
        let keys = &device["authentication"]["symmetricKey"];
        (keys["primaryKey"].clone(), keys["secondaryKey"].clone())
    };
    let renew = |kt: &str| keys(&stage.json(&[DEVICE, "renew-key", "-d", "a", "--key-type", kt]));
    let first = keys(&stage.json(&[DEVICE, "show", "-d", "a"]));
    let second = renew("primary");
    assert!(second.0 != first.0 && second.1 == first.1);
    assert_eq!(renew("swap"), (second.1.clone(), second.0.clone()));
    let third = renew("both");
    assert!(third.0 != second.1 && third.1 != second.0);

    stage.shows(
        "device-renew-two",
        &[DEVICE, "renew-key", "-d", "a", "b", "--kt", "secondary"],
    );
    stage.shows(
        "device-renew-all",
        &[DEVICE, "renew-key", "-d", "*", "--kt", "primary", "-o", "table"],
    );
    let some = stage.run(&[DEVICE, "renew-key", "-d", "a", "nobody", "--kt", "primary"]);
    stage.compare("device-renew-some", &some);
    assert_eq!(some.code, 3);
    stage.refuses(
        "device-renew-none",
        3,
        &[DEVICE, "renew-key", "-d", "nobody", "--kt", "primary"],
    );
    stage.refuses(
        "device-renew-certificate",
        3,
        &[DEVICE, "renew-key", "-d", "ca", "--kt", "primary"],
    );
    stage.refuses(
        "device-swap-certificate",
        2,
        &[DEVICE, "renew-key", "-d", "ca", "--kt", "swap"],
    );
    stage.refuses(
        "device-renew-etag",
        2,
        &[DEVICE, "renew-key", "-d", "a", "--kt", "both", "-e", "x"],
    );
    stage.refuses(
        "device-swap-two",
        2,
        &[DEVICE, "renew-key", "-d", "a", "b", "--kt", "swap"],
    );
}
