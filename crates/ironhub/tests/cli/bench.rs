//! `ironhub bench`: that it counts what it did, that what it counted is true, and that it leaves nothing behind. Never
//! how fast.

use std::process::Stdio;
use std::time::Duration;

use ironhub_client::{ServiceClient, StartFrom, Trust};
use serde_json::Value;
use tokio::time::{interval, timeout};

use crate::stage::{Ran, Stage};

/// Whatever a test waits for takes far less.
const WATCHDOG: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Stage {
    pub(crate) fn service(&self) -> ServiceClient {
        let port = |name| self.port(name).parse().unwrap();
        ServiceClient::builder(&self.policy("iothubowner"))
            .unwrap()
            .trust(Trust::ca_file(self.ca_file()).unwrap())
            .https_port(port("https"))
            .amqp_port(port("amqp"))
            .build()
            .unwrap()
    }

    /// The devices whose names begin so.
    pub(crate) async fn devices(&self, prefix: &str) -> Vec<ironhub_client::Device> {
        let mut devices = self.service().devices(1000).await.unwrap();
        devices.retain(|device| device.device_id.as_str().starts_with(prefix));
        devices
    }

    /// Runs a measurement, which has to leave no device behind.
    async fn measures(&self, arguments: &[&str]) -> Value {
        let report = self.json(&[&["bench"], arguments, &["-o", "json"]].concat());
        assert_eq!(self.devices("bench-").await, []);
        report
    }

    /// The same with so many operations, all of which have to work. Returns the report.
    async fn does_all(&self, arguments: &[&str], count: u64) -> Value {
        let report = self
            .measures(&[arguments, &["--count", &count.to_string()]].concat())
            .await;
        assert_eq!(report["name"], arguments[0]);
        assert_eq!(
            (&report["operations"], &report["errors"]),
            (&count.into(), &0.into()),
            "{report:#}"
        );
        report
    }
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn what_ingest_counts_is_in_the_log() {
    let stage = Stage::new().await;
    stage
        .does_all(
            &["ingest", "--connections", "3", "--in-flight", "7", "--size", "40"],
            500,
        )
        .await;
    let mut events = stage
        .service()
        .events()
        .start(StartFrom::Earliest)
        .connect()
        .await
        .unwrap();
    for number in 0..500 {
        let event = timeout(WATCHDOG, events.next()).await;
        let event = event.unwrap_or_else(|_| panic!("no event behind {number}")).unwrap();
        assert!(event.device_id().unwrap().starts_with("bench-"), "{event:?}");
        assert_eq!(event.body.len(), 40);
        assert_eq!(event.system_properties["content-type"], "application/json");
    }
    events.close().await;
}

#[tokio::test]
async fn each_measurement_does_what_it_is_told() {
    let stage = Stage::new().await;
    let few = ["--connections", "2"];
    for (arguments, count) in [
        (&["ingest", "--rate", "2000"][..], 100),
        (&["connect"], 5),
        (&["method", "--in-flight", "4"], 40),
        (&["method", "--rate", "500"], 20),
        (&["twin"], 30),
        (&["twin", "--operation", "read", "--in-flight", "8"], 60),
        (&["twin", "--operation", "show"], 20),
        (&["twin", "--operation", "update", "--rate", "200"], 20),
        (&["latency", "--rate", "400", "--size", "0"], 60),
    ] {
        stage.does_all(&[arguments, &few].concat(), count).await;
    }
}

#[tokio::test]
async fn each_device_resumes_its_session_when_told_to() {
    let stage = Stage::new().await;
    // Of one device, since several share the connections as chance has it: all but its first are resumed.
    for (arguments, resumed) in [(&["connect", "--resume"][..], 4), (&["connect"], 0)] {
        let report = stage.does_all(&[arguments, &["--connections", "1"]].concat(), 5).await;
        assert_eq!(report["resumed"], resumed, "{report:#}");
    }
    let many = ["connect", "--resume", "--connections", "40"];
    let report = stage.does_all(&many, 400).await;
    let resumed = report["resumed"].as_u64().unwrap();
    assert!(resumed >= 360, "each device's connections but its first: {report:#}");
}

#[tokio::test]
async fn a_report_has_the_documented_members() {
    let stage = Stage::new().await;
    let pid = stage.hub.id().to_string();
    let timed = [
        "--duration",
        "0.2",
        "--warm-up",
        "0.1",
        "--connections",
        "2",
        "--hub-pid",
        &pid,
    ];
    let report = stage.measures(&[&["ingest"][..], &timed].concat()).await;
    let all = "name version startedAt hub host parameters warmUpSeconds durationSeconds interrupted operations \
               ratePerSecond latencyUs late errors generatorCpu hubCpu machine";
    assert_eq!(members(&report).join(" "), all);
    assert_eq!(
        members(&report["parameters"]),
        ["connections", "inFlight", "sizeBytes", "rate"]
    );
    assert_eq!(members(&report["hubCpu"]), ["cores", "perOperationUs"]);
    let machine = &report["machine"];
    assert_eq!(members(machine), ["busyCores", "stolenCores", "timerLateUs"]);
    assert_eq!(members(&machine["timerLateUs"]), ["p50", "p99", "max"]);
    assert_eq!(
        (
            &report["durationSeconds"],
            &report["warmUpSeconds"],
            &report["interrupted"]
        ),
        (&0.2.into(), &0.1.into(), &false.into())
    );
    let latency = &report["latencyUs"];
    assert_eq!(members(latency), ["min", "mean", "p50", "p90", "p99", "p999", "max"]);
    let rising = ["min", "p50", "p90", "p99", "p999", "max"].map(|name| latency[name].as_u64().unwrap());
    assert!(rising.is_sorted() && rising[0] > 0, "{latency}");
    assert!(report["operations"].as_u64().unwrap() > 0);

    let people = stage.run(&["bench", "twin", "--count", "3", "--connections", "1"]);
    assert_eq!(people.code, 0, "{people}");
    for part in [
        "twin: 3 operations in ",
        "\nlatency     p50 ",
        "\nmachine     ",
        "\nparameters  operation report, connections 1",
    ] {
        assert!(people.stdout.contains(part), "{people}");
    }
}

#[tokio::test]
async fn an_interrupted_measurement_tells_what_it_saw_and_cleans_up() {
    let stage = Stage::new().await;
    let arguments = [
        "bench",
        "ingest",
        "--connections",
        "2",
        "--duration",
        "600",
        "--warm-up",
        "0",
        "-o",
        "json",
    ];
    let child = stage
        .home
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let sends = async {
        let mut events = stage
            .service()
            .events()
            .start(StartFrom::Earliest)
            .connect()
            .await
            .unwrap();
        events.next().await.unwrap();
    };
    timeout(WATCHDOG, sends).await.expect("it does not begin");
    signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["interrupted"], &report["errors"]),
        (&true.into(), &0.into()),
        "{report:#}"
    );
    assert!(report["operations"].as_u64().unwrap() > 0, "{report:#}");
    assert!(report["machine"]["timerLateUs"].is_object(), "{report:#}");
    assert_eq!(stage.devices("bench-").await, []);
}

#[tokio::test]
async fn a_hub_that_goes_away_fails_what_is_under_way() {
    let mut stage = Stage::new().await;
    let arguments = [
        "bench",
        "twin",
        "--operation",
        "show",
        "--connections",
        "1",
        "--warm-up",
        "0",
        "--duration",
        "5",
        "-o",
        "json",
    ];
    let child = stage
        .home
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("registered", async || !stage.devices("bench-").await.is_empty()).await;
    stage.hub.kill();
    let output = child.wait_with_output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("note: of the devices bench-"), "{notes}");
    assert!(
        notes.contains("1 could not be removed: cannot reach 127.0.0.1"),
        "{notes}"
    );
    if output.status.code() == Some(0) {
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report["errors"].as_u64().unwrap() > 0, "{report:#}");
        assert!(report["firstError"].is_string(), "{report:#}");
    } else {
        assert_eq!(output.status.code(), Some(4), "nothing was answered before: {notes}");
    }
}

#[tokio::test]
async fn a_measurement_that_cannot_be_says_why() {
    let mut stage = Stage::new().await;
    let (https, ca) = (stage.port("https"), stage.ca_file());
    let with_login = |login: &str| {
        let flags = ["--https-port", &https, "--ca-file", &ca, "--count", "1"];
        let mut command = stage.home.command(&["bench", "ingest"]);
        command.args(flags).env("IRONHUB_LOGIN", login);
        Ran::of(command)
    };
    let compare = |name, code, ran: &Ran| {
        stage.compare(name, ran);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{ran}");
    };
    let wrong_key = "HostName=127.0.0.1;SharedAccessKeyName=iothubowner;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==";
    compare("bench-wrong-key", 3, &with_login(wrong_key));
    compare("bench-without-permission", 3, &with_login(&stage.policy("service")));
    let strange = wrong_key.replace("127.0.0.1", "hub.invalid");
    compare("bench-unresolvable", 4, &with_login(&strange));
    stage.refuses("bench-no-operations", 2, &["bench", "method", "--count", "0"]);
    stage.refuses("bench-no-rate", 2, &["bench", "latency", "--rate=-5"]);
    stage.refuses("bench-bad-prefix", 2, &["bench", "twin", "--prefix", "no spaces"]);
    let no_process = u32::MAX.to_string();
    stage.refuses("bench-no-process", 2, &["bench", "connect", "--hub-pid", &no_process]);
    stage.hub.kill();
    stage.refuses("bench-no-hub", 4, &["bench", "connect"]);
}

/// Sends a signal by its name.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = std::process::Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(sent.unwrap().success(), "kill -{name} {pid}");
}

/// Looks again and again until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut looks = interval(LOOK_EVERY);
        while !is_so().await {
            looks.tick().await;
        }
    };
    timeout(WATCHDOG, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}
