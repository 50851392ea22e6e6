//! Connection strings: where to connect and as whom.

use std::fmt;

use crate::identity::{DeviceId, ModuleId};
use crate::symmetric_key::SymmetricKey;

/// `HostName=…;DeviceId=…;SharedAccessKey=…` and its kin. Fields come in any order, names in any letter case.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    /// The hub, with a port when one was given.
    pub host_name: String,
    /// The gateway to connect to instead.
    pub gateway_host_name: Option<String>,
    /// The device, for a device's or module's string.
    pub device_id: Option<DeviceId>,
    /// The module.
    pub module_id: Option<ModuleId>,
    /// The policy, for a back end's string.
    pub policy: Option<String>,
    /// The key of the identity or of the policy.
    pub key: Option<SymmetricKey>,
    /// The device proves itself by certificate.
    pub x509: bool,
}

/// What is wrong with a connection string; names the part, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConnectionString {
    /// A part without `=`.
    #[error("part {0} has no '='; expected Name=value parts joined by ';'")]
    NotAPair(usize),
    /// A required part is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A part is there but its value is not legal.
    #[error("{0} is not valid: {1}")]
    Malformed(&'static str, String),
}

impl ConnectionString {
    /// Parses the text; names the part that is missing or wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidConnectionString> {
        use InvalidConnectionString::{Malformed, Missing, NotAPair};
        let mut pairs = Vec::new();
        for (index, part) in text.trim().split(';').filter(|part| !part.is_empty()).enumerate() {
            pairs.push(part.split_once('=').ok_or(NotAPair(index + 1))?);
        }
        let field = |name: &str| {
            pairs
                .iter()
                .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
                .map(|(_, v)| *v)
        };
        let parsed = Self {
            host_name: field("HostName")
                .filter(|host| !host.is_empty())
                .ok_or(Missing("HostName"))?
                .into(),
            gateway_host_name: field("GatewayHostName").map(Into::into),
            device_id: field("DeviceId")
                .map(DeviceId::parse)
                .transpose()
                .map_err(|error| Malformed("DeviceId", error.to_string()))?,
            module_id: field("ModuleId")
                .map(ModuleId::parse)
                .transpose()
                .map_err(|error| Malformed("ModuleId", error.to_string()))?,
            policy: field("SharedAccessKeyName").map(Into::into),
            key: field("SharedAccessKey")
                .map(SymmetricKey::parse)
                .transpose()
                .map_err(|error| Malformed("SharedAccessKey", error.to_string()))?,
            x509: field("x509").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        };
        match (&parsed.device_id, &parsed.policy, &parsed.key) {
            (None, None, _) => Err(Missing("DeviceId or SharedAccessKeyName")),
            (_, _, None) if !parsed.x509 => Err(Missing("SharedAccessKey (or x509=true)")),
            _ => Ok(parsed),
        }
    }

    /// A device's or module's own string with its key.
    pub fn for_device(host_name: &str, device_id: DeviceId, module_id: Option<ModuleId>, key: SymmetricKey) -> Self {
        Self {
            host_name: host_name.into(),
            gateway_host_name: None,
            device_id: Some(device_id),
            module_id,
            policy: None,
            key: Some(key),
            x509: false,
        }
    }

    /// A policy's string with its key.
    pub fn for_policy(host_name: &str, policy: &str, key: SymmetricKey) -> Self {
        Self {
            host_name: host_name.into(),
            gateway_host_name: None,
            device_id: None,
            module_id: None,
            policy: Some(policy.into()),
            key: Some(key),
            x509: false,
        }
    }

    /// The text with its key, in Azure's order of parts: for the owner's eyes.
    pub fn expose(&self) -> String {
        let mut parts = vec![format!("HostName={}", self.host_name)];
        let mut part = |name: &str, value: Option<&str>| parts.extend(value.map(|value| format!("{name}={value}")));
        part("DeviceId", self.device_id.as_ref().map(DeviceId::as_str));
        part("ModuleId", self.module_id.as_ref().map(ModuleId::as_str));
        part("SharedAccessKeyName", self.policy.as_deref());
        part("x509", self.x509.then_some("true"));
        part("SharedAccessKey", self.key.as_ref().map(SymmetricKey::expose));
        part("GatewayHostName", self.gateway_host_name.as_deref());
        parts.join(";")
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ConnectionString");
        shown
            .field("host_name", &self.host_name)
            .field("device_id", &self.device_id);
        shown
            .field("module_id", &self.module_id)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

    #[test]
    fn round_trips_in_azures_order() {
        for text in [
            format!("HostName=h.example;DeviceId=d;SharedAccessKey={KEY}"),
            format!("HostName=h.example;DeviceId=d;ModuleId=m;SharedAccessKey={KEY};GatewayHostName=g"),
            format!("HostName=h.example:8443;SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}"),
            "HostName=h.example;DeviceId=d;x509=true".into(),
        ] {
            assert_eq!(ConnectionString::parse(&text).unwrap().expose(), text);
        }
        let odd = format!("sharedaccesskey={KEY};deviceid=d;;HOSTNAME=h;");
        assert_eq!(ConnectionString::parse(&odd).unwrap().host_name, "h");
    }

    #[test]
    fn names_the_bad_part() {
        for (text, message) in [
            ("", "HostName is missing"),
            ("HostName", "part 1 has no '='; expected Name=value parts joined by ';'"),
            ("HostName=h", "DeviceId or SharedAccessKeyName is missing"),
            ("HostName=h;DeviceId=d", "SharedAccessKey (or x509=true) is missing"),
            (
                "HostName=h;DeviceId=d;SharedAccessKey=secret",
                "SharedAccessKey is not valid: a symmetric key is base64 of 16 to 64 bytes",
            ),
        ] {
            assert_eq!(
                ConnectionString::parse(text).unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
    }

    #[test]
    fn debug_hides_the_key() {
        let parsed = ConnectionString::parse(&format!("HostName=h;DeviceId=d;SharedAccessKey={KEY}")).unwrap();
        assert!(!format!("{parsed:?}").contains("a2tr"));
    }
}
