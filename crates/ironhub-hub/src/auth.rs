//! Who is calling, and may they.
//!
//! Permissions are checked here and nowhere else. A refusal has a reason for logs and metrics; the peer learns nothing
//! from it, and only who proved its identity learns whether a device exists or is disabled.

mod cache;

use std::sync::Arc;

use ironhub_model::{GenerationId, IdentityId, Permission, Permissions, Timestamp};

pub(crate) use cache::{Credentials, CredentialsCache};

use crate::core::service;
use crate::error::HubError;
use crate::ports::Ports;

service! {
    /// Checks tokens and certificates.
    Auth
}

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
    /// What the proof was checked against.
    credentials: Arc<Credentials>,
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
}

impl<P: Ports> Auth<P> {
    /// Checks a device connection: `token` is the MQTT password, `host` what the user name says, `certificates` what
    /// TLS has proved, leaf first. A policy with `DeviceConnect` may stand in for any device it covers.
    pub async fn connect_device(
        &self,
        id: &IdentityId,
        host: &str,
        token: Option<&str>,
        certificates: &[&[u8]],
    ) -> Result<DevicePrincipal, HubError> {
        let _ = (id, host, token, certificates);
        Err(HubError::Internal("not built yet".into()))
    }

    /// The same for one HTTPS request on a device's path. An unknown device is `DeviceNotFound` only for a caller that
    /// holds a policy's key.
    pub async fn authorize_device(
        &self,
        id: &IdentityId,
        authorization: Option<&str>,
        certificates: &[&[u8]],
    ) -> Result<DevicePrincipal, HubError> {
        let _ = (id, authorization, certificates);
        Err(HubError::Internal("not built yet".into()))
    }

    /// Checks a back end's request: a genuine policy token, whose resource covers `path` (decoded, from the root), with
    /// one of the permissions.
    pub async fn authorize_service(
        &self,
        authorization: Option<&str>,
        path: &str,
        any_of: &[Permission],
    ) -> Result<ServicePrincipal, HubError> {
        let _ = (authorization, path, any_of);
        Err(HubError::Internal("not built yet".into()))
    }

    /// Is what this principal proved still true? To be asked after the link is claimed, since a disabling or a key roll
    /// may have come between the proof and the claim.
    pub async fn recheck(&self, principal: &DevicePrincipal) -> Result<(), HubError> {
        let _ = &principal.credentials;
        Err(HubError::Internal("not built yet".into()))
    }
}
