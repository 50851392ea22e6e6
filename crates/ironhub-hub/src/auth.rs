//! Who is calling, and may they.
//!
//! Permissions are checked here and nowhere else. A refusal has a reason for logs and metrics; the peer learns nothing
//! from it, and only who proved its identity learns whether a device exists or is disabled.

mod cache;
mod certificate;
mod claim;
mod device;
mod principal;
mod scope;

use std::time::Duration;

use ironhub_model::{AccessPolicy, IdentityId, Permission, SasToken, SymmetricKey, Timestamp};
use tracing::debug;

pub(crate) use cache::{Credentials, CredentialsCache};
pub use claim::Claim;
pub use principal::{AuthKind, DevicePrincipal, SasScope, ServicePrincipal, X509Issuer};
use scope::Scope;

use crate::core::{Core, service};
use crate::error::{HubError, Unauthorized};
use crate::ports::Ports;

service! {
    /// Checks tokens and certificates.
    Auth
}

impl<P: Ports> Auth<P> {
    /// Checks a device connection: `token` is the MQTT password, `host` what the user name says, `certificates` what
    /// TLS has proved, leaf first. A policy with `DeviceConnect` may stand in for any device it covers.
    ///
    /// Devices also connect by addresses that the hub does not know of, so `host` decides nothing; the token's own host
    /// has to be the hub's.
    pub async fn connect_device(
        &self,
        id: &IdentityId,
        host: &str,
        token: Option<&str>,
        certificates: &[&[u8]],
    ) -> Result<DevicePrincipal, HubError> {
        let result = self.core.authenticate_device(id, token, certificates).await;
        result.inspect_err(|error| refused(error, Some(id), host))
    }

    /// The same for one HTTPS request on a device's path. An unknown device is `DeviceNotFound` only for a caller that
    /// holds a policy's key.
    pub async fn authorize_device(
        &self,
        id: &IdentityId,
        authorization: Option<&str>,
        certificates: &[&[u8]],
    ) -> Result<DevicePrincipal, HubError> {
        let result = self.core.authenticate_device(id, authorization, certificates).await;
        result.inspect_err(|error| refused(error, Some(id), ""))
    }

    /// Checks a back end's request: a genuine policy token, whose resource covers `path` (decoded, from the root), with
    /// one of the permissions.
    #[expect(clippy::unused_async, reason = "policies may one day be asked of another process")]
    pub async fn authorize_service(
        &self,
        authorization: Option<&str>,
        path: &str,
        any_of: &[Permission],
    ) -> Result<ServicePrincipal, HubError> {
        let result = self.core.authenticate_service(authorization, path, any_of);
        let result = result.and_then(|caller| self.core.check_local_auth().map(|()| caller));
        let result = result.map_err(HubError::from);
        result.inspect_err(|error| refused(error, None, path))
    }

    /// The same for the hub's settings, which take a policy's token even when nothing else does any more
    /// ([`ironhub_model::HubSettings::disable_local_auth`]): there is no other way to turn that back.
    #[expect(clippy::unused_async, reason = "policies may one day be asked of another process")]
    pub async fn authorize_operator(
        &self,
        authorization: Option<&str>,
        path: &str,
        any_of: &[Permission],
    ) -> Result<ServicePrincipal, HubError> {
        let result = self.core.authenticate_service(authorization, path, any_of);
        let result = result.map_err(HubError::from);
        result.inspect_err(|error| refused(error, None, path))
    }

    /// Resolves when a back end may no longer use any of these rights: its token's time is over, or its policy is gone,
    /// has another key or has lost the rights. For answers that last longer than the check before them.
    pub async fn end_of_rights(&self, caller: &ServicePrincipal, any_of: &[Permission]) {
        let mut changes = self.core.settings.changes();
        loop {
            changes.borrow_and_update();
            let now = self.core.now();
            if now > caller.expires_at || !self.core.policy_vouches(&caller.policy, &caller.key, any_of) {
                return;
            }
            let left = caller.expires_at.since(now) + Duration::from_millis(1);
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// Is what this principal proved still true? To be asked after the link is claimed, since a disabling or a key roll
    /// may have come between the proof and the claim.
    pub async fn recheck(&self, principal: &DevicePrincipal) -> Result<(), HubError> {
        self.core.recheck(principal).await
    }
}

/// A token whose signature, host and time are good, by the policy that signed it.
#[derive(Debug, Clone)]
struct PolicyProof {
    policy: AccessPolicy,
    key: SymmetricKey,
    scope: Scope,
    expires_at: Timestamp,
}

/// With which forms of a key a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyForms {
    /// The bytes that its base64 text stands for.
    Decoded,
    /// Those, or the text itself: Event Hubs clients take it for the key.
    DecodedOrText,
}

impl<P: Ports> Core<P> {
    fn authenticate_service(
        &self,
        authorization: Option<&str>,
        path: &str,
        any_of: &[Permission],
    ) -> Result<ServicePrincipal, Unauthorized> {
        let text = authorization
            .filter(|text| !text.is_empty())
            .ok_or(Unauthorized::NoCredentials)?;
        let token = SasToken::parse(text).map_err(|_| Unauthorized::MalformedToken)?;
        let name = token.policy().ok_or(Unauthorized::UnknownPolicy)?;
        let proof = self.policy_proof(&token, name, KeyForms::Decoded)?;
        if !proof.scope.covers_path(path) {
            return Err(Unauthorized::WrongResource);
        }
        if !any_of
            .iter()
            .any(|permission| proof.policy.permissions.allows(*permission))
        {
            return Err(Unauthorized::MissingPermission);
        }
        Ok(ServicePrincipal {
            policy: proof.policy.name,
            permissions: proof.policy.permissions,
            expires_at: proof.expires_at,
            key: proof.key,
        })
    }

    /// Are tokens of policies good for anything but the settings?
    fn check_local_auth(&self) -> Result<(), Unauthorized> {
        if self.settings.current().disable_local_auth {
            return Err(Unauthorized::TokensDisabled);
        }
        Ok(())
    }

    /// Would the policy that let somebody in with this key do so again?
    fn policy_vouches(&self, name: &str, key: &SymmetricKey, any_of: &[Permission]) -> bool {
        let settings = self.settings.current();
        let policy = settings.policy(name).filter(|_| !settings.disable_local_auth);
        policy.is_some_and(|policy| {
            [&policy.primary_key, &policy.secondary_key].contains(&key)
                && any_of.iter().any(|permission| policy.permissions.allows(*permission))
        })
    }

    /// Checks everything about a policy's token but what it is used for.
    fn policy_proof(&self, token: &SasToken<'_>, name: &str, forms: KeyForms) -> Result<PolicyProof, Unauthorized> {
        let settings = self.settings.current();
        let policy = settings.policy(name).ok_or(Unauthorized::UnknownPolicy)?;
        let key = signing_key(token, &policy.primary_key, &policy.secondary_key, forms)?;
        let (scope, expires_at) = self.host_and_time(token)?;
        Ok(PolicyProof {
            key,
            policy: policy.clone(),
            scope,
            expires_at,
        })
    }

    /// The scope of a token for this hub, and the instant at which it ends.
    fn host_and_time(&self, token: &SasToken<'_>) -> Result<(Scope, Timestamp), Unauthorized> {
        let skew = self.settings.current().sas_clock_skew();
        if !token.is_live(self.now(), skew) {
            return Err(Unauthorized::ExpiredToken);
        }
        let scope = Scope::parse(token.resource()).ok_or(Unauthorized::MalformedToken)?;
        if !self.info.is_host(scope.host()) {
            return Err(Unauthorized::WrongHost);
        }
        Ok((scope, token.expires_at().saturating_add(skew)))
    }
}

/// The key that signed the token; the primary one is tried first.
fn signing_key(
    token: &SasToken<'_>,
    primary: &SymmetricKey,
    secondary: &SymmetricKey,
    forms: KeyForms,
) -> Result<SymmetricKey, Unauthorized> {
    let mut keys = [primary, secondary].into_iter();
    let is_by_text = |key: &SymmetricKey| token.is_signed_with_bytes(key.expose().as_bytes());
    let key = keys.find(|key| token.is_signed_with(key) || (forms == KeyForms::DecodedOrText && is_by_text(key)));
    key.cloned().ok_or(Unauthorized::WrongSignature)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only the outcomes of a proof have names of their own"
)]
fn refused(error: &HubError, id: Option<&IdentityId>, target: &str) {
    let reason = match error {
        HubError::Unauthorized(reason) => reason.label(),
        HubError::DeviceDisabled(_) => "disabled",
        HubError::DeviceNotFound(_) | HubError::ModuleNotFound(_) => "not_found",
        _ => "internal",
    };
    metrics::counter!("ironhub_auth_failures_total", "reason" => reason).increment(1);
    debug!(
        id = id.map(tracing::field::display),
        target, reason, "credentials refused"
    );
}
