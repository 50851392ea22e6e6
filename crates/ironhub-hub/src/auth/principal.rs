//! Callers that have proved who they are.

use std::sync::Arc;

use ironhub_model::{GenerationId, IdentityId, Permissions, SymmetricKey, Thumbprint, Timestamp};

/// A device or module that has proved itself, or a policy acting for it.
#[derive(Debug, Clone)]
pub struct DevicePrincipal {
    /// Who.
    pub id: IdentityId,
    /// Which creation of that ID.
    pub generation_id: GenerationId,
    /// By what.
    pub kind: AuthKind,
    /// Until when: the token's expiry plus the allowed clock skew; the token was accepted, and its connection is cut,
    /// by this same instant. `None` for certificates.
    pub expires_at: Option<Timestamp>,
    pub(super) proof: Proof,
}

/// What vouched for a principal, to be looked for again when things have changed.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    /// One of the identity's own keys.
    Key(SymmetricKey),
    /// A key of a policy.
    Policy { name: String, key: SymmetricKey },
    /// One of the identity's thumbprints.
    Thumbprint(Thumbprint),
    /// A verified authority of the hub, by its certificate.
    Authority(Arc<[u8]>),
}

/// How a device proved itself; becomes the annotation `iothub-connection-auth-method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthKind {
    /// A token.
    Sas {
        /// Whose key signed it.
        scope: SasScope,
    },
    /// A certificate.
    X509 {
        /// What vouches for it.
        issuer: X509Issuer,
    },
}

/// Whose key signed a device's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SasScope {
    /// The device's own.
    Device,
    /// The module's own.
    Module,
    /// A shared access policy of the hub.
    Hub,
}

/// What vouches for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum X509Issuer {
    /// A registered thumbprint.
    SelfSigned,
    /// A verified authority of the hub.
    Authority,
}

/// A back end that holds a policy's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// The policy.
    pub policy: String,
    /// All its rights, not only those asked for.
    pub permissions: Permissions,
    /// Until when: the token's expiry plus the allowed clock skew.
    pub expires_at: Timestamp,
    /// The policy's key that signed the token.
    pub(super) key: SymmetricKey,
}
