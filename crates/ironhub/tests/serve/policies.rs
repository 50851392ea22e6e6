//! The keys of a production hub: made at its first start, told by one command and by nothing else.

use serde_json::Value;

use crate::stage::Stage;

fn show(stage: &Stage, arguments: &[&str]) -> (i32, String, String) {
    let directory = stage.path("data").display().to_string();
    let fixed = ["policy", "show", "--data-dir", &directory, "--host-name", "127.0.0.1"];
    let output = stage.run(&[&fixed, arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn generated_keys_are_shown_by_the_command_and_by_nothing_else() {
    let mut stage = Stage::new();
    stage.certificate();
    let (code, _, said) = show(&stage, &[]);
    assert!(code == 1 && said.contains("there is no hub in"), "{code}: {said}");

    let hub = stage.start(stage.production(&["--log=trace"])).await;
    let (code, shown, _) = show(&stage, &[]);
    assert_eq!(code, 0);
    let policies: Vec<Value> = serde_json::from_str(&shown).unwrap();
    let names: Vec<_> = policies
        .iter()
        .map(|policy| policy["keyName"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["iothubowner", "service", "device", "registryRead", "registryReadWrite"]
    );

    // The hub takes what the command shows.
    let owner = policies[0]["secondaryConnectionString"].as_str().unwrap();
    let mut caller = hub.call_as(owner, &stage.path("hub.pem")).await;
    caller.call("GET /statistics/devices", "").await.unwrap().expect(200);

    let (_, table, _) = show(&stage, &["-n", "service", "-o", "table"]);
    assert!(table.starts_with("service\n  Rights"), "{table}");
    let service_key = policies[1]["primaryKey"].as_str().unwrap();
    assert!(table.contains(service_key) && !table.contains("iothubowner"), "{table}");
    let (code, _, said) = show(&stage, &["-n", "nobody"]);
    assert!(
        code == 1 && said.contains("no policy \"nobody\"; the hub has iothubowner, service"),
        "{said}"
    );

    let told = stage.home.output();
    assert!(told.contains("ironhub policy show --data-dir"), "{told}");
    let logged = hub.process.log();
    for policy in &policies {
        for key in ["primaryKey", "secondaryKey"] {
            let key = policy[key].as_str().unwrap();
            assert!(!told.contains(key) && !logged.contains(key), "a key was told");
        }
    }
    hub.stop().await;
    assert_eq!(show(&stage, &[]), (0, shown, String::new()), "a hub that is stopped");
}
