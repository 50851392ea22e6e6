//! A development hub in a home of its own, and the program run by hand beside it.

use std::fmt;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::Duration;

use insta::{Settings, assert_snapshot};
use ironhub_client::{DeviceClient, DeviceClientBuilder, Trust};
use ironhub_testkit::{HubHome, HubProcess};
use serde_json::Value;

const START_MAX: Duration = Duration::from_secs(30);

/// What differs from run to run, and how a snapshot shows it.
const FILTERS: &[(&str, &str)] = &[
    (r#""(etag|deviceEtag|generationId)": "[^"]*""#, r#""$1": "[$1]""#),
    (r#" -e "?\S+"#, " -e [etag]"),
    (
        r#""(primaryKey|secondaryKey)": "[A-Za-z0-9+/=]{20,}""#,
        r#""$1": "[key]""#,
    ),
    (
        r#""primaryThumbprint": "[0-9A-F]{64}""#,
        r#""primaryThumbprint": "[thumbprint]""#,
    ),
    (r"SharedAccessKey=[A-Za-z0-9+/=]+", "SharedAccessKey=[key]"),
    (
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        "[guid]",
    ),
    (
        r#""(deviceGenerationId|iothub-connection-auth-generation-id)": "[^"]*""#,
        r#""$1": "[generationId]""#,
    ),
    (r#""(x-opt-enqueued-time|iothub-enqueuedtime)": \d+"#, r#""$1": [ms]"#),
    (r"sig=[A-Za-z0-9%]+&se=\d+", "sig=[signature]&se=[time]"),
    (r"(ms-azure-iot-edge://[\w-]+)-\d+", "$1-[generationId]"),
    (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "[time]"),
    (r"(127\.0\.0\.1|hub\.invalid):\d+", "$1:[port]"),
    (r"-port \d+", "-port [port]"),
    // The words are the system's.
    (r"(information: ).*", "$1[reason]"),
];

pub(crate) struct Stage {
    pub(crate) home: HubHome,
    pub(crate) hub: HubProcess,
    pub(crate) ready: Value,
    directory: tempfile::TempDir,
}

/// What a verb has done.
pub(crate) struct Ran {
    pub(crate) line: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same, of a hub with further arguments.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut home = HubHome::new(env!("CARGO_BIN_EXE_ironhub"), directory.path());
        let (hub, ready) = start(&mut home, arguments).await;
        Self {
            home,
            hub,
            ready,
            directory,
        }
    }

    /// Starts the hub that has ended once more.
    pub(crate) async fn again(&mut self, arguments: &[&str]) {
        (self.hub, self.ready) = start(&mut self.home, arguments).await;
    }

    /// Runs a verb as the hub's user, who needs no login.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.home.command(arguments))
    }

    /// Runs a verb, which has to work, and compares what it prints.
    pub(crate) fn shows(&self, name: &str, arguments: &[&str]) -> Ran {
        let ran = self.compares(name, arguments);
        assert_eq!(ran.code, 0, "{ran}");
        ran
    }

    /// Runs a verb, which has to fail with this code and print no answer, and compares what it says.
    pub(crate) fn refuses(&self, name: &str, code: i32, arguments: &[&str]) -> Ran {
        let ran = self.compares(name, arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{ran}");
        ran
    }

    fn compares(&self, name: &str, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        self.compare(name, &ran);
        ran
    }

    /// Compares with the snapshot of this name.
    pub(crate) fn compare(&self, name: &str, ran: &Ran) {
        let mut settings = Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.add_filter(&self.directory.path().display().to_string(), "[home]");
        for (pattern, shown) in FILTERS {
            settings.add_filter(pattern, *shown);
        }
        settings.bind(|| assert_snapshot!(name, ran));
    }

    /// The answer as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{ran}");
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Registers a device with keys that the hub makes up.
    pub(crate) fn register(&self, id: &str) {
        self.json(&["device-identity", "create", "-d", id]);
    }

    /// A port at which nobody listens.
    pub(crate) fn no_port() -> String {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        closed.local_addr().unwrap().port().to_string()
    }

    /// The connection string of a policy.
    pub(crate) fn policy(&self, name: &str) -> String {
        self.ready["connection_strings"][name].as_str().unwrap().to_owned()
    }

    /// A device of the registry that is connected.
    pub(crate) async fn connected(&self, id: &str) -> DeviceClient {
        let shown = self.json(&["device-identity", "connection-string", "show", "-d", id]);
        let builder = DeviceClient::builder(shown["connectionString"].as_str().unwrap()).unwrap();
        self.connect(builder).await
    }

    pub(crate) async fn connect(&self, builder: DeviceClientBuilder) -> DeviceClient {
        let trust = Trust::ca_file(self.ca_file()).unwrap();
        let port = self.port("mqtt").parse().unwrap();
        builder.trust(trust).port(port).connect().await.unwrap()
    }

    pub(crate) fn port(&self, name: &str) -> String {
        self.ready["ports"][name].to_string()
    }

    pub(crate) fn ca_file(&self) -> String {
        self.ready["ca_file"].as_str().unwrap().to_owned()
    }
}

async fn start(home: &mut HubHome, arguments: &[&str]) -> (HubProcess, Value) {
    let mut command = home.serve_dev();
    command.args(arguments);
    let mut hub = home.spawn(command);
    let ready = hub.ready(START_MAX).await;
    (hub, ready)
}

impl Ran {
    pub(crate) fn of(mut command: Command) -> Self {
        let line = Self::line(&command);
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            line,
            code: status.code().unwrap(),
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    /// As a shell is given it.
    pub(crate) fn line(command: &Command) -> String {
        let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = words
            .map(|word| if word.contains(' ') { format!("'{word}'") } else { word })
            .collect();
        words.join(" ")
    }
}

/// As a terminal shows it.
impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$ ironhub {}\n{}{}", self.line, self.stdout, self.stderr)?;
        if self.code == 0 {
            Ok(())
        } else {
            write!(f, "exit code {}", self.code)
        }
    }
}
