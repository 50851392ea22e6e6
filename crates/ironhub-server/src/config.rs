//! What a hub process is told at its start.
//!
//! These are plain values: the program reads flags, environment and file into them, a Rust test writes them down.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use ironhub_model::HubSettings;
use ironhub_model::limits::{PARTITIONS_DEFAULT, PARTITIONS_MAX};
use ironhub_storage_embedded::log::limits::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use ironhub_transport::faults::Rule;

pub use ironhub_hub::ports::Retention;
pub use ironhub_storage_embedded::Profile;
pub use ironhub_storage_embedded::log::limits::SEGMENT_BYTES_DEFAULT;

use crate::declared::DeclaredSettings;
use crate::seed::Seed;

/// Where state and events live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere: gone when the hub stops.
    InMemory,
    /// In this directory, made with mode 0700.
    Directory(PathBuf),
}

/// Where the hub listens; port 0 picks a free one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listeners {
    /// The address of the device and service listeners.
    pub address: IpAddr,
    /// MQTT over TLS; Microsoft's SDKs insist on 8883.
    pub mqtt: u16,
    /// AMQP over TLS; Microsoft's SDKs and tools insist on 5671.
    pub amqp: u16,
    /// HTTPS and WebSocket; Microsoft's SDKs insist on 443.
    pub https: u16,
    /// What to try when `https` is refused for want of rights; none means to fail.
    pub https_fallback: Option<u16>,
    /// MQTT without TLS, loopback peers only; none means no such listener.
    pub mqtt_plain: Option<u16>,
    /// AMQP without TLS, loopback peers only, for Event Hubs clients in emulator mode; none means no such listener.
    pub amqp_plain: Option<u16>,
    /// The address of the health listener.
    pub health_address: IpAddr,
    /// Health, metrics and the CA over plain HTTP.
    pub health: u16,
}

/// A certificate chain and its key on disk, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Leaf first.
    pub chain: PathBuf,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Where server certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificates {
    /// From the development authority in this directory, made when it is not there.
    Authority(PathBuf),
    /// From files; the one whose names fit the client's SNI is used, the first when none does.
    Files(Vec<CertificateFiles>),
}

/// A day, as a fresh Azure IoT Hub, and 8 GiB.
pub const RETENTION_DEFAULT: Retention = Retention {
    age: Duration::from_hours(24),
    bytes: 8 << 30,
};

/// Everything a hub process is told.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// How it is run.
    pub profile: Profile,
    /// What connection strings say and tokens are made for.
    pub host_name: String,
    /// Further names by which clients may call the hub.
    pub host_aliases: Vec<String>,
    /// This machine's name, for the certificate.
    pub machine_name: Option<String>,
    /// Where it listens.
    pub listeners: Listeners,
    /// Peers beyond loopback are let in.
    pub accept_remote_peers: bool,
    /// Keeps the fixed development keys although peers beyond loopback are let in.
    pub allow_public_dev_keys: bool,
    /// Web origins besides the hub's own names whose pages may call the API.
    pub allowed_origins: Vec<String>,
    /// Where state and events live.
    pub storage: Storage,
    /// Where server certificates come from.
    pub certificates: Certificates,
    /// Partitions of the event log; fixed when the hub is created.
    pub partitions: u32,
    /// How long events stay.
    pub retention: Retention,
    /// What has come in is sealed, and compressed, each time so many bytes of it have gathered.
    pub segment_bytes: u64,
    /// What a fresh hub holds.
    pub seed: Seed,
    /// Settings of the hub that only the configuration can change.
    pub declared: DeclaredSettings,
    /// Rules that break the hub on purpose, to prove that tests notice; development only.
    pub faults: Vec<Rule>,
}

/// A setting that cannot be. Says which, what it was and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value:?} is not possible: {expected}")]
pub struct ConfigError {
    /// The key in the file, which is the flag without its dashes.
    pub key: &'static str,
    /// What it was set to.
    pub value: String,
    /// What would do.
    pub expected: String,
}

impl ConfigError {
    pub(crate) fn new(key: &'static str, value: impl std::fmt::Display, expected: impl Into<String>) -> Self {
        Self {
            key,
            value: value.to_string(),
            expected: expected.into(),
        }
    }
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            mqtt: 8883,
            amqp: 5671,
            https: 443,
            https_fallback: Some(8443),
            mqtt_plain: Some(1883),
            amqp_plain: Some(5672),
            health_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            health: 9600,
        }
    }
}

impl ServerConfig {
    /// A development hub in memory on free ports of 127.0.0.1, for tests inside a Rust program. The authority stays in
    /// `ca_directory`.
    pub fn for_tests(ca_directory: PathBuf) -> Self {
        Self {
            listeners: Listeners {
                mqtt: 0,
                amqp: 0,
                https: 0,
                https_fallback: None,
                mqtt_plain: Some(0),
                amqp_plain: Some(0),
                health: 0,
                ..Listeners::default()
            },
            storage: Storage::InMemory,
            ..Self::dev(ca_directory)
        }
    }

    /// A development hub on the standard ports of 127.0.0.1, in memory.
    pub fn dev(ca_directory: PathBuf) -> Self {
        Self {
            profile: Profile::Dev,
            host_name: "localhost".into(),
            host_aliases: Vec::new(),
            machine_name: None,
            listeners: Listeners::default(),
            accept_remote_peers: false,
            allow_public_dev_keys: false,
            allowed_origins: Vec::new(),
            storage: Storage::InMemory,
            certificates: Certificates::Authority(ca_directory),
            partitions: PARTITIONS_DEFAULT,
            retention: RETENTION_DEFAULT,
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            seed: Seed::dev(),
            declared: DeclaredSettings::default(),
            faults: Vec::new(),
        }
    }

    /// Checks what types cannot, and what two settings together cannot.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            return Err(ConfigError::new(
                "partitions",
                self.partitions,
                format!("1 to {PARTITIONS_MAX}"),
            ));
        }
        if !is_host_name(&self.host_name) {
            let expected = "a host name or an IP address, without scheme and port";
            return Err(ConfigError::new("host-name", &self.host_name, expected));
        }
        if self.retention.age < Duration::from_mins(1) {
            let age = format!("{} s", self.retention.age.as_secs());
            return Err(ConfigError::new("retention-age", age, "at least 60 s"));
        }
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes) {
            let size = format!("{} bytes", self.segment_bytes);
            return Err(ConfigError::new("segment-size", size, "1MiB to 1GiB"));
        }
        if let Some(policy) = self.declared.public_policy().filter(|_| !self.uses_dev_keys()) {
            let expected = "another key: this one is a public development key";
            return Err(ConfigError::new("policy", policy, expected));
        }
        self.check_profile()
    }

    fn check_profile(&self) -> Result<(), ConfigError> {
        if self.profile == Profile::Dev {
            return Ok(());
        }
        if self.storage == Storage::InMemory {
            return Err(ConfigError::new(
                "in-memory",
                true,
                "a production hub keeps what it acknowledges: set data-dir",
            ));
        }
        if matches!(self.certificates, Certificates::Authority(_)) {
            let expected = "certificate and key files: a production hub does not make its own";
            return Err(ConfigError::new("certificate", "", expected));
        }
        if let Some(rule) = self.faults.first() {
            let expected = "no fault rules in production: they need --dev";
            return Err(ConfigError::new("fault", format_args!("{rule:?}"), expected));
        }
        if self.allow_public_dev_keys {
            return Err(ConfigError::new(
                "allow-public-dev-keys",
                true,
                "the fixed keys need --dev",
            ));
        }
        Ok(())
    }

    /// A fresh hub's allowance for clocks that differ, in seconds.
    pub fn sas_clock_skew_s_default(&self) -> u64 {
        match self.profile {
            Profile::Dev => 5,
            Profile::Production => HubSettings::SAS_CLOCK_SKEW_S_DEFAULT,
        }
    }

    /// Settings that differ from those of `running` and that a running hub does not take: their keys.
    pub fn changes_that_wait(&self, running: &Self) -> Vec<&'static str> {
        let differs = [
            ("dev", self.profile != running.profile),
            ("host-name", self.host_name != running.host_name),
            ("host-alias", self.host_aliases != running.host_aliases),
            ("listeners", self.listeners != running.listeners),
            (
                "allow-public-dev-keys",
                self.allow_public_dev_keys != running.allow_public_dev_keys,
            ),
            ("allowed-origin", self.allowed_origins != running.allowed_origins),
            ("data-dir", self.storage != running.storage),
            ("partitions", self.partitions != running.partitions),
            ("retention", self.retention != running.retention),
            ("segment-size", self.segment_bytes != running.segment_bytes),
            ("seed", self.seed != running.seed),
        ];
        differs
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(key, _)| key)
            .collect()
    }

    /// Are the fixed keys good enough? On loopback they are; beyond it only by explicit wish.
    pub fn uses_dev_keys(&self) -> bool {
        self.profile == Profile::Dev && (!self.accept_remote_peers || self.allow_public_dev_keys)
    }
}

/// A DNS name or an IP address.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && text.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn production() -> ServerConfig {
        let file = || PathBuf::from("x.pem");
        ServerConfig {
            profile: Profile::Production,
            storage: Storage::Directory("data".into()),
            certificates: Certificates::Files(vec![CertificateFiles {
                chain: file(),
                key: file(),
            }]),
            ..ServerConfig::dev("ca".into())
        }
    }

    #[track_caller]
    fn check(config: &ServerConfig, expected: Option<&str>) {
        assert_eq!(config.check().err().map(|error| error.to_string()).as_deref(), expected);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_key_and_value() {
        let dev = || ServerConfig::dev("ca".into());
        check(&dev(), None);
        check(&production(), None);
        check(
            &ServerConfig {
                partitions: 33,
                ..dev()
            },
            Some("partitions = \"33\" is not possible: 1 to 32"),
        );
        check(
            &ServerConfig {
                segment_bytes: 1000,
                ..dev()
            },
            Some("segment-size = \"1000 bytes\" is not possible: 1MiB to 1GiB"),
        );
        check(
            &ServerConfig {
                host_name: "https://hub".into(),
                ..dev()
            },
            Some("host-name = \"https://hub\" is not possible: a host name or an IP address, without scheme and port"),
        );
        check(
            &ServerConfig {
                storage: Storage::InMemory,
                ..production()
            },
            Some("in-memory = \"true\" is not possible: a production hub keeps what it acknowledges: set data-dir"),
        );
        check(
            &ServerConfig {
                allow_public_dev_keys: true,
                ..production()
            },
            Some("allow-public-dev-keys = \"true\" is not possible: the fixed keys need --dev"),
        );
        check(
            &ServerConfig {
                certificates: Certificates::Authority("ca".into()),
                ..production()
            },
            Some(
                "certificate = \"\" is not possible: certificate and key files: a production hub does not make its own",
            ),
        );
    }

    #[test]
    fn fixed_keys_are_for_loopback_unless_wished_for() {
        for (accept_remote_peers, allow_public_dev_keys, expected) in
            [(false, false, true), (true, false, false), (true, true, true)]
        {
            let config = ServerConfig {
                accept_remote_peers,
                allow_public_dev_keys,
                ..ServerConfig::dev("ca".into())
            };
            assert_eq!(config.uses_dev_keys(), expected);
        }
        assert!(!production().uses_dev_keys());
    }

    #[test]
    fn host_names() {
        for good in ["localhost", "hub.example.test", "127.0.1.7", "::1", "my_machine"] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in ["", "hub:443", "a..b", "-a", "a-", "hub/x", "é"] {
            assert!(!is_host_name(bad), "{bad}");
        }
    }
}
