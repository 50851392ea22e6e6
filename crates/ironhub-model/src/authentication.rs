//! How an identity proves itself.

use serde::{Deserialize, Serialize};

use crate::symmetric_key::SymmetricKey;
use crate::thumbprint::Thumbprint;

/// The kind of proof; an identity has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AuthenticationType {
    /// A SAS token signed with one of two symmetric keys.
    Sas,
    /// A certificate with one of two thumbprints.
    SelfSigned,
    /// A certificate of a registered authority, with the identity's name.
    CertificateAuthority,
    /// It cannot prove itself: system modules of IoT Edge before they are managed.
    None,
}

/// The kind of proof with its secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Authentication {
    /// See [`AuthenticationType::Sas`].
    Sas {
        /// Tried first.
        primary: SymmetricKey,
        /// Tried second, so that keys roll without an outage.
        secondary: SymmetricKey,
    },
    /// See [`AuthenticationType::SelfSigned`].
    SelfSigned {
        /// At least one of the two is set.
        primary: Option<Thumbprint>,
        /// At least one of the two is set.
        secondary: Option<Thumbprint>,
    },
    /// See [`AuthenticationType::CertificateAuthority`].
    CertificateAuthority,
    /// See [`AuthenticationType::None`].
    None,
}

impl Authentication {
    /// The kind without the secrets.
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Sas { .. } => AuthenticationType::Sas,
            Self::SelfSigned { .. } => AuthenticationType::SelfSigned,
            Self::CertificateAuthority => AuthenticationType::CertificateAuthority,
            Self::None => AuthenticationType::None,
        }
    }
}

impl AuthenticationType {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sas => "sas",
            Self::SelfSigned => "selfSigned",
            Self::CertificateAuthority => "certificateAuthority",
            Self::None => "none",
        }
    }
}
