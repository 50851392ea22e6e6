use ironhub_model::ConsumerGroup;
use ironhub_model::registry::Precondition;
use ironhub_model::settings::{Declared, SettingName};
use serde_json::json;

use crate::stage::Stage;

const GROUPS: &str = "/ironhub/v1/consumerGroups";

#[tokio::test]
async fn a_group_from_creation_to_removal() {
    let stage = Stage::new().await;
    let ask = async |verb: &str, name: &str| stage.owner(&format!("{verb} {GROUPS}{name}"), "").await;
    let billing = json!({"name": "Billing", "declaredBy": null});
    ask("GET", "/billing").await.refused(404, "GenericNotFound");
    assert_eq!(ask("PUT", "/Billing").await.ok(201).json(), billing);
    // Whoever makes it again, in any letter case, finds it there.
    assert_eq!(ask("PUT", "/BILLING").await.ok(200).json(), billing);
    assert_eq!(ask("GET", "/bIlLiNg").await.ok(200).json(), billing);
    let all = ask("GET", "").await.ok(200).json();
    assert_eq!(all, json!([{"name": "$Default", "declaredBy": null}, billing]));
    let events = "GET /ironhub/v1/events?follow=false&consumerGroup=billing";
    stage.owner(events, "").await.ok(200);
    let settings = stage.owner("GET /ironhub/v1/settings", "").await.ok(200).json();
    assert_eq!(settings["consumerGroups"], json!(["Billing"]));

    ask("DELETE", "/billing").await.ok(204);
    for verb in ["GET", "DELETE"] {
        ask(verb, "/Billing").await.refused(404, "GenericNotFound");
    }
    stage.owner(events, "").await.refused(404, "GenericNotFound");
}

#[tokio::test]
async fn what_cannot_be() {
    let stage = Stage::new().await;
    let ask = async |request: &str| stage.owner(&request.replace(' ', &format!(" {GROUPS}/")), "").await;
    let default = ask("PUT %24default").await.ok(200).json();
    assert_eq!(default["name"], "$Default");
    ask("DELETE $Default").await.refused(400, "ArgumentInvalid");
    ask("PUT a%20b").await.refused(400, "ArgumentInvalid");
    let too_long = "x".repeat(51);
    ask(&format!("PUT {too_long}")).await.refused(400, "ArgumentInvalid");
    // Twenty with $Default.
    for number in 1..20 {
        ask(&format!("PUT group-{number}")).await.ok(201);
    }
    ask("PUT one-too-many").await.refused(400, "ArgumentInvalid");
}

#[tokio::test]
async fn what_the_configuration_declares_stays() {
    let stage = Stage::new().await;
    let settings = &stage.hub.settings;
    let (mut document, _) = settings.get().await.unwrap();
    let group = ConsumerGroup::parse("Billing").unwrap();
    document.consumer_groups.push(group.clone());
    let declared = Declared {
        setting: SettingName::ConsumerGroups(group),
        by: "consumer-group in hub.toml".into(),
    };
    let declaring = settings.declare(document, vec![declared], Precondition::Any);
    declaring.await.unwrap();

    let shown = json!({"name": "Billing", "declaredBy": "consumer-group in hub.toml"});
    let put = stage.owner(&format!("PUT {GROUPS}/billing"), "").await;
    assert_eq!(put.ok(200).json(), shown);
    let remove = stage.owner(&format!("DELETE {GROUPS}/BILLING"), "").await;
    remove.refused(400, "ArgumentInvalid");
    assert!(
        remove.text().contains("declared by consumer-group in hub.toml"),
        "{}",
        remove.text()
    );
    let get = stage.owner(&format!("GET {GROUPS}/billing"), "").await;
    assert_eq!(get.ok(200).json(), shown);
}

#[tokio::test]
async fn many_writers_lose_no_group() {
    let stage = Stage::new().await;
    let names: Vec<String> = (0..8).map(|number| format!("group-{number}")).collect();
    let adding = names.iter().map(|name| {
        let (settings, name) = (stage.hub.settings.clone(), name.clone());
        tokio::spawn(async move { settings.add_consumer_group(&name).await })
    });
    for added in adding.collect::<Vec<_>>() {
        added.await.unwrap().unwrap();
    }
    let mut all: Vec<String> = stage
        .hub
        .settings
        .current()
        .consumer_groups
        .iter()
        .map(|group| group.as_str().into())
        .collect();
    all.sort();
    assert_eq!(all, names);
}
