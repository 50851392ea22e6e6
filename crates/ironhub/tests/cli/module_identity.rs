//! `ironhub module-identity`.

use crate::stage::Stage;

const MODULE: &str = "module-identity";
const DEVICE: [&str; 2] = ["-d", "MyPythonDevice"];

fn of<'a>(verb: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [&[MODULE, verb], &DEVICE[..], further].concat()
}

#[tokio::test]
async fn a_module_is_made_shown_changed_and_deleted() {
    let stage = Stage::new().await;
    stage.shows("module-create", &of("create", &["-m", "gateway"]));
    stage.shows("module-show", &of("show", &["-m", "gateway"]));
    let before = stage.json(&of("show", &["-m", "gateway"]));
    let keys = ["--pk", "MDEyMzQ1Njc4OWFiY2RlZg==", "--sk", "ZmVkY2JhOTg3NjU0MzIxMA=="];
    stage.shows(
        "module-update",
        &of("update", &[&["-m", "gateway", "-o", "table"], &keys[..]].concat()),
    );
    let after = stage.json(&of("show", &["-m", "gateway"]));
    assert_eq!(after["authentication"]["symmetricKey"]["primaryKey"], keys[1]);
    let string = stage.json(&[&[MODULE, "connection-string"], &of("show", &["-m", "gateway"])[1..]].concat());
    let expected = format!(
        "HostName=127.0.0.1;DeviceId=MyPythonDevice;ModuleId=gateway;SharedAccessKey={}",
        keys[1]
    );
    assert_eq!(string["connectionString"], expected);

    let etag = before["etag"].as_str().unwrap();
    let late = of("update", &["-m", "gateway", "-e", etag, "--am", "x509_ca"]);
    stage.refuses("module-stale", 3, &late);
    stage.refuses("module-delete-stale", 3, &of("delete", &["-m", "gateway", "-e", etag]));
    assert_eq!(
        stage.json(&of("show", &["-m", "gateway"])),
        after,
        "nothing is half-done"
    );

    stage.json(&of("create", &["-m", "camera", "--am", "x509_ca"]));
    stage.shows("module-list", &of("list", &["-o", "table"]));
    assert_eq!(stage.json(&of("list", &["--top", "1"])).as_array().unwrap().len(), 1);
    stage.shows("module-delete", &of("delete", &["-m", "gateway"]));
    stage.refuses("module-unknown", 3, &of("show", &["-m", "gateway"]));
    stage.refuses("module-twice", 3, &of("create", &["-m", "camera"]));
    stage.refuses(
        "module-of-nobody",
        3,
        &[MODULE, "create", "-d", "nobody", "-m", "gateway"],
    );
    stage.refuses("module-half-a-pair", 2, &of("create", &["-m", "x", "--sk", keys[3]]));
}

#[tokio::test]
async fn keys_of_modules_are_renewed() {
    let stage = Stage::new().await;
    for id in ["a", "b"] {
        stage.json(&of("create", &["-m", id]));
    }
    stage.json(&of("create", &["-m", "ca", "--am", "x509_ca"]));
    let keys = |module: serde_json::Value| {
        let keys = &module["authentication"]["symmetricKey"];
        (keys["primaryKey"].clone(), keys["secondaryKey"].clone())
    };
    let first = keys(stage.json(&of("show", &["-m", "a"])));
    let second = keys(stage.json(&of("renew-key", &["-m", "a", "--kt", "secondary"])));
    assert!(second.0 == first.0 && second.1 != first.1);
    let third = keys(stage.json(&of("renew-key", &["-m", "a", "--kt", "swap"])));
    assert_eq!(third, (second.1, second.0));
    stage.shows(
        "module-renew-all",
        &of("renew-key", &["-m", "*", "--kt", "both", "-o", "table"]),
    );
    let everybody = [
        "device-identity",
        "renew-key",
        "-d",
        "*",
        "--im",
        "--kt",
        "primary",
        "-o",
        "table",
    ];
    stage.shows("module-renew-with-devices", &everybody);
    stage.refuses(
        "module-renew-none",
        3,
        &of("renew-key", &["-m", "nobody", "--kt", "primary"]),
    );
}
