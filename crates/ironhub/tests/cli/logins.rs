//! Which hub, as whom, and what is said when it is none of them.

use crate::stage::{Ran, Stage};

const SHOW: [&str; 4] = ["device-identity", "show", "-d", "MyPythonDevice"];

impl Stage {
    /// The verb with a login, in a home where no hub has told of itself.
    fn strange(&self, login: &str, further: &[&str]) -> Ran {
        let mut command = self.home.command(&SHOW);
        command
            .args(further)
            .env("HOME", self.home.path("elsewhere"))
            .env("IRONHUB_LOGIN", login);
        Ran::of(command)
    }

    fn complains(&self, name: &str, code: i32, login: &str, further: &[&str]) {
        let ran = self.strange(login, further);
        self.compare(name, &ran);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{ran}");
    }
}

#[tokio::test]
async fn a_hub_is_named_by_a_connection_string() {
    let stage = Stage::new().await;
    let (owner, https, ca) = (stage.policy("iothubowner"), stage.port("https"), stage.ca_file());
    let flags = ["--https-port", &https, "--ca-file", &ca];
    let ran = stage.strange(&owner, &flags);
    assert_eq!(ran.code, 0, "{ran}");
    let by_flag = stage.run(&[&SHOW[..], &flags, &["-l", &owner]].concat());
    assert_eq!(by_flag.stdout, ran.stdout);
    let in_name = owner.replace("HostName=127.0.0.1", &format!("HostName=127.0.0.1:{https}"));
    assert_eq!(stage.strange(&in_name, &["--ca-file", &ca]).code, 0);

    // The parts of the text that are wrong.
    stage.complains("login-empty", 2, "x", &flags);
    stage.complains(
        "login-without-key",
        2,
        "HostName=127.0.0.1;SharedAccessKeyName=iothubowner",
        &flags,
    );
    stage.complains(
        "login-without-policy",
        2,
        &owner.replace("SharedAccessKeyName=iothubowner;", ""),
        &flags,
    );
    stage.complains(
        "login-bad-key",
        2,
        &owner.replace("SharedAccessKey=", "SharedAccessKey=!"),
        &flags,
    );
    let device = stage.ready["connection_strings"]["devices"]["MyPythonDevice"]
        .as_str()
        .unwrap();
    stage.complains("login-of-a-device", 2, device, &flags);

    // What the hub does not let in.
    let other_key = "HostName=127.0.0.1;SharedAccessKeyName=iothubowner;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==";
    stage.complains("login-wrong-key", 3, other_key, &flags);
    stage.complains("login-without-permission", 3, &stage.policy("service"), &flags);

    // What is not the hub.
    stage.complains("login-untrusted", 4, &owner, &["--https-port", &https]);
    stage.complains(
        "login-unresolvable",
        4,
        "HostName=hub.invalid;SharedAccessKeyName=a;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==",
        &flags,
    );
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    stage.complains(
        "login-unreachable",
        4,
        &owner,
        &["--https-port", &nobody, "--ca-file", &ca],
    );
    stage.complains("login-no-ca-file", 2, &owner, &["--ca-file", "/nonexistent/ca.pem"]);
}

#[tokio::test]
async fn the_development_hub_is_found_while_it_runs() {
    let mut stage = Stage::new().await;
    let file = stage.home.path(".local/share/ironhub/dev-hub.json");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(stage.run(&SHOW).code, 0);

    // One that is killed leaves its file behind.
    stage.hub.kill();
    stage.refuses("dev-hub-gone", 4, &SHOW);

    stage.hub = stage.home.spawn(stage.home.serve_dev());
    stage.hub.ready(std::time::Duration::from_secs(30)).await;
    assert_eq!(stage.run(&SHOW).code, 0);
    stage.hub.signal("TERM");
    assert_eq!(stage.hub.ended().await.code(), Some(0));
    assert!(!file.exists());
    stage.refuses("dev-hub-none", 4, &SHOW);
}

#[tokio::test]
async fn of_two_development_hubs_the_one_that_is_left_is_found() {
    let mut stage = Stage::new().await;
    let of_first = stage.json(&SHOW);
    let arguments = stage.home.serve_dev_arguments();
    let mut command = stage.home.command(&[]);
    command.args(arguments.iter().filter(|argument| !argument.starts_with("--data-dir")));
    command.arg("--in-memory");
    let mut second = stage.home.spawn(command);
    second.ready(std::time::Duration::from_secs(30)).await;
    assert_ne!(stage.json(&SHOW), of_first, "the one that was started last");
    second.signal("TERM");
    assert_eq!(second.ended().await.code(), Some(0));
    assert_eq!(stage.json(&SHOW), of_first);
}

#[tokio::test]
async fn a_hub_that_cannot_tell_of_itself_serves_all_the_same() {
    let mut stage = Stage::new().await;
    stage.hub.kill();
    let mut command = stage.home.serve_dev();
    command.env("XDG_DATA_HOME", "/proc/nowhere");
    stage.hub = stage.home.spawn(command);
    stage.hub.logged("verbs will not find this hub without --login").await;
    stage.ready = stage.hub.ready(std::time::Duration::from_secs(30)).await;
    let (owner, https, ca) = (stage.policy("iothubowner"), stage.port("https"), stage.ca_file());
    let ran = stage.strange(&owner, &["--https-port", &https, "--ca-file", &ca]);
    assert_eq!(ran.code, 0, "{ran}");
}
