//! `ironhub query`.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn rows_are_printed_as_the_query_selects_them() {
    let stage = Stage::new().await;
    for (id, site) in [("a", "north"), ("b", "south"), ("c", "north")] {
        stage.json(&["device-identity", "create", "-d", id]);
        let tags = format!(r#"{{"site": "{site}"}}"#);
        stage.json(&["device-twin", "update", "-d", id, "--tags", &tags]);
    }
    let north = "SELECT * FROM devices WHERE tags.site = 'north'";
    stage.shows("query-table", &["query", "-q", north, "-o", "table"]);
    let names = "SELECT deviceId, tags.site FROM devices WHERE tags.site != 'south'";
    stage.shows("query-json", &["query", "--query-command", names, "--top", "1"]);
    let counts =
        "SELECT tags.site AS site, COUNT() AS devices FROM devices WHERE is_defined(tags.site) GROUP BY tags.site";
    stage.shows("query-counts", &["query", "-q", counts, "-o", "table"]);
    let all = stage.json(&["query", "-q", "SELECT deviceId FROM devices"]);
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(
        stage.json(&["query", "-q", "SELECT * FROM devices WHERE deviceId = 'x'"]),
        json!([])
    );
    stage.refuses("query-syntax", 3, &["query", "-q", "SELECT * FORM devices"]);
    stage.refuses("query-missing", 2, &["query"]);
}
