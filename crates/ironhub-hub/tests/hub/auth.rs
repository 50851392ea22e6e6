//! Tokens of devices, modules and policies.

use std::time::Duration;

use ironhub_hub::{AuthKind, HubError};
use ironhub_model::registry::{AuthenticationSpec, DeviceSpec, KeyChoice, ModuleSpec, Precondition};
use ironhub_model::{
    AuthenticationType, DeviceStatus, HubSettings, Permission, Permissions, SymmetricKey, Timestamp, sas_token,
};

use crate::harness::{HOST, NOW_S, SKEW_S, Stage, check, device_id, id, key, module_id, own_token, policy};

const LATER_S: i64 = NOW_S + 3600;

fn with_keys(primary: &SymmetricKey, secondary: &SymmetricKey) -> AuthenticationSpec {
    AuthenticationSpec {
        primary_key: Some(primary.expose().into()),
        secondary_key: Some(secondary.expose().into()),
        ..AuthenticationSpec::default()
    }
}

/// `d` (keys 1, 2) with `m` (3, 4) and `twin` that shares the keys of its device; `a%41`, `Dev:01`, and `off`, disabled.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    for (name, status) in [
        ("d", DeviceStatus::Enabled),
        ("a%41", DeviceStatus::Enabled),
        ("aA", DeviceStatus::Enabled),
        ("Dev:01", DeviceStatus::Enabled),
        ("off", DeviceStatus::Disabled),
    ] {
        let mut spec = DeviceSpec::new(device_id(name));
        spec.status = Some(status);
        spec.authentication = with_keys(&key(1), &key(2));
        stage.hub.registry.put_device(spec, Precondition::None).await.unwrap();
    }
    for (name, primary, secondary) in [("m", key(3), key(4)), ("twin", key(1), key(2))] {
        let mut spec = ModuleSpec::new(device_id("d"), module_id(name));
        spec.authentication = with_keys(&primary, &secondary);
        stage.hub.registry.put_module(spec, Precondition::None).await.unwrap();
    }
    let mut spec = DeviceSpec::new(device_id("x509"));
    spec.authentication.kind = Some(AuthenticationType::CertificateAuthority);
    stage.hub.registry.put_device(spec, Precondition::None).await.unwrap();
    stage
}

fn signed(resource: &str, number: u8) -> String {
    sas_token::sign(resource, &key(number), Timestamp::from_secs(LATER_S), None)
}

async fn connect(stage: &Stage, name: &str, token: &str) -> Result<AuthKind, HubError> {
    let token = (!token.is_empty()).then_some(token);
    let principal = stage.hub.auth.connect_device(&id(name), HOST, token, &[]).await;
    principal.map(|principal| principal.kind)
}

#[tokio::test]
async fn identities_open_themselves_with_either_key() {
    let stage = stage().await;
    for (name, token, expected) in [
        ("d", signed("hub.example.test/devices/d", 1), "Ok"),
        ("d", signed("hub.example.test/devices/d", 2), "Ok"),
        ("d", signed("HUB.Example.TEST/devices/D", 1), "Ok"),
        ("d", signed("hub.example.test:8883/devices/d", 1), "Ok"),
        ("d", signed("127.0.0.1/devices/d", 1), "Ok"),
        ("d", format!("{}&skn=", signed("hub.example.test/devices/d", 1)), "Ok"),
        (
            "d",
            signed("hub.example.test/devices/d", 3),
            "Unauthorized(WrongSignature)",
        ),
        (
            "d",
            signed("other.example.test/devices/d", 1),
            "Unauthorized(WrongHost)",
        ),
        (
            "d",
            signed("hub.example.test/devices/e", 1),
            "Unauthorized(WrongResource)",
        ),
        ("d", signed("hub.example.test", 1), "Unauthorized(WrongResource)"),
        ("Dev:01", signed("hub.example.test/devices/Dev%3A01", 1), "Ok"),
        ("d/m", signed("hub.example.test/devices/d/modules/m", 3), "Ok"),
        ("d/m", signed("hub.example.test/devices/d/modules/m", 4), "Ok"),
        (
            "d/m",
            signed("hub.example.test/devices/d/modules/m", 1),
            "Unauthorized(WrongSignature)",
        ),
        (
            "d/m",
            signed("hub.example.test/devices/d", 1),
            "Unauthorized(WrongResource)",
        ),
        // Even where keys are shared a token opens just what it names.
        (
            "d/twin",
            signed("hub.example.test/devices/d", 1),
            "Unauthorized(WrongResource)",
        ),
        (
            "d",
            signed("hub.example.test/devices/d/modules/twin", 1),
            "Unauthorized(WrongResource)",
        ),
        (
            "nobody",
            signed("hub.example.test/devices/nobody", 1),
            "Unauthorized(UnknownIdentity)",
        ),
        (
            "d/none",
            signed("hub.example.test/devices/d/modules/none", 1),
            "Unauthorized(UnknownIdentity)",
        ),
        (
            "x509",
            signed("hub.example.test/devices/x509", 1),
            "Unauthorized(WrongKind)",
        ),
        ("off", signed("hub.example.test/devices/off", 1), "DeviceDisabled(off)"),
        (
            "off",
            signed("hub.example.test/devices/off", 9),
            "Unauthorized(WrongSignature)",
        ),
        ("d", String::new(), "Unauthorized(NoCredentials)"),
        ("d", "secret".into(), "Unauthorized(MalformedToken)"),
        (
            "d",
            "SharedAccessSignature sr=%FF&sig=YQ==&se=1893456000".into(),
            "Unauthorized(MalformedToken)",
        ),
    ] {
        check(
            &format!("{name} by {token}"),
            connect(&stage, name, &token).await,
            expected,
        );
    }
}

#[tokio::test]
async fn policies_open_what_they_cover() {
    let stage = stage().await;
    for (name, policy, resource, expected) in [
        ("d", "device", "hub.example.test", "Ok"),
        ("d", "iothubowner", "hub.example.test/devices", "Ok"),
        ("d/m", "device", "hub.example.test/devices/d", "Ok"),
        ("x509", "device", "hub.example.test/devices/x509", "Ok"),
        ("d", "service", "hub.example.test", "Unauthorized(MissingPermission)"),
        (
            "d",
            "registryReadWrite",
            "hub.example.test",
            "Unauthorized(MissingPermission)",
        ),
        (
            "d",
            "device",
            "hub.example.test/devices/e",
            "Unauthorized(WrongResource)",
        ),
        (
            "d",
            "device",
            "hub.example.test/devices/D",
            "Unauthorized(WrongResource)",
        ),
        (
            "d",
            "device",
            "hub.example.test/devices/d/modules/m",
            "Unauthorized(WrongResource)",
        ),
        ("d", "device", "elsewhere.test/devices/d", "Unauthorized(WrongHost)"),
        ("Dev:01", "device", "hub.example.test/devices/Dev%3A01", "Ok"),
        // `a%41` exists, so its token is not also that of `aA`.
        ("a%41", "device", "hub.example.test/devices/a%41", "Ok"),
        (
            "aA",
            "device",
            "hub.example.test/devices/a%41",
            "Unauthorized(WrongResource)",
        ),
        ("aA", "device", "hub.example.test/devices/aA", "Ok"),
        ("nobody", "device", "hub.example.test", "DeviceNotFound(nobody)"),
        ("d/none", "device", "hub.example.test", "ModuleNotFound(d/none)"),
        ("nobody/m", "device", "hub.example.test", "DeviceNotFound(nobody)"),
        ("off", "device", "hub.example.test", "DeviceDisabled(off)"),
    ] {
        let token = stage.policy_token(policy, resource);
        let outcome = connect(&stage, name, &token).await;
        check(&format!("{name} by {policy} for {resource}"), outcome, expected);
    }
    let forged = sas_token::sign(HOST, &key(9), Timestamp::from_secs(LATER_S), Some("device"));
    check(
        "forged",
        connect(&stage, "d", &forged).await,
        "Unauthorized(WrongSignature)",
    );
    check(
        "forged",
        connect(&stage, "nobody", &forged).await,
        "Unauthorized(WrongSignature)",
    );
    let unknown = sas_token::sign(HOST, &key(9), Timestamp::from_secs(LATER_S), Some("nobody"));
    check(
        "unknown",
        connect(&stage, "d", &unknown).await,
        "Unauthorized(UnknownPolicy)",
    );
}

#[tokio::test]
async fn back_ends_need_the_right_and_the_path() {
    use Permission::{DeviceConnect, RegistryRead, RegistryWrite, ServiceConnect};
    let stage = stage().await;
    let on_devices: &[Permission] = &[RegistryRead];
    for (policy, resource, path, any_of, expected) in [
        ("registryRead", HOST, "/devices/d", on_devices, "Ok"),
        ("registryReadWrite", HOST, "/devices/d", on_devices, "Ok"),
        ("iothubowner", HOST, "/devices/d", &[RegistryWrite], "Ok"),
        (
            "registryRead",
            HOST,
            "/devices/d",
            &[RegistryWrite],
            "Unauthorized(MissingPermission)",
        ),
        ("service", HOST, "/twins/d", &[ServiceConnect], "Ok"),
        (
            "service",
            HOST,
            "/devices/d",
            on_devices,
            "Unauthorized(MissingPermission)",
        ),
        (
            "service",
            HOST,
            "/configurations",
            &[RegistryRead, ServiceConnect],
            "Ok",
        ),
        (
            "device",
            HOST,
            "/twins/d",
            &[ServiceConnect],
            "Unauthorized(MissingPermission)",
        ),
        ("device", HOST, "/devices/d/messages/events", &[DeviceConnect], "Ok"),
        ("iothubowner", HOST, "/", &[], "Unauthorized(MissingPermission)"),
        (
            "iothubowner",
            "hub.example.test/devices",
            "/devices/d",
            on_devices,
            "Ok",
        ),
        (
            "iothubowner",
            "hub.example.test/devices",
            "/twins/d",
            &[ServiceConnect],
            "Unauthorized(WrongResource)",
        ),
        (
            "iothubowner",
            "elsewhere.test",
            "/devices/d",
            on_devices,
            "Unauthorized(WrongHost)",
        ),
    ] {
        let token = stage.policy_token(policy, resource);
        let outcome = stage.hub.auth.authorize_service(Some(&token), path, any_of).await;
        check(&format!("{policy} for {resource} at {path}"), outcome, expected);
    }
    let auth = &stage.hub.auth;
    let own = own_token(&id("d"), &key(1), LATER_S);
    check(
        "no token",
        auth.authorize_service(None, "/", on_devices).await,
        "Unauthorized(NoCredentials)",
    );
    let outcome = auth.authorize_service(Some(&own), "/devices/d", on_devices).await;
    check("a device's token", outcome, "Unauthorized(UnknownPolicy)");
    let bearer = auth.authorize_service(Some("Bearer x"), "/", on_devices).await;
    check("another scheme", bearer, "Unauthorized(MalformedToken)");
}

#[tokio::test]
async fn a_token_ends_at_one_instant() {
    let stage = stage().await;
    let token = own_token(&id("d"), &key(1), NOW_S + 60);
    let end = Timestamp::from_secs(NOW_S + 60 + SKEW_S);
    let connected = stage
        .hub
        .auth
        .connect_device(&id("d"), HOST, Some(&token), &[])
        .await
        .unwrap();
    assert_eq!(connected.expires_at, Some(end));
    stage.clock.set(end);
    check("at the end", connect(&stage, "d", &token).await, "Ok");
    stage.clock.advance(Duration::from_micros(1));
    check(
        "after it",
        connect(&stage, "d", &token).await,
        "Unauthorized(ExpiredToken)",
    );
    let policy = stage.policy_token("service", HOST);
    stage.clock.set(Timestamp::from_secs(LATER_S + SKEW_S));
    let service = stage
        .hub
        .auth
        .authorize_service(Some(&policy), "/", &[Permission::ServiceConnect])
        .await
        .unwrap();
    assert_eq!(service.expires_at, Timestamp::from_secs(LATER_S + SKEW_S));
}

#[tokio::test]
async fn new_credentials_hold_at_once_and_old_ones_no_longer() {
    let stage = stage().await;
    let (old, new) = (
        own_token(&id("d"), &key(1), LATER_S),
        own_token(&id("d"), &key(7), LATER_S),
    );
    check("before", connect(&stage, "d", &old).await, "Ok");
    let mut spec = DeviceSpec::new(device_id("d"));
    spec.authentication = with_keys(&key(7), &key(8));
    stage.hub.registry.put_device(spec, Precondition::Any).await.unwrap();
    check("old", connect(&stage, "d", &old).await, "Unauthorized(WrongSignature)");
    check("new", connect(&stage, "d", &new).await, "Ok");
    stage
        .hub
        .registry
        .delete_device(&device_id("d"), Precondition::None)
        .await
        .unwrap();
    check(
        "gone",
        connect(&stage, "d", &new).await,
        "Unauthorized(UnknownIdentity)",
    );
    let module = signed("hub.example.test/devices/d/modules/m", 3);
    check(
        "gone with it",
        connect(&stage, "d/m", &module).await,
        "Unauthorized(UnknownIdentity)",
    );
}

#[tokio::test]
async fn a_module_is_disabled_with_its_device() {
    let stage = stage().await;
    let token = signed("hub.example.test/devices/d/modules/m", 3);
    check("before", connect(&stage, "d/m", &token).await, "Ok");
    let mut spec = DeviceSpec::new(device_id("d"));
    spec.status = Some(DeviceStatus::Disabled);
    spec.authentication = with_keys(&key(1), &key(2));
    stage.hub.registry.put_device(spec, Precondition::Any).await.unwrap();
    check("after", connect(&stage, "d/m", &token).await, "DeviceDisabled(d)");
}

#[tokio::test]
async fn what_was_proved_is_rechecked() {
    let stage = stage().await;
    let (auth, registry) = (&stage.hub.auth, &stage.hub.registry);
    let by_primary = stage.principal("d").await;
    let policy_token = stage.policy_token("device", HOST);
    let by_policy = auth
        .connect_device(&id("d"), HOST, Some(&policy_token), &[])
        .await
        .unwrap();
    check("fresh", auth.recheck(&by_primary).await, "Ok");

    registry
        .regenerate_keys(KeyChoice::Secondary, vec![id("d")])
        .await
        .unwrap();
    check("the other key rolled", auth.recheck(&by_primary).await, "Ok");
    registry
        .regenerate_keys(KeyChoice::Primary, vec![id("d")])
        .await
        .unwrap();
    check(
        "its key rolled",
        auth.recheck(&by_primary).await,
        "Unauthorized(Revoked)",
    );
    check("by policy", auth.recheck(&by_policy).await, "Ok");

    let mut settings = (*stage.hub.settings.current()).clone();
    settings.policies.retain(|policy| policy.name != "device");
    settings
        .policies
        .push(policy("device", Permissions::of(&[Permission::DeviceConnect]), 50));
    stage.hub.settings.replace(settings, Precondition::Any).await.unwrap();
    check("policy rolled", auth.recheck(&by_policy).await, "Unauthorized(Revoked)");

    let by_new_key = stage.principal("d").await;
    registry
        .delete_device(&device_id("d"), Precondition::None)
        .await
        .unwrap();
    check("deleted", auth.recheck(&by_new_key).await, "Unauthorized(Revoked)");
    stage.clock.advance(Duration::from_secs(1));
    stage.device("d").await;
    check(
        "another of that name",
        auth.recheck(&by_new_key).await,
        "Unauthorized(Revoked)",
    );
}

/// Who still gets in with a switch on, and whether those who were in before are let go.
async fn check_switch(turn: fn(&mut HubSettings), [own, module, policy, back_end]: [&str; 4]) {
    const REVOKED: &str = "Unauthorized(Revoked)";
    let stage = stage().await;
    let auth = &stage.hub.auth;
    let tokens = [
        ("d", signed("hub.example.test/devices/d", 1), own),
        ("d/m", signed("hub.example.test/devices/d/modules/m", 3), module),
        ("aA", stage.policy_token("device", HOST), policy),
    ];
    let mut before = Vec::new();
    for (name, token, _) in &tokens {
        let principal = auth.connect_device(&id(name), HOST, Some(token), &[]).await;
        before.push(principal.unwrap());
    }
    let mut settings = (*stage.hub.settings.current()).clone();
    turn(&mut settings);
    stage.hub.settings.replace(settings, Precondition::Any).await.unwrap();
    for ((name, token, expected), principal) in tokens.iter().zip(&before) {
        check(name, connect(&stage, name, token).await, expected);
        let recheck = if *expected == "Ok" { "Ok" } else { REVOKED };
        check(name, auth.recheck(principal).await, recheck);
    }
    let (token, any_of) = (stage.policy_token("iothubowner", HOST), &[Permission::RegistryWrite]);
    let outcome = auth.authorize_service(Some(&token), "/devices/d", any_of).await;
    check("a back end", outcome, back_end);
    let outcome = auth
        .authorize_operator(Some(&token), "/ironhub/v1/settings", any_of)
        .await;
    check("an operator", outcome, "Ok");
    let wrong = stage.policy_token("service", HOST);
    let outcome = auth
        .authorize_operator(Some(&wrong), "/ironhub/v1/settings", any_of)
        .await;
    check("no operator", outcome, "Unauthorized(MissingPermission)");
}

#[tokio::test]
async fn kinds_of_tokens_can_be_turned_off() {
    const OFF: &str = "Unauthorized(TokensDisabled)";
    check_switch(|_| (), ["Ok"; 4]).await;
    check_switch(|settings| settings.disable_device_sas = true, [OFF, "Ok", "Ok", "Ok"]).await;
    check_switch(|settings| settings.disable_module_sas = true, ["Ok", OFF, "Ok", "Ok"]).await;
    check_switch(|settings| settings.disable_local_auth = true, ["Ok", "Ok", OFF, OFF]).await;
}
