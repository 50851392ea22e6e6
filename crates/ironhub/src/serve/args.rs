//! Every setting of a hub process: flag, `IRONHUB_…` variable and key of the configuration file from one definition.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ironhub_model::limits::PARTITIONS_DEFAULT;
use ironhub_server::Rule;
use ironhub_server::config::{CertificateFiles, Certificates, Listeners, Retention};
use ironhub_server::{ConfigError, Profile, Seed, ServerConfig, Storage};

use super::settings::SettingsArgs;
use crate::config_file::Sources;
use crate::logging::LogFormat;
use crate::paths;

/// The flags of `ironhub serve`.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that an operator can set")]
pub(crate) struct ServeArgs {
    /// Run a development hub: fixed keys, own certificates, loopback peers
    #[arg(long, env = "IRONHUB_DEV")]
    pub(crate) dev: bool,
    /// Read settings from this TOML file; its keys are these flags
    #[arg(long, env = "IRONHUB_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep state and events in this directory
    #[arg(long, env = "IRONHUB_DATA_DIR", value_name = "DIR", conflicts_with = "in_memory")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Run demonstration devices within the hub: two thermostats and a pump; needs --dev
    #[arg(long, env = "IRONHUB_DEMO")]
    pub(crate) demo: bool,
    /// Keep nothing but the CA
    #[arg(long, env = "IRONHUB_IN_MEMORY")]
    pub(crate) in_memory: bool,
    /// The name in connection strings; a loopback address is also listened on
    #[arg(long, env = "IRONHUB_HOST_NAME", value_name = "NAME", default_value = "localhost")]
    pub(crate) host_name: String,
    /// A further name by which clients may call the hub
    #[arg(long, env = "IRONHUB_HOST_ALIAS", value_name = "NAME", value_delimiter = ',')]
    pub(crate) host_alias: Vec<String>,
    /// Listen on this address; beyond loopback the fixed keys are replaced by generated ones
    #[arg(long, env = "IRONHUB_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<IpAddr>,
    /// Keep the fixed keys although others can connect
    #[arg(long, env = "IRONHUB_ALLOW_PUBLIC_DEV_KEYS")]
    pub(crate) allow_public_dev_keys: bool,
    /// MQTT over TLS; 0 picks a free port, here and below
    #[arg(long, env = "IRONHUB_MQTT_PORT", value_name = "PORT", default_value_t = 8883)]
    pub(crate) mqtt_port: u16,
    /// AMQP over TLS
    #[arg(long, env = "IRONHUB_AMQP_PORT", value_name = "PORT", default_value_t = 5671)]
    pub(crate) amqp_port: u16,
    /// HTTPS and WebSocket; without this flag 8443 is tried when 443 is refused
    #[arg(long, env = "IRONHUB_HTTPS_PORT", value_name = "PORT")]
    pub(crate) https_port: Option<u16>,
    /// MQTT without TLS, loopback peers only
    #[arg(long, env = "IRONHUB_PLAIN_MQTT_PORT", value_name = "PORT", default_value_t = 1883)]
    pub(crate) plain_mqtt_port: u16,
    /// No MQTT without TLS
    #[arg(long, env = "IRONHUB_NO_PLAIN_MQTT")]
    pub(crate) no_plain_mqtt: bool,
    /// AMQP without TLS, loopback peers only: for Event Hubs clients with `UseDevelopmentEmulator=true`
    #[arg(long, env = "IRONHUB_PLAIN_AMQP_PORT", value_name = "PORT", default_value_t = 5672)]
    pub(crate) plain_amqp_port: u16,
    /// No AMQP without TLS
    #[arg(long, env = "IRONHUB_NO_PLAIN_AMQP")]
    pub(crate) no_plain_amqp: bool,
    /// Health, metrics and the CA over plain HTTP
    #[arg(long, env = "IRONHUB_HEALTH_PORT", value_name = "PORT", default_value_t = 9600)]
    pub(crate) health_port: u16,
    /// Where the health port listens; it answers loopback Host names only
    #[arg(long, env = "IRONHUB_HEALTH_LISTEN", value_name = "ADDRESS")]
    pub(crate) health_listen: Option<IpAddr>,
    /// Register what this TOML file holds
    #[arg(long, env = "IRONHUB_SEED", value_name = "FILE")]
    pub(crate) seed: Option<PathBuf>,
    /// Once everything listens, write host name, ports and connection strings here as JSON
    #[arg(long, env = "IRONHUB_READY_FILE", value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Partitions of the event log; fixed when the hub is created
    #[arg(long, env = "IRONHUB_PARTITIONS", value_name = "N", default_value_t = PARTITIONS_DEFAULT)]
    pub(crate) partitions: u32,
    /// How long events stay, for instance 24h or 7d
    #[arg(long, env = "IRONHUB_RETENTION_AGE", value_name = "TIME", default_value = "24h", value_parser = parse_duration)]
    pub(crate) retention_age: Duration,
    /// How much room events may take, for instance 8GiB
    #[arg(long, env = "IRONHUB_RETENTION_SIZE", value_name = "SIZE", default_value = "8GiB", value_parser = parse_size)]
    pub(crate) retention_size: u64,
    /// Seal and compress events each time that so many bytes have come in; 1MiB to 1GiB. A restart reads up to two such
    /// segments, so smaller ones make it faster and compression worse
    #[arg(long, env = "IRONHUB_SEGMENT_SIZE", value_name = "SIZE", default_value = "128MiB", value_parser = parse_size)]
    pub(crate) segment_size: u64,
    /// A server certificate chain in PEM, leaf first; repeat with --key for more names
    #[arg(long, env = "IRONHUB_CERTIFICATE", value_name = "FILE", value_delimiter = ',')]
    pub(crate) certificate: Vec<PathBuf>,
    /// The key of the certificate in the same place
    #[arg(long, env = "IRONHUB_KEY", value_name = "FILE", value_delimiter = ',')]
    pub(crate) key: Vec<PathBuf>,
    /// Where the development authority is kept
    #[arg(long, env = "IRONHUB_CA_DIR", value_name = "DIR")]
    pub(crate) ca_dir: Option<PathBuf>,
    /// A web origin whose pages may call the API
    #[arg(long, env = "IRONHUB_ALLOWED_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) allowed_origin: Vec<String>,
    /// Break the hub on purpose, to prove that tests notice; needs --dev
    #[arg(long, env = "IRONHUB_FAULT", value_name = "RULE")]
    pub(crate) fault: Vec<Rule>,
    #[arg(long, env = "IRONHUB_LOG", value_name = "FILTER", default_value = "info")]
    #[arg(help = "What to log, for instance \"info\" or \"warn,ironhub_hub=debug\"")]
    pub(crate) log: String,
    /// How a log line looks
    #[arg(
        long,
        env = "IRONHUB_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl ServeArgs {
    /// The configuration that these settings make; `sources` tells where each was given.
    pub(crate) fn into_config(self, sources: &Sources) -> Result<ServerConfig, Box<dyn Error>> {
        if self.demo && !self.dev {
            return Err(Box::new(ConfigError {
                key: "demo",
                value: "true".into(),
                expected: "a development hub: add --dev".into(),
            }));
        }
        let profile = if self.dev { Profile::Dev } else { Profile::Production };
        let listeners = self.listeners();
        let config = ServerConfig {
            profile,
            accept_remote_peers: !listeners.address.is_loopback(),
            machine_name: paths::machine_name(),
            storage: self.storage()?,
            certificates: self.certificates()?,
            retention: Retention {
                age: self.retention_age,
                bytes: self.retention_size,
            },
            segment_bytes: self.segment_size,
            seed: match &self.seed {
                Some(path) => Seed::load(path)?,
                None if self.dev => Seed::dev(),
                None => Seed::default(),
            },
            listeners,
            host_name: self.host_name,
            host_aliases: self.host_alias,
            allow_public_dev_keys: self.allow_public_dev_keys,
            allowed_origins: self.allowed_origin,
            partitions: self.partitions,
            declared: self.settings.declared(sources)?,
            faults: self.fault,
        };
        config.check()?;
        Ok(config)
    }

    fn listeners(&self) -> Listeners {
        let own_address = self.host_name.parse::<IpAddr>().ok().filter(IpAddr::is_loopback);
        let default = if self.dev {
            Ipv4Addr::LOCALHOST
        } else {
            Ipv4Addr::UNSPECIFIED
        };
        let address = self.listen.or(own_address).unwrap_or(IpAddr::V4(default));
        let loopback = if address.is_loopback() {
            address
        } else {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        };
        Listeners {
            address,
            mqtt: self.mqtt_port,
            amqp: self.amqp_port,
            https: self.https_port.unwrap_or(443),
            https_fallback: self.https_port.is_none().then_some(8443),
            mqtt_plain: (self.dev && !self.no_plain_mqtt).then_some(self.plain_mqtt_port),
            amqp_plain: (self.dev && !self.no_plain_amqp).then_some(self.plain_amqp_port),
            health_address: self.health_listen.unwrap_or(loopback),
            health: self.health_port,
        }
    }

    fn storage(&self) -> Result<Storage, ConfigError> {
        match &self.data_dir {
            _ if self.in_memory => Ok(Storage::InMemory),
            Some(directory) => Ok(Storage::Directory(directory.clone())),
            None if self.dev => Ok(Storage::Directory(paths::dev_data_directory())),
            None => Err(ConfigError {
                key: "data-dir",
                value: String::new(),
                expected: "a directory for state and events, or --dev for a development hub".into(),
            }),
        }
    }

    fn certificates(&self) -> Result<Certificates, ConfigError> {
        if self.certificate.len() != self.key.len() {
            return Err(ConfigError {
                key: "key",
                value: format!("{} files", self.key.len()),
                expected: format!("one for each of the {} certificates", self.certificate.len()),
            });
        }
        if self.certificate.is_empty() {
            return Ok(Certificates::Authority(
                self.ca_dir.clone().unwrap_or_else(paths::ca_directory),
            ));
        }
        let pairs = self.certificate.iter().zip(&self.key);
        let files = pairs.map(|(chain, key)| CertificateFiles {
            chain: chain.clone(),
            key: key.clone(),
        });
        Ok(Certificates::Files(files.collect()))
    }
}

/// `90s`, `15m`, `24h`, `7d`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = scaled(text, &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a number with s, m, h or d, for instance 24h".into())
}

/// `512MiB`, `8GiB`, `2TiB`.
fn parse_size(text: &str) -> Result<u64, String> {
    let bytes = scaled(
        text,
        &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)],
    );
    bytes.ok_or_else(|| "expected a number with KiB, MiB, GiB or TiB, for instance 8GiB".into())
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, scale) = units
        .iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    number.trim_end().parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use ironhub_server::config::SEGMENT_BYTES_DEFAULT;

    use super::*;
    use crate::{Cli, Command};

    fn config(arguments: &[&str]) -> Result<ServerConfig, String> {
        let all = ["ironhub", "serve"].iter().chain(arguments);
        match Cli::try_parse_from(all).map_err(|error| error.to_string())?.command {
            Command::Serve(args) => args.into_config(&Sources::new()).map_err(|error| error.to_string()),
            Command::Trust(_) | Command::Policy(_) | Command::Verb(_) | Command::Reference { .. } => {
                Err("not serve".into())
            }
        }
    }

    #[test]
    fn a_development_hub_listens_on_loopback_with_standard_ports() {
        let config = config(&["--dev"]).unwrap();
        assert_eq!(config.listeners, Listeners::default());
        assert!(!config.accept_remote_peers);
        assert_eq!(config.seed, Seed::dev());
        assert_eq!(config.segment_bytes, SEGMENT_BYTES_DEFAULT);
    }

    #[test]
    fn a_loopback_host_name_is_listened_on() {
        let config = config(&["--dev", "--in-memory", "--host-name", "127.0.1.7", "--https-port", "0"]).unwrap();
        let address: IpAddr = "127.0.1.7".parse().unwrap();
        assert_eq!(
            (config.listeners.address, config.listeners.health_address),
            (address, address)
        );
        assert_eq!(config.listeners.https_fallback, None);
        assert_eq!(config.storage, Storage::InMemory);
    }

    #[test]
    fn beyond_loopback_peers_are_remote_and_health_stays() {
        let config = config(&["--dev", "--listen", "0.0.0.0"]).unwrap();
        assert!(config.accept_remote_peers && !config.uses_dev_keys());
        assert!(config.listeners.health_address.is_loopback());
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (arguments, part) in [
            (&["--in-memory", "--data-dir", "x", "--dev"][..], "cannot be used with"),
            (
                &[][..],
                "data-dir = \"\" is not possible: a directory for state and events",
            ),
            (&["--data-dir", "x"][..], "a production hub does not make its own"),
            (
                &["--data-dir", "x", "--certificate", "a.pem"][..],
                "one for each of the 1 certificates",
            ),
            (
                &["--dev", "--retention-age", "soon"][..],
                "expected a number with s, m, h or d",
            ),
            (&["--dev", "--retention-size", "8GB"][..], "expected a number with KiB"),
            (&["--dev", "--partitions", "0"][..], "1 to 32"),
            (&["--dev", "--segment-size", "1KiB"][..], "1MiB to 1GiB"),
            (
                &["--data-dir", "x", "--demo"][..],
                "demo = \"true\" is not possible: a development hub: add --dev",
            ),
            (
                &["--dev", "--seed", "/nonexistent.toml"][..],
                "cannot read /nonexistent.toml",
            ),
        ] {
            let error = config(arguments).unwrap_err();
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn sizes_and_times() {
        assert_eq!(parse_duration("7d"), Ok(Duration::from_hours(168)));
        assert_eq!(parse_size("2TiB"), Ok(2 << 40));
        for bad in ["", "h", "-1h", "1.5h", "99999999999999999999s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
