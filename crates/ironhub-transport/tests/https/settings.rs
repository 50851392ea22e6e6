use serde_json::{Value, json};

use crate::stage::Stage;

const SETTINGS: &str = "/ironhub/v1/settings";

#[tokio::test]
async fn read_and_replaced() {
    let stage = Stage::new().await;
    let read = stage.owner(&format!("GET {SETTINGS}"), "").await.ok(200);
    let etag = read.header("etag").unwrap().to_owned();
    let mut settings = read.json();
    settings["consumerGroups"] = json!(["mine"]);
    let put = format!("PUT {SETTINGS}");
    let body = settings.to_string();
    let replaced = stage.owner_with(&put, &[("If-Match", &etag)], &body).await.ok(200);
    assert_eq!(replaced.json(), settings);
    assert_ne!(replaced.header("etag"), Some(etag.as_str()));
    let outdated = stage.owner_with(&put, &[("If-Match", &etag)], &body).await;
    outdated.refused(412, "PreconditionFailed");
    let group = "GET /ironhub/v1/events?consumerGroup=MINE&follow=false";
    stage.owner(group, "").await.ok(200);
    for (member, value) in [("colour", json!(1)), ("sasClockSkewS", json!("x"))] {
        let mut wrong = settings.clone();
        wrong[member] = value;
        let refused = stage.owner(&put, &wrong.to_string()).await;
        refused.refused(400, "ArgumentInvalid");
        assert!(
            refused.text().contains(member) || member == "sasClockSkewS",
            "{}",
            refused.text()
        );
    }
    stage.owner(&put, "{").await.refused(400, "IotHubFormatError");
}

#[tokio::test]
async fn keys_are_shown_to_none_but_the_owner() {
    let stage = Stage::new().await;
    let request = format!("GET {SETTINGS}");
    for policy in ["service", "registryRead", "registryReadWrite"] {
        let settings = stage.policy((policy, &request), &[], "").await.ok(200).json();
        let policies = settings["policies"].as_array().unwrap();
        assert_eq!(policies.len(), 5);
        assert!(
            policies.iter().all(|policy| policy["primaryKey"] == Value::Null),
            "{policy}"
        );
        assert!(
            policies.iter().all(|policy| policy["secondaryKey"] == Value::Null),
            "{policy}"
        );
    }
    let settings = stage.owner(&request, "").await.json();
    assert!(settings["policies"][0]["primaryKey"].is_string());
}

#[tokio::test]
async fn who_turns_policies_off_can_turn_them_on_again() {
    let stage = Stage::new().await;
    let (get, put) = (format!("GET {SETTINGS}"), format!("PUT {SETTINGS}"));
    let mut settings = stage.owner(&get, "").await.ok(200).json();
    settings["disableLocalAuth"] = json!(true);
    stage.owner(&put, &settings.to_string()).await.ok(200);
    stage
        .owner("GET /devices", "")
        .await
        .refused(401, "IotHubUnauthorizedAccess");
    let mut settings = stage.owner(&get, "").await.ok(200).json();
    assert_eq!(settings["disableLocalAuth"], true);
    settings["disableLocalAuth"] = json!(false);
    stage.owner(&put, &settings.to_string()).await.ok(200);
    stage.owner("GET /devices", "").await.ok(200);
}

#[tokio::test]
async fn an_authority_is_added_proved_and_removed() {
    let stage = Stage::new().await;
    let root_key = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    root.distinguished_name.push(rcgen::DnType::CommonName, "root");
    // The stage's clock stands at the beginning of 2026.
    root.not_before = rcgen::date_time_ymd(2020, 1, 1);
    root.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let body = json!({"name": "root", "pem": root_pem}).to_string();
    stage.owner("POST /ironhub/v1/certificates", &body).await.ok(204);

    let request = "POST /ironhub/v1/certificates/root/verification-code";
    let code = stage.owner(request, "").await.ok(200).json();
    let code = code["verificationCode"].as_str().unwrap();
    let verify = "POST /ironhub/v1/certificates/root/verify";
    for (name, status) in [("wrong", 400), (code, 204)] {
        let proof_key = rcgen::KeyPair::generate().unwrap();
        let mut proof = rcgen::CertificateParams::new(Vec::new()).unwrap();
        proof.distinguished_name.push(rcgen::DnType::CommonName, name);
        proof.not_before = rcgen::date_time_ymd(2020, 1, 1);
        proof.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let issuer = rcgen::Issuer::from_params(&root, &root_key);
        let proof = proof.signed_by(&proof_key, &issuer).unwrap();
        let body = json!({"pem": proof.pem()}).to_string();
        stage.owner(verify, &body).await.ok(status);
    }
    let settings = stage.owner(&format!("GET {SETTINGS}"), "").await.json();
    assert_eq!(settings["caCertificates"][0]["isVerified"], true);

    let remove = "DELETE /ironhub/v1/certificates/root";
    stage.owner(remove, "").await.ok(204);
    stage.owner(remove, "").await.refused(400, "ArgumentInvalid");
    let settings = stage.owner(&format!("GET {SETTINGS}"), "").await.json();
    assert_eq!(settings["caCertificates"], json!([]));
}

#[tokio::test]
async fn the_description_is_for_everyone() {
    let stage = Stage::new().await;
    let answer = stage.ask("GET /ironhub/v1/openapi.yaml", &[], "").await.ok(200);
    assert!(answer.text().starts_with("openapi: 3.1.0\n"));
    for path in [
        "/events:",
        "/settings:",
        "/certificates:",
        "/certificates/{name}/verify:",
        "/consumerGroups:",
        "/consumerGroups/{name}:",
    ] {
        assert!(answer.text().contains(path), "{path}");
    }
}
