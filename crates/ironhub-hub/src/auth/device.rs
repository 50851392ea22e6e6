//! Devices and modules: by their own token, by a policy's, by certificate.

use std::sync::Arc;

use ironhub_model::{Authentication, DeviceStatus, IdentityId, Permission, SasToken};

use super::certificate::{has_thumbprint, is_vouched_for};
use super::principal::Proof;
use super::scope::Coverage;
use super::{AuthKind, Credentials, DevicePrincipal, KeyForms, PolicyProof, SasScope, X509Issuer, signing_key};
use crate::core::Core;
use crate::error::{HubError, Unauthorized};
use crate::ports::Ports;
use crate::store;

impl<P: Ports> Core<P> {
    /// A token where one is given, else the certificate.
    pub(super) async fn authenticate_device(
        &self,
        id: &IdentityId,
        token: Option<&str>,
        certificates: &[&[u8]],
    ) -> Result<DevicePrincipal, HubError> {
        if let Some(text) = token.filter(|text| !text.is_empty()) {
            let token = SasToken::parse(text).map_err(|_| Unauthorized::MalformedToken)?;
            return match token.policy() {
                Some(name) => self.by_policy(id, &token, name).await,
                None => self.by_own_key(id, &token).await,
            };
        }
        if certificates.is_empty() {
            return Err(Unauthorized::NoCredentials.into());
        }
        self.by_certificate(id, certificates).await
    }

    /// Fails unless what the principal proved would be proved again now.
    pub(crate) async fn recheck(&self, principal: &DevicePrincipal) -> Result<(), HubError> {
        let current = self.credentials(&principal.id).await?;
        let current = current.filter(|current| current.generation_id == principal.generation_id);
        let current = current.ok_or(Unauthorized::Revoked)?;
        let vouches = match (&principal.proof, &current.authentication) {
            (Proof::Key(key), Authentication::Sas { primary, secondary }) => {
                [primary, secondary].contains(&key) && self.settings.current().takes_own_tokens(&principal.id)
            }
            (Proof::Thumbprint(thumbprint), Authentication::SelfSigned { primary, secondary }) => {
                [primary, secondary].into_iter().flatten().any(|own| own == thumbprint)
            }
            (Proof::Authority(der), Authentication::CertificateAuthority) => self
                .settings
                .authorities()
                .iter()
                .any(|authority| authority.der == *der),
            (Proof::Policy { name, key }, _) => self.policy_vouches(name, key, &[Permission::DeviceConnect]),
            (Proof::Key(_) | Proof::Thumbprint(_) | Proof::Authority(_), _) => false,
        };
        if !vouches {
            return Err(Unauthorized::Revoked.into());
        }
        enabled(&principal.id, &current)
    }

    pub(super) async fn by_own_key(&self, id: &IdentityId, token: &SasToken<'_>) -> Result<DevicePrincipal, HubError> {
        let (scope, expires_at) = self.host_and_time(token)?;
        if !scope.is(id) {
            return Err(Unauthorized::WrongResource.into());
        }
        let credentials = self.credentials(id).await?.ok_or(Unauthorized::UnknownIdentity)?;
        let Authentication::Sas { primary, secondary } = &credentials.authentication else {
            return Err(Unauthorized::WrongKind.into());
        };
        let key = signing_key(token, primary, secondary, KeyForms::Decoded)?;
        if !self.settings.current().takes_own_tokens(id) {
            return Err(Unauthorized::TokensDisabled.into());
        }
        enabled(id, &credentials)?;
        let scope = if id.module.is_some() {
            SasScope::Module
        } else {
            SasScope::Device
        };
        Ok(DevicePrincipal {
            id: id.clone(),
            generation_id: credentials.generation_id.clone(),
            kind: AuthKind::Sas { scope },
            expires_at: Some(expires_at),
            proof: Proof::Key(key),
        })
    }

    /// A policy's key is worth more than the device's: its holder may learn what exists.
    async fn by_policy(&self, id: &IdentityId, token: &SasToken<'_>, name: &str) -> Result<DevicePrincipal, HubError> {
        let proof = self.policy_proof(token, name, KeyForms::Decoded)?;
        self.by_policy_proof(id, &proof).await
    }

    pub(super) async fn by_policy_proof(
        &self,
        id: &IdentityId,
        proof: &PolicyProof,
    ) -> Result<DevicePrincipal, HubError> {
        self.check_local_auth()?;
        if !proof.policy.permissions.allows(Permission::DeviceConnect) {
            return Err(Unauthorized::MissingPermission.into());
        }
        let is_covered = match proof.scope.covers(id) {
            Coverage::Literal | Coverage::DecodedTwice(None) => true,
            Coverage::No => false,
            Coverage::DecodedTwice(Some(literal)) => self.credentials(&literal).await?.is_none(),
        };
        if !is_covered {
            return Err(Unauthorized::WrongResource.into());
        }
        let Some(credentials) = self.credentials(id).await? else {
            return Err(self.missing(id).await?);
        };
        enabled(id, &credentials)?;
        Ok(DevicePrincipal {
            id: id.clone(),
            generation_id: credentials.generation_id.clone(),
            kind: AuthKind::Sas { scope: SasScope::Hub },
            expires_at: Some(proof.expires_at),
            proof: Proof::Policy {
                name: proof.policy.name.clone(),
                key: proof.key.clone(),
            },
        })
    }

    async fn by_certificate(&self, id: &IdentityId, certificates: &[&[u8]]) -> Result<DevicePrincipal, HubError> {
        let credentials = self.credentials(id).await?.ok_or(Unauthorized::UnknownIdentity)?;
        let leaf = certificates.first().ok_or(Unauthorized::NoCredentials)?;
        let (issuer, proof) = match &credentials.authentication {
            Authentication::SelfSigned { primary, secondary } => {
                let registered = [primary, secondary].into_iter().flatten();
                let thumbprint = has_thumbprint(leaf, registered, self.now())?;
                (X509Issuer::SelfSigned, Proof::Thumbprint(thumbprint.clone()))
            }
            Authentication::CertificateAuthority => {
                let authorities = self.settings.authorities();
                let authority = is_vouched_for(certificates, id, &authorities, self.now())?;
                (X509Issuer::Authority, Proof::Authority(authority))
            }
            Authentication::Sas { .. } | Authentication::None => return Err(Unauthorized::WrongKind.into()),
        };
        enabled(id, &credentials)?;
        Ok(DevicePrincipal {
            id: id.clone(),
            generation_id: credentials.generation_id.clone(),
            kind: AuthKind::X509 { issuer },
            expires_at: None,
            proof,
        })
    }

    /// May this identity be connected now? Fails when it is not registered. Asks the store only for one that has not
    /// proved itself lately.
    pub(crate) async fn may_connect(&self, id: &IdentityId) -> Result<bool, HubError> {
        match self.credentials(id).await? {
            Some(credentials) => Ok(credentials.status == DeviceStatus::Enabled),
            None => Err(self.missing(id).await?),
        }
    }

    /// What this identity's proofs are checked against; `None` when it is not registered.
    async fn credentials(&self, id: &IdentityId) -> Result<Option<Arc<Credentials>>, HubError> {
        let missed = match self.credentials.find(id) {
            Ok(found) => return Ok(Some(found)),
            Err(missed) => missed,
        };
        let Some((device, _)) = store::identities::device(&self.state, &id.device).await? else {
            return Ok(None);
        };
        let mut credentials = Credentials {
            generation_id: device.generation_id,
            status: device.status,
            authentication: device.authentication,
        };
        if let Some(module) = &id.module {
            let Some((module, _)) = store::identities::module(&self.state, &id.device, module).await? else {
                return Ok(None);
            };
            credentials.generation_id = module.generation_id;
            credentials.authentication = module.authentication;
        }
        let credentials = Arc::new(credentials);
        self.credentials.keep(id, &credentials, missed);
        Ok(Some(credentials))
    }

    /// Why an identity is not there: a module's device may be missing as well.
    pub(crate) async fn missing(&self, id: &IdentityId) -> Result<HubError, HubError> {
        let has_device = store::identities::device(&self.state, &id.device).await?.is_some();
        Ok(match (&id.module, has_device) {
            (Some(_), true) => HubError::ModuleNotFound(id.clone()),
            _ => HubError::DeviceNotFound(id.device.clone()),
        })
    }
}

/// To be asked only of who proved itself.
fn enabled(id: &IdentityId, credentials: &Credentials) -> Result<(), HubError> {
    match credentials.status {
        DeviceStatus::Enabled => Ok(()),
        DeviceStatus::Disabled => Err(HubError::DeviceDisabled(id.device.clone())),
    }
}
