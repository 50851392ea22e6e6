//! `ironhub invoke-device-method` and `ironhub invoke-module-method`.

use ironhub_client::MethodResponse;
use serde_json::{Value, json};

use crate::stage::{Ran, Stage};

fn call<'a>(method: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [
        &["invoke-device-method", "-d", "MyPythonDevice", "--mn", method],
        further,
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_is_called_and_its_answer_printed() {
    let stage = Stage::new().await;
    let device = stage.connected("MyPythonDevice").await;
    let echo = |request: ironhub_client::MethodRequest| async move {
        let payload: Value = request.json().unwrap();
        MethodResponse::json(200, &json!({ "got": payload }))
    };
    device.on_method("echo", echo).await.unwrap();
    stage.shows("method", &call("echo", &["--mp", r#"{"delay": 5}"#]));
    stage.shows("method-table", &call("echo", &["-o", "table"]));
    let file = stage.home.path("payload.json");
    std::fs::write(&file, "[1, 2]").unwrap();
    let answer = stage.json(&call(
        "echo",
        &["--method-payload", file.to_str().unwrap(), "--to", "10"],
    ));
    assert_eq!(answer, json!({"payload": {"got": [1, 2]}, "status": 200}));

    let mut from_input = stage.home.command(&call("echo", &["--mp", "@-"]));
    from_input.stdin(std::fs::File::open(&file).unwrap());
    let ran = Ran::of(from_input);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), answer, "{ran}");

    let unknown = stage.run(&call("reboot", &[]));
    stage.compare("method-refused", &unknown);
    assert_eq!(unknown.code, 3);

    device.close().await;
    stage.refuses("method-offline", 3, &call("echo", &[]));
}

#[tokio::test]
async fn a_call_that_cannot_be_is_not_made() {
    let stage = Stage::new().await;
    stage.refuses(
        "method-of-nobody",
        3,
        &["invoke-device-method", "-d", "nobody", "--mn", "echo"],
    );
    let module = [
        "invoke-module-method",
        "-d",
        "MyPythonDevice",
        "-m",
        "nobody",
        "--mn",
        "echo",
    ];
    stage.refuses("method-of-no-module", 3, &module);
    stage.refuses("method-bad-payload", 2, &call("echo", &["--mp", "{delay: 5}"]));
    stage.refuses("method-bad-name", 2, &call("re boot", &[]));
    stage.refuses("method-bad-timeout", 2, &call("echo", &["--timeout", "4"]));
}
