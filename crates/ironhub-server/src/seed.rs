//! What a fresh hub holds: devices with their modules and twins, routes, consumer groups, CA certificates.
//!
//! Read from TOML; what the file says wrong is named with its place. Seeding an existing hub adds what is missing and
//! changes nothing that is there.

use std::path::Path;

use ironhub_model::identity::{Capabilities, IdentityId};
use ironhub_model::registry::{AuthenticationSpec, DeviceSpec, ModuleSpec};
use ironhub_model::settings::{CaCertificate, Route};
use ironhub_model::{AuthenticationType, ConsumerGroup, DeviceId, DeviceStatus, ModuleId};
use serde::Deserialize;

use crate::{declared, dev_keys};

/// The content of a seed file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Seed {
    /// Devices to register.
    #[serde(rename = "device")]
    pub devices: Vec<SeedDevice>,
    /// Routes to the built-in endpoint.
    #[serde(rename = "route", deserialize_with = "declared::routes")]
    pub routes: Vec<Route>,
    /// Consumer groups besides `$Default`.
    pub consumer_groups: Vec<ConsumerGroup>,
    /// Authorities for devices with CA-signed certificates; paths are relative to the seed file.
    #[serde(rename = "ca-certificate")]
    pub ca_certificates: Vec<SeedCaCertificate>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SeedDevice {
    /// Its ID.
    pub id: DeviceId,
    /// How it proves itself; keys when left out.
    #[serde(default)]
    pub authentication: SeedCredentials,
    /// May it connect.
    #[serde(default)]
    pub status: DeviceStatus,
    /// An IoT Edge device.
    #[serde(default)]
    pub edge: bool,
    /// Tags for its twin.
    pub tags: Option<serde_json::Value>,
    /// Desired properties for its twin.
    pub desired: Option<serde_json::Value>,
    /// Its modules.
    #[serde(default, rename = "module")]
    pub modules: Vec<SeedModule>,
}

/// One module.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SeedModule {
    /// Its ID.
    pub id: ModuleId,
    /// How it proves itself; keys when left out.
    #[serde(default)]
    pub authentication: SeedCredentials,
}

/// How a seeded identity proves itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SeedCredentials {
    /// `sas`, `selfSigned` or `certificateAuthority`.
    #[serde(rename = "type")]
    pub kind: Option<AuthenticationType>,
    /// Base64; made up when left out.
    pub primary_key: Option<String>,
    /// Base64; made up when left out.
    pub secondary_key: Option<String>,
    /// 40 or 64 hexadecimal digits.
    pub primary_thumbprint: Option<String>,
    /// 40 or 64 hexadecimal digits.
    pub secondary_thumbprint: Option<String>,
}

/// A CA certificate in a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SeedCaCertificate {
    /// Its name in the hub.
    pub name: String,
    /// The PEM text; filled from `file` when the seed is loaded.
    #[serde(default)]
    pub pem: String,
    /// The PEM file.
    pub file: Option<std::path::PathBuf>,
    /// Taken as the operator's own.
    #[serde(default = "verified")]
    pub verified: bool,
}

const fn verified() -> bool {
    true
}

/// Why a seed file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what a seed file may hold.
    #[error("{path}: {reason}", path = .path.display())]
    Content {
        /// Which.
        path: std::path::PathBuf,
        /// Line, column, what was found and what was expected.
        reason: String,
    },
}

impl Seed {
    /// What `serve --dev` registers when no seed is named.
    pub fn dev() -> Self {
        let authentication = SeedCredentials {
            primary_key: dev_keys::primary(dev_keys::DEVICE_ID).ok().map(String::from),
            secondary_key: dev_keys::secondary(dev_keys::DEVICE_ID).ok().map(String::from),
            ..SeedCredentials::default()
        };
        let device = DeviceId::parse(dev_keys::DEVICE_ID).map(|id| SeedDevice {
            id,
            authentication,
            status: DeviceStatus::Enabled,
            edge: false,
            tags: None,
            desired: None,
            modules: Vec::new(),
        });
        Self {
            devices: device.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Reads a seed file and the files that it names.
    pub fn load(path: &Path) -> Result<Self, SeedError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| SeedError::File {
                path: path.into(),
                source,
            })
        };
        let mut seed = Self::parse(&read(path)?).map_err(|reason| SeedError::Content {
            path: path.into(),
            reason,
        })?;
        let directory = path.parent().unwrap_or(Path::new("."));
        for certificate in &mut seed.ca_certificates {
            if let Some(file) = &certificate.file {
                certificate.pem = read(&directory.join(file))?;
            }
        }
        Ok(seed)
    }

    /// Reads seed text; the error says where.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// The CA certificates as settings hold them.
    pub fn ca_certificates(&self) -> Vec<CaCertificate> {
        let one = |certificate: &SeedCaCertificate| CaCertificate {
            name: certificate.name.clone(),
            pem: certificate.pem.clone(),
            is_verified: certificate.verified,
        };
        self.ca_certificates.iter().map(one).collect()
    }
}

impl SeedCredentials {
    fn spec(&self) -> AuthenticationSpec {
        AuthenticationSpec {
            kind: self.kind,
            primary_key: self.primary_key.clone(),
            secondary_key: self.secondary_key.clone(),
            primary_thumbprint: self.primary_thumbprint.clone(),
            secondary_thumbprint: self.secondary_thumbprint.clone(),
        }
    }
}

impl SeedDevice {
    /// What to ask of the registry.
    pub fn spec(&self) -> DeviceSpec {
        DeviceSpec {
            device_id: self.id.clone(),
            status: Some(self.status),
            status_reason: None,
            authentication: self.authentication.spec(),
            capabilities: Capabilities { iot_edge: self.edge },
            device_scope: None,
            parent_scopes: Vec::new(),
        }
    }

    /// Its modules, as the registry is asked for them.
    pub fn module_specs(&self) -> impl Iterator<Item = ModuleSpec> {
        self.modules.iter().map(|module| ModuleSpec {
            device_id: self.id.clone(),
            module_id: module.id.clone(),
            managed_by: None,
            authentication: module.authentication.spec(),
        })
    }

    /// The device itself.
    pub fn identity(&self) -> IdentityId {
        IdentityId::device(self.id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_seed_is_read() {
        let seed = Seed::parse(
            r#"
            consumer-groups = ["billing"]

            [[device]]
            id = "pump-1"
            authentication = { primary-key = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=" }
            tags = { site = "ship-7" }
            desired = { interval = 10 }

            [[device.module]]
            id = "filter"

            [[device]]
            id = "cam-1"
            authentication = { type = "selfSigned", primary-thumbprint = "A9993E364706816ABA3E25717850C26C9CD0D89D" }
            status = "disabled"

            [[route]]
            name = "twins"
            source = "TwinChangeEvents"
            is-enabled = false
            "#,
        )
        .unwrap();
        let [pump, camera] = seed.devices.as_slice() else {
            panic!("{seed:?}")
        };
        assert_eq!(pump.modules.len(), 1);
        assert_eq!(pump.tags, Some(serde_json::json!({"site": "ship-7"})));
        assert_eq!(camera.spec().authentication.kind, Some(AuthenticationType::SelfSigned));
        assert_eq!(camera.spec().status, Some(DeviceStatus::Disabled));
        assert_eq!(
            (seed.routes[0].name.as_str(), seed.routes[0].is_enabled),
            ("twins", false)
        );
        assert!(seed.consumer_groups[0].is_named("Billing"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, part) in [
            ("[[device]]\nid = \"a/b\"", "a device ID has 1 to 128 characters"),
            (
                "[[device]]\nid = \"a\"\nauthentication = { key = \"\" }",
                "unknown field `key`",
            ),
            ("[[device]]\nid = \"a\"\nkey = \"\"", "unknown field `key`"),
            ("[[device]]\nstatus = \"enabled\"", "missing field `id`"),
            ("[[devices]]\nid = \"a\"", "unknown field `devices`"),
            ("[[route]]\nname = \"r\"\nsource = \"Twins\"", "unknown variant `Twins`"),
            ("consumer-groups = [\"a b\"]", "a consumer group has 1 to 50 characters"),
            ("[[device]", "line 1"),
        ] {
            let error = Seed::parse(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_development_seed_is_the_tutorials_device() {
        let seed = Seed::dev();
        assert_eq!(seed.devices[0].id.as_str(), "MyPythonDevice");
        assert!(seed.devices[0].authentication.primary_key.is_some());
    }
}
