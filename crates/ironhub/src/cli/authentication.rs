//! How an identity proves itself: the flags of `create` and `update`, and its connection string.

use clap::{Args, ValueEnum};
use ironhub_client::service::{SymmetricKeys, Thumbprints};
use ironhub_client::{ConnectionString, DeviceAuthentication};
use ironhub_model::{AuthenticationType, IdentityId, SymmetricKey};

use super::failure::Failure;
use super::own_certificate::OwnCertificate;
use super::secret::Secret;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How it proves itself")]
pub(super) struct AuthenticationArgs {
    /// By keys, by a certificate with a known thumbprint, or by one of a registered authority
    #[arg(long, visible_alias = "am", value_enum, value_name = "METHOD")]
    auth_method: Option<AuthMethod>,
    /// The first key, base64 of 16 to 64 bytes; the hub makes keys up when both are left out
    #[arg(long, visible_alias = "pk", value_name = "KEY")]
    primary_key: Option<Secret>,
    /// The second key
    #[arg(long, visible_alias = "sk", value_name = "KEY")]
    secondary_key: Option<Secret>,
    /// Of a certificate that signs itself: SHA-1 or SHA-256, 40 or 64 hexadecimal digits
    #[arg(long, visible_alias = "ptp", value_name = "THUMBPRINT")]
    primary_thumbprint: Option<String>,
    /// Of another such certificate
    #[arg(long, visible_alias = "stp", value_name = "THUMBPRINT")]
    secondary_thumbprint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum AuthMethod {
    /// Keys.
    SharedPrivateKey,
    /// A certificate that signs itself.
    X509Thumbprint,
    /// A certificate of a registered authority.
    X509Ca,
}

/// `--key-type`: one of the two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum WhichKey {
    Primary,
    Secondary,
}

impl AuthenticationArgs {
    /// For an identity that is made.
    pub(super) fn to_authentication(
        &self,
        certificate: Option<&OwnCertificate>,
    ) -> Result<DeviceAuthentication, Failure> {
        if let Some(certificate) = certificate {
            return self.for_certificate(certificate);
        }
        let mut made = DeviceAuthentication {
            kind: Some(AuthenticationType::Sas),
            ..DeviceAuthentication::default()
        };
        self.change(&mut made)?;
        Ok(made)
    }

    fn for_certificate(&self, certificate: &OwnCertificate) -> Result<DeviceAuthentication, Failure> {
        if self.auth_method != Some(AuthMethod::X509Thumbprint) || self.primary_thumbprint.is_some() {
            return Err(Failure::usage("--output-dir goes with --auth-method x509_thumbprint")
                .with_hint("the certificate that is made gives the primary thumbprint"));
        }
        let with_thumbprint = Self {
            primary_thumbprint: Some(certificate.thumbprint().to_owned()),
            ..self.clone()
        };
        with_thumbprint.to_authentication(None)
    }

    /// Changes what was given and leaves the rest.
    pub(super) fn change(&self, authentication: &mut DeviceAuthentication) -> Result<(), Failure> {
        let before = authentication.kind.unwrap_or(AuthenticationType::Sas);
        let kind = self.auth_method.map_or(before, AuthMethod::kind);
        self.refuse_what_does_not_fit(kind)?;
        if kind != before {
            *authentication = DeviceAuthentication::default();
        }
        authentication.kind = Some(kind);
        match kind {
            AuthenticationType::Sas => self.change_keys(authentication),
            AuthenticationType::SelfSigned => self.change_thumbprints(authentication),
            AuthenticationType::CertificateAuthority | AuthenticationType::None => Ok(()),
        }
    }

    fn refuse_what_does_not_fit(&self, kind: AuthenticationType) -> Result<(), Failure> {
        let has_keys = self.primary_key.is_some() || self.secondary_key.is_some();
        let has_thumbprints = self.primary_thumbprint.is_some() || self.secondary_thumbprint.is_some();
        let (takes_keys, takes_thumbprints) = match kind {
            AuthenticationType::Sas => (true, false),
            AuthenticationType::SelfSigned => (false, true),
            AuthenticationType::CertificateAuthority | AuthenticationType::None => (false, false),
        };
        let stray = match (has_keys && !takes_keys, has_thumbprints && !takes_thumbprints) {
            (false, false) => return Ok(()),
            (true, false) => "keys",
            (false, true) => "thumbprints",
            (true, true) => "keys and thumbprints",
        };
        Err(Failure::usage(format!(
            "{stray} are of no use to an identity with authentication {}",
            kind.as_str()
        ))
        .with_hint("--auth-method chooses how it proves itself"))
    }

    fn change_keys(&self, authentication: &mut DeviceAuthentication) -> Result<(), Failure> {
        let primary = self
            .primary_key
            .as_ref()
            .map(|key| key_of("--primary-key", key))
            .transpose()?;
        let secondary = self
            .secondary_key
            .as_ref()
            .map(|key| key_of("--secondary-key", key))
            .transpose()?;
        let keys = authentication.symmetric_key.get_or_insert_default();
        let next = SymmetricKeys {
            primary_key: primary.or(keys.primary_key.take()),
            secondary_key: secondary.or(keys.secondary_key.take()),
        };
        if next.primary_key.is_some() != next.secondary_key.is_some() {
            return Err(Failure::usage(
                "give --primary-key and --secondary-key, or none: then the hub makes both up",
            ));
        }
        *keys = next;
        Ok(())
    }

    fn change_thumbprints(&self, authentication: &mut DeviceAuthentication) -> Result<(), Failure> {
        let thumbprints = authentication.x509_thumbprint.get_or_insert_default();
        let next = Thumbprints {
            primary_thumbprint: self
                .primary_thumbprint
                .clone()
                .or(thumbprints.primary_thumbprint.take()),
            secondary_thumbprint: self
                .secondary_thumbprint
                .clone()
                .or(thumbprints.secondary_thumbprint.take()),
        };
        if next.primary_thumbprint.is_none() && next.secondary_thumbprint.is_none() {
            return Err(Failure::usage(
                "give --primary-thumbprint, --secondary-thumbprint or both",
            ));
        }
        *thumbprints = next;
        Ok(())
    }
}

impl AuthMethod {
    fn kind(self) -> AuthenticationType {
        match self {
            Self::SharedPrivateKey => AuthenticationType::Sas,
            Self::X509Thumbprint => AuthenticationType::SelfSigned,
            Self::X509Ca => AuthenticationType::CertificateAuthority,
        }
    }
}

fn key_of(flag: &str, text: &Secret) -> Result<SymmetricKey, Failure> {
    SymmetricKey::parse(text.expose()).map_err(|error| Failure::usage(format!("{flag} is not valid: {error}")))
}

/// The connection string by which this identity connects.
pub(super) fn connection_string(
    host_name: &str,
    id: &IdentityId,
    authentication: &DeviceAuthentication,
    which: WhichKey,
) -> Result<ConnectionString, Failure> {
    let keys = authentication.symmetric_key.as_ref();
    let key = keys.and_then(|keys| match which {
        WhichKey::Primary => keys.primary_key.clone(),
        WhichKey::Secondary => keys.secondary_key.clone(),
    });
    let by_certificate = match authentication.kind.unwrap_or(AuthenticationType::Sas) {
        AuthenticationType::SelfSigned | AuthenticationType::CertificateAuthority => true,
        AuthenticationType::Sas if key.is_some() => false,
        AuthenticationType::Sas => {
            return Err(Failure::refused(format!("the hub did not tell the keys of {id}"))
                .with_hint("they are told to policies with RegistryRead"));
        }
        AuthenticationType::None => {
            return Err(Failure::failed(format!("{id} cannot prove itself yet: it has no keys")));
        }
    };
    Ok(ConnectionString {
        host_name: host_name.to_owned(),
        gateway_host_name: None,
        device_id: Some(id.device.clone()),
        module_id: id.module.clone(),
        policy: None,
        key: key.filter(|_| !by_certificate),
        x509: by_certificate,
    })
}
