//! What cannot be is refused with the key, the value and what was expected.

use std::net::TcpListener;

use crate::stage::Stage;

/// How the mistake is made.
enum Given<'a> {
    Flags(&'a [&'a str]),
    Variable(&'a str, &'a str),
    File(&'a str),
    Seed(&'a str),
}
use Given::{File, Flags, Seed, Variable};

async fn check(stage: &mut Stage, is_dev: bool, given: &Given<'_>, (code, parts): (i32, &[&str])) {
    let base = |arguments: &[&str]| {
        if is_dev {
            stage.dev(arguments)
        } else {
            stage.production(arguments)
        }
    };
    let command = match given {
        Flags(flags) => base(flags),
        Variable(name, value) => {
            let mut command = base(&[]);
            command.env(name, value);
            command
        }
        File(text) => {
            let path = stage.write("hub.toml", text);
            base(&["--config", path.to_str().unwrap()])
        }
        Seed(text) => {
            let path = stage.write("seed.toml", text);
            base(&["--seed", path.to_str().unwrap()])
        }
    };
    let (found, said) = stage.refused(command).await;
    assert_eq!(found, code, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    assert!(!said.contains("c2VjcmV0"), "a key was printed: {said}");
}

#[tokio::test]
async fn a_wrong_setting_keeps_the_hub_from_starting() {
    let mut stage = Stage::new();
    stage.certificate();
    let dev: &[(Given<'_>, &[&str])] = &[
        (Flags(&["--colour"]), &["unexpected argument '--colour'"]),
        (Flags(&["--in-memory"]), &["cannot be used with '--in-memory'"]),
        (
            Flags(&["--partitions=x"]),
            &["invalid value 'x' for '--partitions <N>'"],
        ),
        (
            Variable("IRONHUB_PARTITIONS", "33"),
            &["partitions = \"33\" is not possible: 1 to 32"],
        ),
        (
            Variable("IRONHUB_RETENTION_AGE", "soon"),
            &["'soon'", "--retention-age", "a number with s, m, h or d"],
        ),
        (
            File("hostname = \"a\""),
            &["hub.toml: unknown key \"hostname\"; expected one of: ", "host-name"],
        ),
        (File("config = \"b.toml\""), &["unknown key \"config\""]),
        (
            File("retention-size = 8"),
            &["'8'", "--retention-size", "a number with KiB, MiB, GiB or TiB"],
        ),
        (File("dev = 1"), &["dev = 1 is not possible: expected true or false"]),
        (File("a ="), &["hub.toml is not TOML: line 1: "]),
        (
            File("[[policy]]\nprimary-key = \"c2VjcmV0"),
            &["hub.toml is not TOML: line 2: "],
        ),
        (
            Flags(&["--config=/nowhere.toml"]),
            &["cannot read the configuration file /nowhere.toml"],
        ),
        (
            Flags(&["--log=ironhub=loud"]),
            &["log = \"ironhub=loud\" is not possible", "expected for instance info"],
        ),
        (Flags(&["--seed=/nowhere.toml"]), &["cannot read /nowhere.toml"]),
        (
            Seed("[[device]]\nid = \"a/b\""),
            &["seed.toml: ", "a device ID has 1 to 128 characters"],
        ),
        (
            Seed("[[device]]\nid = \"a\"\nauthentication = { type = \"selfSigned\", primary-thumbprint = \"x\" }"),
            &["the seed's device a was refused"],
        ),
    ];
    for (given, parts) in dev {
        check(&mut stage, true, given, (2, parts)).await;
    }
}

#[tokio::test]
async fn a_wrong_declaration_keeps_the_hub_from_starting() {
    let mut stage = Stage::new();
    stage.certificate();
    let dev: &[(Given<'_>, &[&str])] = &[
        (
            File("[[route]]\nname = \"a\"\nsource = \"Twins\""),
            &["route = ", "unknown variant `Twins`"],
        ),
        (
            File("[[route]]\nname = \"a b\"\nsource = \"TwinChangeEvents\""),
            &["routes[0].name: a b: expected 1 to"],
        ),
        (
            File("consumer-group = [\"a b\"]"),
            &["consumer-group = \"a b\"", "1 to 50 characters"],
        ),
        (
            File("[c2d]\nqueue-messages-max = 0"),
            &["c2d.queueMessagesMax: 0: expected 1 to"],
        ),
        (File("[c2d]\nttl = 1"), &["c2d = ", "unknown field `ttl`"]),
        (
            Variable("IRONHUB_FALLBACK_ROUTE", "maybe"),
            &["'maybe'", "--fallback-route", "true, false"],
        ),
        (
            Variable("IRONHUB_POLICY", "{ name = 'a', primary-key = 'c2VjcmV0' }"),
            &["policy = \"…\"", "base64 of 16 to 64 bytes"],
        ),
        (
            Flags(&["--policy={ name = 'a' }"]),
            &["policy = \"a\"", "permissions: a list of"],
        ),
        (
            Flags(&["--ca-certificate={ name = 'a', pem = 'x' }"]),
            &["caCertificates[0].pem", "exactly one X.509 certificate"],
        ),
        (
            Flags(&["--sas-clock-skew-s=3601"]),
            &["sasClockSkewS: 3601: expected 0 to 3600"],
        ),
    ];
    for (given, parts) in dev {
        check(&mut stage, true, given, (2, parts)).await;
    }
}

#[tokio::test]
async fn production_refuses_what_only_development_may() {
    let mut stage = Stage::new();
    stage.certificate();
    let public = "ZGV2LW9ubHkvcHJpbWFyeS9pb3RodWJvd25lci4uLi4=";
    let seed = format!("[[device]]\nid = \"a\"\nauthentication = {{ primary-key = \"{public}\" }}");
    let policy = format!("[[policy]]\nname = \"iothubowner\"\nprimary-key = \"{public}\"");
    let cases: &[(Given<'_>, &[&str])] = &[
        (
            Flags(&["--allow-public-dev-keys"]),
            &["allow-public-dev-keys = \"true\"", "need --dev"],
        ),
        (Flags(&["--fault=drop MQTT in PUBLISH"]), &["fault"]),
        (
            Flags(&["--certificate=b.pem"]),
            &["key = \"1 files\"", "one for each of the 2 certificates"],
        ),
        (Seed(&seed), &["the key of a is a public development key"]),
        (File(&policy), &["policy = \"iothubowner\"", "public development key"]),
    ];
    for (given, parts) in cases {
        check(&mut stage, false, given, (2, parts)).await;
    }
    for (arguments, parts) in [
        (&["serve"][..], ["data-dir = \"\"", "or --dev for a development hub"]),
        (&["serve", "--in-memory"], ["in-memory = \"true\"", "set data-dir"]),
        (
            &["serve", "--data-dir=d"],
            ["certificate = \"\"", "does not make its own"],
        ),
    ] {
        let mut command = stage.home.command(arguments);
        command.current_dir(stage.path(""));
        let (code, said) = stage.refused(command).await;
        assert_eq!(code, 2, "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
}

#[tokio::test]
async fn what_another_start_may_find_otherwise_ends_with_1() {
    let mut stage = Stage::new();
    stage.certificate();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("--mqtt-port={}", taken.local_addr().unwrap().port());
    let mut command = stage.home.command(&[
        "serve",
        "--dev",
        "--in-memory",
        "--https-port=0",
        "--health-port=0",
        &port,
    ]);
    command.arg(format!("--ca-dir={}", stage.path("ca").display()));
    let (code, said) = stage.refused(command).await;
    assert!(
        code == 1 && said.contains("cannot listen on 127.0.0.1:"),
        "{code}: {said}"
    );
    assert!(said.contains("set another with --mqtt-port"), "{said}");

    stage.write("hub.key", "nothing");
    let (code, said) = stage.refused(stage.production(&[])).await;
    assert!(
        code == 1 && said.contains("cannot use the certificate file"),
        "{code}: {said}"
    );
}
