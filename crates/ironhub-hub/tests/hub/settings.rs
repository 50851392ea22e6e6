//! The settings document.

use ironhub_hub::HubError;
use ironhub_model::event::EventSource;
use ironhub_model::registry::Precondition;
use ironhub_model::settings::{CaCertificate, Declared, Route, SettingName};
use ironhub_model::{ConsumerGroup, Etag, HubSettings, Permissions};

use crate::harness::{Stage, check, policy};

fn route(name: &str) -> Route {
    Route {
        name: name.into(),
        source: EventSource::DeviceMessages,
        condition: true,
        is_enabled: true,
    }
}

#[tokio::test]
async fn settings_are_replaced_under_their_precondition() {
    let stage = Stage::new().await;
    let settings = &stage.hub.settings;
    let (mut document, first) = settings.get().await.unwrap();
    assert_eq!(first.as_str(), "MQ==");
    assert_eq!(*settings.current(), document);
    document.sas_clock_skew_s = 5;
    let outdated = Precondition::Match(vec![Etag::new("MA==")]);
    check(
        "stale",
        settings.replace(document.clone(), outdated).await,
        "PreconditionFailed",
    );
    let second = settings
        .replace(document.clone(), Precondition::Match(vec![first.clone()]))
        .await
        .unwrap();
    assert_eq!(second.as_str(), "Mg==");
    assert_eq!(settings.current().sas_clock_skew_s, 5);
    assert_eq!(settings.get().await.unwrap(), (document.clone(), second));
    check(
        "used up",
        settings.replace(document, Precondition::Match(vec![first])).await,
        "PreconditionFailed",
    );
}

#[tokio::test]
async fn mistakes_name_key_value_and_what_was_expected() {
    type Change = Box<dyn Fn(&mut HubSettings)>;
    let stage = Stage::new().await;
    let cases: Vec<(Change, &str)> = vec![
        (
            Box::new(|s| s.policies.push(policy("a b", Permissions::ALL, 9))),
            "policies[5].name: a b: expected",
        ),
        (
            Box::new(|s| s.policies.push(policy("service", Permissions::ALL, 9))),
            "policies[5].name: service: expected",
        ),
        (
            Box::new(|s| {
                let more = (0..12).map(|n| policy(&format!("p{n}"), Permissions::ALL, 9));
                s.policies.extend(more);
            }),
            "policies: 17 entries: expected at most 16",
        ),
        (
            Box::new(|s| s.consumer_groups = vec![ConsumerGroup::parse("$default").unwrap()]),
            "consumerGroups[0]: $default: expected",
        ),
        (
            Box::new(|s| {
                s.consumer_groups = (0..20)
                    .map(|n| ConsumerGroup::parse(&format!("g{n}")).unwrap())
                    .collect();
            }),
            "consumerGroups: 20 entries: expected at most 19",
        ),
        (
            Box::new(|s| s.routes = vec![route("a"), route("a")]),
            "routes[1].name: a: expected",
        ),
        (
            Box::new(|s| s.routes = vec![route("")]),
            "routes[0].name: : expected 1 to 64",
        ),
        (
            Box::new(|s| {
                s.ca_certificates = vec![CaCertificate {
                    name: "ca".into(),
                    pem: "no".into(),
                    is_verified: false,
                }];
            }),
            "caCertificates[0].pem: …: expected exactly one X.509 certificate",
        ),
        (
            Box::new(|s| s.c2d.default_ttl_s = 59),
            "c2d.defaultTtlS: 59: expected 60 to 172800",
        ),
        (
            Box::new(|s| s.c2d.max_delivery_count = 0),
            "c2d.maxDeliveryCount: 0: expected 1 to 100",
        ),
        (
            Box::new(|s| s.c2d.lock_duration_s = 301),
            "c2d.lockDurationS: 301: expected 5 to 300",
        ),
        (
            Box::new(|s| s.c2d.queue_messages_max = 0),
            "c2d.queueMessagesMax: 0: expected",
        ),
        (
            Box::new(|s| s.sas_clock_skew_s = 3601),
            "sasClockSkewS: 3601: expected 0 to 3600",
        ),
    ];
    let (before, etag) = stage.hub.settings.get().await.unwrap();
    for (change, expected) in cases {
        let mut changed = before.clone();
        change(&mut changed);
        let error = stage
            .hub
            .settings
            .replace(changed, Precondition::Any)
            .await
            .unwrap_err();
        let HubError::InvalidArgument(text) = &error else {
            panic!("{error:?}");
        };
        assert!(text.starts_with(expected), "{text}");
    }
    assert_eq!(
        stage.hub.settings.get().await.unwrap(),
        (before, etag),
        "nothing was changed"
    );
}

#[tokio::test]
async fn many_writers_lose_no_change() {
    let stage = Stage::new().await;
    let certificate = rcgen::generate_simple_self_signed(Vec::<String>::new())
        .unwrap()
        .cert
        .pem();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (settings, pem) = (stage.hub.settings.clone(), certificate.clone());
        writers.spawn(async move { settings.add_ca_certificate(&format!("ca{number}"), &pem, false).await });
    }
    assert!(writers.join_all().await.iter().all(Result::is_ok));
    assert_eq!(stage.hub.settings.current().ca_certificates.len(), 20);
    assert_eq!(stage.hub.settings.get().await.unwrap().0.ca_certificates.len(), 20);
}

#[tokio::test]
async fn what_the_configuration_declares_nobody_else_changes() {
    let stage = Stage::new().await;
    let settings = &stage.hub.settings;
    let (mut document, etag) = settings.get().await.unwrap();
    document.routes = vec![route("declared"), route("free")];
    let declared = vec![Declared {
        setting: SettingName::Routes("declared".into()),
        by: "route in hub.toml".into(),
    }];
    let second = settings.declare(
        document.clone(),
        declared.clone(),
        Precondition::Match(vec![etag.clone()]),
    );
    second.await.unwrap();
    assert_eq!(*settings.declared(), *declared);
    let outdated = settings.declare(document.clone(), Vec::new(), Precondition::Match(vec![etag]));
    check("outdated", outdated.await, "PreconditionFailed");

    let mut gone = document.clone();
    gone.routes.remove(0);
    let mut changed = document.clone();
    changed.routes[0].is_enabled = false;
    for refused in [gone, changed] {
        let refused = settings.replace(refused, Precondition::Any).await.unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("routes \"declared\" is declared by route in hub.toml"),
            "{refused}"
        );
    }
    assert_eq!(settings.current().routes.len(), 2);
    document.routes.remove(1);
    settings.replace(document.clone(), Precondition::Any).await.unwrap();

    // What is declared no longer stays, and is free.
    settings
        .declare(document.clone(), Vec::new(), Precondition::Any)
        .await
        .unwrap();
    assert_eq!(settings.current().routes, document.routes);
    document.routes.clear();
    settings.replace(document, Precondition::Any).await.unwrap();
}
