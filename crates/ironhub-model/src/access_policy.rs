//! Shared access policies: named keys with permissions.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::POLICY_NAME_CHARS_MAX;
use crate::symmetric_key::SymmetricKey;

/// One right. Writing implies reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// Read identities.
    RegistryRead,
    /// Create, change and delete identities.
    RegistryWrite,
    /// Twins, methods, queries, jobs, C2D, feedback, events.
    ServiceConnect,
    /// Act as a device.
    DeviceConnect,
}

impl Permission {
    const fn bits(self) -> u8 {
        match self {
            Self::RegistryRead => 1,
            Self::RegistryWrite => 2 | 1,
            Self::ServiceConnect => 4,
            Self::DeviceConnect => 8,
        }
    }
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct Permissions(u8);

impl Permissions {
    /// Every right.
    pub const ALL: Self = Self(15);

    /// The rights listed, and what they imply.
    pub fn of(permissions: &[Permission]) -> Self {
        Self(permissions.iter().fold(0, |bits, permission| bits | permission.bits()))
    }

    /// Does the set hold this right?
    pub fn allows(self, permission: Permission) -> bool {
        self.0 & permission.bits() == permission.bits()
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Vec::from(*self)).finish()
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(list: Vec<Permission>) -> Self {
        Self::of(&list)
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(set: Permissions) -> Self {
        use Permission::{DeviceConnect, RegistryRead, RegistryWrite, ServiceConnect};
        [RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect]
            .into_iter()
            .filter(|p| set.allows(*p))
            .collect()
    }
}

/// A named key with rights, the `skn` of a SAS token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessPolicy {
    /// At most 64 characters of `A–Z a–z 0–9 _ - @ .`.
    pub name: String,
    /// What holders of a key may do.
    pub permissions: Permissions,
    /// Tried first.
    pub primary_key: SymmetricKey,
    /// Tried second.
    pub secondary_key: SymmetricKey,
}

impl AccessPolicy {
    /// Is this text a legal policy name?
    pub fn is_name(text: &str) -> bool {
        (1..=POLICY_NAME_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-@.".contains(&b))
    }

    /// The five policies of a fresh hub with their rights, in the order in which they are listed.
    pub fn defaults() -> [(&'static str, Permissions); 5] {
        use Permission::{DeviceConnect, RegistryRead, RegistryWrite, ServiceConnect};
        [
            ("iothubowner", Permissions::ALL),
            ("service", Permissions::of(&[ServiceConnect])),
            ("device", Permissions::of(&[DeviceConnect])),
            ("registryRead", Permissions::of(&[RegistryRead])),
            ("registryReadWrite", Permissions::of(&[RegistryWrite])),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_implies_reading_and_nothing_else() {
        let write = Permissions::of(&[Permission::RegistryWrite]);
        assert!(write.allows(Permission::RegistryRead));
        assert!(!write.allows(Permission::ServiceConnect));
        let read = Permissions::of(&[Permission::RegistryRead]);
        assert!(!read.allows(Permission::RegistryWrite));
        assert_eq!(Vec::from(Permissions::ALL).len(), 4);
    }
}
