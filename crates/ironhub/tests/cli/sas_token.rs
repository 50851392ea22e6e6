//! `ironhub generate-sas-token`.

use ironhub_client::Module;
use ironhub_model::{ConnectionString, DeviceId, ModuleId, SasToken, SymmetricKey};

use crate::stage::Stage;

const SAS: &str = "generate-sas-token";

#[tokio::test]
async fn a_token_is_for_what_was_named_and_signed_with_its_key() {
    let stage = Stage::new().await;
    let keys = ["MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="];
    stage.json(&["device-identity", "create", "-d", "d", "--pk", keys[0], "--sk", keys[1]]);
    let module = Module::new(DeviceId::parse("d").unwrap(), ModuleId::parse("m").unwrap());
    let module = stage.service().create_module(&module).await.unwrap();
    let module_key = module.authentication.primary_key().unwrap().expose().to_owned();
    let policy_key = |name| {
        let policy = ConnectionString::parse(&stage.policy(name)).unwrap();
        policy.key.unwrap().expose().to_owned()
    };
    let check = |flags: &[&str], resource: &str, policy: Option<&str>, key: &str| {
        let answer = stage.json(&[&[SAS], flags].concat());
        let token = SasToken::parse(answer["sas"].as_str().unwrap()).unwrap();
        assert_eq!((token.resource(), token.policy()), (resource, policy), "{flags:?}");
        assert!(token.is_signed_with(&SymmetricKey::parse(key).unwrap()), "{flags:?}");
    };
    check(&[], "127.0.0.1", Some("iothubowner"), &policy_key("iothubowner"));
    check(
        &["--pn", "service"],
        "127.0.0.1",
        Some("service"),
        &policy_key("service"),
    );
    check(&["-d", "d"], "127.0.0.1%2Fdevices%2Fd", None, keys[0]);
    check(
        &["-d", "d", "--kt", "secondary"],
        "127.0.0.1%2Fdevices%2Fd",
        None,
        keys[1],
    );
    check(
        &["-d", "d", "-m", "m"],
        "127.0.0.1%2Fdevices%2Fd%2Fmodules%2Fm",
        None,
        &module_key,
    );
    let far = format!("HostName=hub.invalid;DeviceId=x;SharedAccessKey={}", keys[0]);
    check(&["--cs", &far], "hub.invalid%2Fdevices%2Fx", None, keys[0]);
    let login = stage.policy("device");
    check(
        &["-l", &login, "--pn", "device"],
        "127.0.0.1",
        Some("device"),
        &policy_key("device"),
    );
    stage.shows("sas", &[SAS, "-d", "d", "--du", "60"]);
}

#[tokio::test]
async fn what_has_no_token_is_told() {
    let stage = Stage::new().await;
    stage.json(&["device-identity", "create", "-d", "x509", "--am", "x509_ca"]);
    let refused = |name, code, flags: &[&str]| stage.refuses(name, code, &[&[SAS], flags].concat());
    refused("sas-unknown-device", 3, &["-d", "nobody"]);
    refused("sas-unknown-module", 3, &["-d", "MyPythonDevice", "-m", "m"]);
    refused("sas-module-alone", 2, &["-m", "m"]);
    refused("sas-by-certificate", 2, &["-d", "x509"]);
    refused("sas-unknown-policy", 2, &["--pn", "billing"]);
    refused("sas-policys-other-key", 2, &["--kt", "secondary"]);
    refused(
        "sas-bad-connection-string",
        2,
        &["--cs", "HostName=h;DeviceId=d;SharedAccessKey=secret"],
    );
    refused("sas-no-time", 2, &["--du", "0"]);
    refused(
        "sas-anothers-login",
        2,
        &["--pn", "device", "-l", &stage.policy("service")],
    );
}
