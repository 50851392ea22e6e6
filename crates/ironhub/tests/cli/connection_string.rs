//! `ironhub connection-string`.

use crate::stage::Stage;

#[tokio::test]
async fn policies_tell_how_back_ends_connect() {
    let stage = Stage::new().await;
    let show = |further: &[&'static str]| [&["connection-string", "show"], further].concat();
    let shown = stage.json(&show(&["--pn", "service"]));
    assert_eq!(shown["connectionString"], stage.policy("service"));
    assert_eq!(stage.json(&show(&[]))["connectionString"], stage.policy("iothubowner"));
    stage.shows("policies", &show(&["--all"]));
    stage.shows(
        "policies-table",
        &show(&["--pn", "device", "--kt", "secondary", "-o", "table"]),
    );
    stage.refuses("policy-unknown", 3, &show(&["--policy-name", "nobody"]));

    let service = stage.policy("service");
    let (https, ca) = (stage.port("https"), stage.ca_file());
    let as_service = ["-l", &service, "--https-port", &https, "--ca-file", &ca];
    stage.refuses(
        "policy-without-rights",
        3,
        &[&["connection-string", "show"], &as_service[..]].concat(),
    );
}
