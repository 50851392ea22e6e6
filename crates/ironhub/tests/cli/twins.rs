//! `ironhub device-twin` and `ironhub module-twin`.

use serde_json::json;

use crate::stage::Stage;

const DEVICE: [&str; 2] = ["-d", "MyPythonDevice"];
const MODULE: [&str; 4] = ["-d", "MyPythonDevice", "-m", "gateway"];

fn device<'a>(verb: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [&["device-twin", verb], &DEVICE[..], further].concat()
}

#[tokio::test]
async fn a_twin_is_shown_updated_and_replaced() {
    let stage = Stage::new().await;
    stage.shows("twin-show", &device("show", &[]));
    let before = stage.json(&device("show", &[]));
    let update = [
        "--tags",
        r#"{"site": "north"}"#,
        "--desired",
        r#"{"interval": 5, "units": {"wind": "m/s"}}"#,
    ];
    stage.shows("twin-update", &device("update", &update));
    let shown = stage.json(&device("update", &["--desired", r#"{"units": null}"#]));
    assert_eq!(shown["properties"]["desired"]["interval"], 5);
    assert_eq!(shown["properties"]["desired"].get("units"), None);
    let set = ["--set", "tags.floor=2", "properties.desired.units.wind=km/h"];
    let shown = stage.json(&device("update", &set));
    assert_eq!(shown["tags"], json!({"site": "north", "floor": 2}));
    assert_eq!(shown["properties"]["desired"]["units"], json!({"wind": "km/h"}));
    stage.shows("twin-table", &device("show", &["-o", "table"]));

    let etag = before["etag"].as_str().unwrap();
    stage.refuses("twin-stale", 3, &device("update", &["--tags", "{}", "-e", etag]));
    let late = ["-j", "{\"tags\":{}}", "-e", etag];
    stage.refuses("twin-replace-stale", 3, &device("replace", &late));
    assert_eq!(stage.json(&device("show", &[])), shown, "nothing is half-done");

    let file = stage.home.path("twin.json");
    std::fs::write(
        &file,
        r#"{"tags": {"floor": 2}, "properties": {"desired": {"interval": 9}}}"#,
    )
    .unwrap();
    let etag = shown["etag"].as_str().unwrap();
    stage.shows(
        "twin-replace",
        &device("replace", &["--json", file.to_str().unwrap(), "--etag", etag]),
    );
    stage.shows("twin-list", &["device-twin", "list", "-o", "table"]);
}

#[tokio::test]
async fn a_twin_takes_what_is_one() {
    let stage = Stage::new().await;
    let before = stage.json(&device("show", &[]));
    stage.refuses("twin-nothing", 2, &device("update", &[]));
    stage.refuses(
        "twin-set-reported",
        2,
        &device("update", &["--set", "properties.reported.a=1"]),
    );
    stage.refuses("twin-no-json", 2, &device("update", &["--tags", "{site: north}"]));
    stage.refuses(
        "twin-no-file",
        2,
        &device("update", &["--tags", "@/nonexistent/tags.json"]),
    );
    let misplaced = ["-j", "{\"desired\":{\"interval\":5}}"];
    stage.refuses("twin-replace-nothing", 2, &device("replace", &misplaced));
    stage.refuses("twin-no-object", 2, &device("replace", &["-j", "[1]"]));
    stage.refuses("twin-bad-name", 3, &device("update", &["--desired", r#"{"a.b": 1}"#]));
    stage.refuses("twin-too-deep", 3, &device("update", &["--tags", &nested(12)]));
    stage.refuses("twin-unknown", 3, &["device-twin", "show", "-d", "nobody"]);
    stage.refuses(
        "twin-unknown-update",
        3,
        &["device-twin", "update", "-d", "nobody", "--tags", "{}"],
    );
    assert_eq!(stage.json(&device("show", &[])), before, "nothing is half-done");
}

fn nested(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

#[tokio::test]
async fn a_modules_twin_is_its_own() {
    let stage = Stage::new().await;
    stage.json(&[&["module-identity", "create"], &MODULE[..]].concat());
    let module = |verb, further: &[&'static str]| [&["module-twin", verb], &MODULE[..], further].concat();
    stage.shows(
        "module-twin-update",
        &module("update", &["--desired", r#"{"rate": 2}"#]),
    );
    stage.shows("module-twin-table", &module("show", &["-o", "table"]));
    let replaced = stage.json(&module("replace", &["-j", r#"{"properties": {"desired": {}}}"#]));
    assert_eq!(replaced["properties"]["desired"].get("rate"), None);
    assert_eq!(
        stage.json(&device("show", &[]))["version"],
        2,
        "the device's twin is another"
    );
    stage.refuses(
        "module-twin-unknown",
        3,
        &["module-twin", "show", "-d", "MyPythonDevice", "-m", "nobody"],
    );
}
