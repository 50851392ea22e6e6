//! Device and module identities: who may connect, and as what.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::authentication::Authentication;
use crate::limits;
use crate::timestamp::Timestamp;

/// Defines an ID type over the alphabet that IoT Hub allows.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and alphabet. IDs are case-sensitive.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                match text.len() {
                    1..=limits::ID_BYTES_MAX if text.bytes().all(is_id_byte) => Ok(Self(text.into())),
                    _ => Err(InvalidId { what: $what }),
                }
            }

            /// The ID as registered.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().into()
            }
        }
    };
}

id! {
    /// A device ID: case-sensitive, at most 128 characters of the alphabet that IoT Hub documents.
    DeviceId, "device ID"
}
id! {
    /// A module ID: the same alphabet as a device ID.
    ModuleId, "module ID"
}

/// The text is empty, too long, or has a character outside `A–Z a–z 0–9 - : . + % _ # * ? ! ( ) , = @ ; $ '`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {what} has 1 to 128 characters: ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ '")]
pub struct InvalidId {
    what: &'static str,
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-:.+%_#*?!(),=@;$'".contains(&byte)
}

/// A device, or a module of a device: whatever has its own credentials, twin and connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId {
    /// The device.
    pub device: DeviceId,
    /// The module, when this is one.
    pub module: Option<ModuleId>,
}

impl IdentityId {
    /// A device itself.
    pub fn device(device: DeviceId) -> Self {
        Self { device, module: None }
    }

    /// A module of a device.
    pub fn module(device: DeviceId, module: ModuleId) -> Self {
        Self {
            device,
            module: Some(module),
        }
    }

    /// Parses `{device}` or `{device}/{module}`, the form of MQTT client IDs and log fields.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        match text.split_once('/') {
            None => Ok(Self::device(DeviceId::parse(text)?)),
            Some((device, module)) => Ok(Self::module(DeviceId::parse(device)?, ModuleId::parse(module)?)),
        }
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            None => write!(f, "{}", self.device),
            Some(module) => write!(f, "{}/{module}", self.device),
        }
    }
}

impl fmt::Debug for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which creation of an ID this is: re-creating a deleted device gives another. Decimal text of the ticks of .NET.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenerationId(Arc<str>);

impl GenerationId {
    /// The generation of an identity created at `created`; `salt` (0–9) keeps two creations in one microsecond apart.
    pub fn created_at(created: Timestamp, salt: u8) -> Self {
        Self((created.dotnet_ticks() + i64::from(salt % 10)).to_string().into())
    }

    /// As it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The version of a record as clients see it: opaque text without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Etag(Arc<str>);

impl Etag {
    /// Takes the text as it is; an ETag means nothing but its equality.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// As it stands in JSON bodies.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// May the identity connect?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeviceStatus {
    /// It may.
    #[default]
    Enabled,
    /// Its connections are refused and a live one is cut.
    Disabled,
}

/// What a device is besides a sender of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// An IoT Edge device: it has a scope and system modules.
    pub iot_edge: bool,
}

/// The registry's record of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceIdentity {
    /// Its name.
    pub device_id: DeviceId,
    /// Which creation of that name.
    pub generation_id: GenerationId,
    /// The version of this record; changes with every write.
    pub etag: Etag,
    /// May it connect.
    pub status: DeviceStatus,
    /// Why the status is what it is; at most 128 characters.
    pub status_reason: Option<String>,
    /// When the status last changed; [`Timestamp::NEVER`] until it does.
    pub status_updated_at: Timestamp,
    /// How it proves itself.
    pub authentication: Authentication,
    /// What it is.
    pub capabilities: Capabilities,
    /// The scope that an edge device opens, or the one of its parent for a leaf.
    pub device_scope: Option<String>,
    /// Scopes of its parents.
    pub parent_scopes: Vec<String>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// The registry's record of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleIdentity {
    /// The device it belongs to.
    pub device_id: DeviceId,
    /// Its name on that device.
    pub module_id: ModuleId,
    /// Which creation of that name.
    pub generation_id: GenerationId,
    /// The version of this record; changes with every write.
    pub etag: Etag,
    /// Who manages it, `iotEdge` for modules of IoT Edge; at most 128 characters.
    pub managed_by: Option<String>,
    /// How it proves itself.
    pub authentication: Authentication,
    /// When it was registered.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_an_alphabet_and_a_length() {
        for good in ["a", "Dev-01", "-:.+%_#*?!(),=@;$'", &"x".repeat(128)] {
            assert_eq!(DeviceId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "invalid/name", "a b", "é", "a\0", "a&b", "a\"b", &"x".repeat(129)] {
            assert!(DeviceId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_identity_is_a_device_or_a_module() {
        assert_eq!(IdentityId::parse("d").unwrap().to_string(), "d");
        assert_eq!(IdentityId::parse("d/m").unwrap().module.unwrap().as_str(), "m");
        for bad in ["", "/", "d/", "/m", "d/m/n"] {
            assert!(IdentityId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn stored_ids_are_checked_again() {
        assert!(serde_json::from_str::<DeviceId>("\"a/b\"").is_err());
        assert_eq!(serde_json::to_string(&DeviceId::parse("a").unwrap()).unwrap(), "\"a\"");
    }
}
