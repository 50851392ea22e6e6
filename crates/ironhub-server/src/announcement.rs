//! What a started hub tells: to people on the terminal, to scripts through the ready file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use ironhub_model::{ConnectionString, DeviceId, SymmetricKey};
use serde::Serialize;

use crate::policies::{self, connection_string};

/// Everything a client needs to know of a started hub. Holds keys: for the owner's eyes.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Announcement {
    /// What connection strings say.
    pub host_name: String,
    /// The ports as bound.
    pub ports: BoundPorts,
    /// Where health, metrics and the CA are told over plain HTTP.
    pub health_url: String,
    /// The certificate to trust; absent when certificates come from files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Ready to paste.
    pub connection_strings: ConnectionStrings,
    /// Where the keys of a production hub are kept. Its terminal is often a log, so [`Announcement::to_text`] names
    /// the command that shows them in place of the connection strings.
    #[serde(skip)]
    pub keys_in: Option<PathBuf>,
}

/// The ports as bound; a listener that is off is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundPorts {
    /// MQTT over TLS.
    pub mqtt: u16,
    /// AMQP over TLS.
    pub amqp: u16,
    /// HTTPS and WebSocket.
    pub https: u16,
    /// MQTT without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mqtt_plain: Option<u16>,
    /// AMQP without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amqp_plain: Option<u16>,
    /// Health, metrics and the CA.
    pub health: u16,
}

/// Connection strings of a hub, with their keys.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionStrings {
    /// One for each policy, by its name.
    #[serde(flatten)]
    pub policies: BTreeMap<String, String>,
    /// For Event Hubs clients that read the built-in endpoint.
    pub event_hubs: String,
    /// For each seeded device that has keys.
    pub devices: BTreeMap<String, String>,
}

impl ConnectionStrings {
    /// The strings of these policies and devices.
    pub fn new<'a>(
        (host_name, hub_name): (&str, &str),
        policies: impl IntoIterator<Item = (&'a str, SymmetricKey)>,
        devices: impl IntoIterator<Item = (DeviceId, SymmetricKey)>,
    ) -> Self {
        let named: Vec<_> = policies.into_iter().collect();
        let event_hubs = named
            .iter()
            .find(|(name, _)| *name == "service")
            .or(named.first())
            .map(|(name, key)| policies::event_hubs(host_name, hub_name, (name, key)));
        Self {
            event_hubs: event_hubs.unwrap_or_default(),
            policies: named
                .iter()
                .map(|(name, key)| ((*name).to_owned(), connection_string(host_name, name, key)))
                .collect(),
            devices: devices
                .into_iter()
                .map(|(id, key)| {
                    (
                        id.to_string(),
                        ConnectionString::for_device(host_name, id, None, key).expose(),
                    )
                })
                .collect(),
        }
    }
}

impl Announcement {
    /// The ready file: one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// For the terminal of `serve`.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let host = &self.host_name;
        let ports = &self.ports;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "IronHub is ready: {host}  MQTT {}  AMQP {}  HTTPS and WebSocket {}",
            ports.mqtt, ports.amqp, ports.https
        );
        for (name, port) in [("MQTT", ports.mqtt_plain), ("AMQP", ports.amqp_plain)] {
            let _ = port.map(|port| write!(text, "  plain {name} {port} (loopback)"));
        }
        let _ = writeln!(text, "\nHealth   {}  (/metrics, /ca.pem)\n", self.health_url);
        text += &self.connection_strings_or_where_they_are();
        if ports.https != 443 {
            let _ = writeln!(
                text,
                "\nHTTPS is on {} because 443 was not to be had. Microsoft's Node SDKs, all devices over WebSocket and \
                 all REST clients insist on 443 and will not find the hub.\nTo let this program bind 443, run:\n  \
                 sudo setcap cap_net_bind_service=+ep \"$(command -v ironhub || echo target/release/ironhub)\"",
                ports.https
            );
        }
        if let Some(ca_file) = &self.ca_file {
            let _ = write!(text, "\n{}", trust_lines(ca_file, host));
        }
        text
    }

    fn connection_strings_or_where_they_are(&self) -> String {
        let host = &self.host_name;
        if let Some(directory) = &self.keys_in {
            let directory = directory.display();
            return format!(
                "The keys are sealed in {directory}. Show the policies' connection strings with\n  \
                 ironhub policy show --data-dir \"{directory}\" --host-name {host}\n"
            );
        }
        let strings = &self.connection_strings;
        let mut text = String::new();
        for (id, connection_string) in &strings.devices {
            let _ = writeln!(text, "Device {id}\n  {connection_string}");
        }
        for (name, connection_string) in &strings.policies {
            let _ = writeln!(text, "Policy {name}\n  {connection_string}");
        }
        let _ = writeln!(text, "Event Hubs-compatible endpoint\n  {}", strings.event_hubs);
        text
    }
}

/// How each kind of client takes the CA; `ironhub trust` prints the same.
pub fn trust_lines(ca_file: &Path, host_name: &str) -> String {
    let ca = ca_file.display();
    let rows = [
        ("Python device SDK", format!("export SSL_CERT_FILE=\"{ca}\"")),
        (
            "Python service SDK",
            format!("export REQUESTS_CA_BUNDLE=\"{ca}\" SSL_CERT_FILE=\"{ca}\"   (REST, AMQP)"),
        ),
        (
            "Python Event Hubs",
            format!(
                "pass connection_verify=\"{ca}\", or once for all:\n{INDENT}cat \"{ca}\" >> \"$(python3 -m certifi)\""
            ),
        ),
        ("Node, all packages", format!("export NODE_EXTRA_CA_CERTS=\"{ca}\"")),
        ("C", format!("the option TrustedCerts with the text of {ca}")),
        (
            "Java",
            format!("keytool -importcert -cacerts -storepass changeit -noprompt -alias ironhub -file \"{ca}\""),
        ),
        (".NET, Azure CLI, others", "the system's store:".into()),
        (
            "  Debian, Ubuntu",
            format!("sudo cp \"{ca}\" /usr/local/share/ca-certificates/ironhub.crt && sudo update-ca-certificates"),
        ),
        (
            "  Fedora, RHEL",
            format!("sudo cp \"{ca}\" /etc/pki/ca-trust/source/anchors/ironhub.pem && sudo update-ca-trust"),
        ),
        (
            "  macOS",
            format!("sudo security add-trusted-cert -d -k /Library/Keychains/System.keychain \"{ca}\""),
        ),
    ];
    let mut text = format!("Trust the hub's CA, {ca}\n");
    // Writing to a string cannot fail.
    for (client, way) in rows {
        let _ = writeln!(text, "  {client:<26}{way}");
    }
    let _ = writeln!(
        text,
        "Event Hubs clients do without on a development hub: append ;UseDevelopmentEmulator=true to the connection string."
    );
    if !host_name.contains('.') {
        let _ = writeln!(
            text,
            "C, Java and .NET clients refuse a HostName without a dot: give them HostName=127.0.0.1, which the \
             certificate covers too."
        );
    }
    text
}

/// As far as the first column of the trust lines.
const INDENT: &str = "                            ";

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement() -> Announcement {
        let key = || SymmetricKey::from_bytes(&[b'k'; 32]).unwrap();
        Announcement {
            host_name: "localhost".into(),
            ports: BoundPorts {
                mqtt: 8883,
                amqp: 5671,
                https: 443,
                mqtt_plain: Some(1883),
                amqp_plain: None,
                health: 9600,
            },
            health_url: "http://localhost:9600/health".into(),
            ca_file: Some("/ca/ca.pem".into()),
            connection_strings: ConnectionStrings::new(
                ("localhost", "ironhub"),
                [("iothubowner", key()), ("service", key())],
                [(DeviceId::parse("MyPythonDevice").unwrap(), key())],
            ),
            keys_in: None,
        }
    }

    #[test]
    fn the_ready_file_has_the_documented_members() {
        let json: serde_json::Value = serde_json::from_str(&announcement().to_json()).unwrap();
        assert_eq!(json["host_name"], "localhost");
        assert_eq!(
            json["ports"],
            serde_json::json!({"mqtt": 8883, "amqp": 5671, "https": 443, "mqtt_plain": 1883, "health": 9600})
        );
        assert_eq!(json["ca_file"], "/ca/ca.pem");
        let strings = &json["connection_strings"];
        let key = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
        assert_eq!(
            strings["iothubowner"],
            format!("HostName=localhost;SharedAccessKeyName=iothubowner;SharedAccessKey={key}")
        );
        assert_eq!(
            strings["devices"]["MyPythonDevice"],
            format!("HostName=localhost;DeviceId=MyPythonDevice;SharedAccessKey={key}")
        );
        assert_eq!(
            strings["event_hubs"],
            format!("Endpoint=sb://localhost/;SharedAccessKeyName=service;SharedAccessKey={key};EntityPath=ironhub")
        );
    }

    #[test]
    fn a_production_hub_tells_where_its_keys_are_and_none_of_them() {
        let hub = Announcement {
            keys_in: Some("/var/lib/ironhub".into()),
            ..announcement()
        };
        let text = hub.to_text();
        assert!(!text.contains("SharedAccessKey"), "{text}");
        assert!(
            text.contains("ironhub policy show --data-dir \"/var/lib/ironhub\" --host-name localhost\n"),
            "{text}"
        );
        assert!(hub.to_json().contains("SharedAccessKey"), "the ready file is asked for");
    }

    #[test]
    fn people_are_told_what_to_paste_and_what_to_trust() {
        let text = announcement().to_text();
        for part in [
            "HostName=localhost;DeviceId=MyPythonDevice",
            "\n  Python device SDK         export SSL_CERT_FILE=\"/ca/ca.pem\"\n",
            "REQUESTS_CA_BUNDLE=\"/ca/ca.pem\"",
            "connection_verify=\"/ca/ca.pem\"",
            "certifi",
            "NODE_EXTRA_CA_CERTS",
            "update-ca-certificates",
            "UseDevelopmentEmulator=true",
            "HostName=127.0.0.1",
        ] {
            assert!(text.contains(part), "{part} not in:\n{text}");
        }
        assert!(!text.contains("setcap"), "{text}");
        let elsewhere = Announcement {
            health_url: "http://127.0.0.9:9600/health".into(),
            ..announcement()
        };
        assert!(
            elsewhere
                .to_text()
                .contains("\nHealth   http://127.0.0.9:9600/health  ")
        );
        let mut fallback = announcement();
        fallback.ports.https = 8443;
        assert!(fallback.to_text().contains("setcap cap_net_bind_service=+ep"));
    }
}
