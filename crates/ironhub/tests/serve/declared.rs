//! Settings that the configuration declares hold, at start and at SIGHUP, whatever the API is asked.

use std::fs;

use serde_json::{Value, json};

use crate::service::Caller;
use crate::stage::{Running, Stage};

const SETTINGS: &str = "/ironhub/v1/settings";
const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

async fn settings(owner: &mut Caller) -> Value {
    owner.call(&format!("GET {SETTINGS}"), "").await.unwrap().expect(200)
}

/// The answer to settings that the API is asked to take.
async fn put(owner: &mut Caller, settings: &Value, status: u16) -> Value {
    let asked = owner.call(&format!("PUT {SETTINGS}"), settings.to_string()).await;
    asked.unwrap().expect(status)
}

#[tokio::test]
async fn what_the_file_declares_only_the_file_changes() {
    let mut stage = Stage::new();
    let file = stage.write(
        "hub.toml",
        "[[route]]\nname = \"twins\"\nsource = \"TwinChangeEvents\"\n[c2d]\nlock-duration-s = 30\n",
    );
    let file = file.to_str().unwrap().to_owned();
    let mut hub = stage
        .start(stage.dev(&["--config", &file, "--consumer-group=billing"]))
        .await;
    let mut owner = hub.owner().await;

    let first = settings(&mut owner).await;
    assert_eq!(first["c2d"]["lockDurationS"], 30);
    assert_eq!(
        first["declared"],
        json!([
            {"setting": "consumerGroups", "name": "billing", "by": "--consumer-group"},
            {"setting": "routes", "name": "twins", "by": format!("route in {file}")},
            {"setting": "c2d", "by": format!("c2d in {file}")},
        ])
    );
    refuse_changes(&mut owner, &first).await;
    let mut free = first.clone();
    free["fallbackRoute"] = json!(false);
    free["routes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "mine", "source": "DeviceLifecycleEvents"}));
    put(&mut owner, &free, 200).await;

    // SIGHUP puts another file in force and lets go of what it no longer says.
    let policy = format!("[[policy]]\nname = \"extra\"\npermissions = [\"RegistryRead\"]\nprimary-key = \"{KEY}\"\n");
    fs::write(
        &file,
        format!("{policy}[[route]]\nname = \"twins\"\nsource = \"DeviceMessages\"\n"),
    )
    .unwrap();
    hub.process.signal("HUP");
    hub.process.logged("certificates and declared settings reloaded").await;
    let second = settings(&mut owner).await;
    assert_eq!(second["routes"][0]["source"], "DeviceMessages");
    assert_eq!(second["routes"][1]["name"], "mine");
    assert_eq!(second["fallbackRoute"], false);
    assert_eq!(second["c2d"]["lockDurationS"], 30, "stays, and is free");
    let mut freed = second.clone();
    freed["c2d"]["lockDurationS"] = json!(60);
    put(&mut owner, &freed, 200).await;
    let extra = format!("HostName=127.0.0.1;SharedAccessKeyName=extra;SharedAccessKey={KEY}");
    let ca = stage.path("ca/ca.pem");
    let mut caller = hub.call_as(&extra, &ca).await;
    caller.call("GET /statistics/devices", "").await.unwrap().expect(200);

    keep_what_stood_before_a_wrong_file(&hub, &mut owner, &file).await;
    assert!(!hub.process.log().contains(KEY));
    hub.stop().await;
}

/// What is declared cannot be changed in the API, and the refusal says where it is declared.
async fn refuse_changes(owner: &mut Caller, first: &Value) {
    let changes: [(&str, Value, &str); 3] = [
        (
            "/routes/0/isEnabled",
            json!(false),
            "routes \"twins\" is declared by route in",
        ),
        ("/c2d/lockDurationS", json!(31), "c2d is declared by c2d in"),
        (
            "/consumerGroups",
            json!([]),
            "consumerGroups \"billing\" is declared by --consumer-group",
        ),
    ];
    for (pointer, value, part) in changes {
        let mut wanted = first.clone();
        *wanted.pointer_mut(pointer).unwrap() = value;
        let refusal = put(owner, &wanted, 400).await.to_string();
        assert!(
            refusal.replace("\\\\\\\"", "\"").replace("\\\"", "\"").contains(part),
            "{refusal}"
        );
    }
}

/// A file that cannot be changes nothing and is told once.
async fn keep_what_stood_before_a_wrong_file(hub: &Running, owner: &mut Caller, file: &str) {
    let before = settings(owner).await;
    for wrong in [
        "[c2d]\nlock-duration-s = 0\n",
        "colour = 1\n",
        "a =",
        "retention-age = \"soon\"\n",
    ] {
        let errors = hub.process.log().matches("not reloaded").count();
        fs::write(file, wrong).unwrap();
        hub.process.signal("HUP");
        let told = async {
            while hub.process.log().matches("not reloaded").count() == errors {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), told)
            .await
            .expect(wrong);
        assert_eq!(hub.process.log().matches("not reloaded").count(), errors + 1, "{wrong}");
        assert_eq!(settings(owner).await, before, "{wrong}");
    }
}

#[tokio::test]
async fn declared_settings_win_over_what_the_store_has() {
    let mut stage = Stage::new();
    let hub = stage.start(stage.dev(&[])).await;
    let mut owner = hub.owner().await;
    let mut changed = settings(&mut owner).await;
    changed["fallbackRoute"] = json!(false);
    changed["sasClockSkewS"] = json!(77);
    put(&mut owner, &changed, 200).await;
    hub.stop().await;

    let mut command = stage.dev(&[]);
    command.env("IRONHUB_FALLBACK_ROUTE", "true");
    let hub = stage.start(command).await;
    let settings = settings(&mut hub.owner().await).await;
    assert_eq!(settings["fallbackRoute"], true);
    assert_eq!(
        settings["sasClockSkewS"], 77,
        "nobody declares it, so a restart keeps it"
    );
    let expected = json!([{"setting": "fallbackRoute", "by": "IRONHUB_FALLBACK_ROUTE"}]);
    assert_eq!(settings["declared"], expected);
    hub.stop().await;
}

#[tokio::test]
async fn certificates_are_exchanged_without_a_restart() {
    let mut stage = Stage::new();
    stage.certificate();
    let mut hub = stage.start(stage.production(&[])).await;
    let owner = hub.ready["connection_strings"]["iothubowner"]
        .as_str()
        .unwrap()
        .to_owned();
    fs::copy(stage.path("hub.pem"), stage.path("first.pem")).unwrap();
    hub.call_as(&owner, &stage.path("first.pem")).await;

    // A key that is not the certificate's: the old pair stays.
    let before = fs::read_to_string(stage.path("hub.key")).unwrap();
    stage.write("hub.key", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    hub.process.signal("HUP");
    hub.process.logged("not reloaded").await;
    hub.call_as(&owner, &stage.path("first.pem")).await;
    stage.write("hub.key", &before);

    stage.certificate();
    hub.process.signal("HUP");
    hub.process.logged("certificates and declared settings reloaded").await;
    hub.call_as(&owner, &stage.path("hub.pem")).await;
    hub.stop().await;
}
