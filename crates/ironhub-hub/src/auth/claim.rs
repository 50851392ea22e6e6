//! Claims of AMQP connections: a token is proved first and used later, for links that come and go (Azure docs: "Control
//! access to IoT Hub by using shared access signatures"; Event Hubs docs: "AMQP protocol guide", claims-based security).

use ironhub_model::{IdentityId, Permission, Permissions, SasToken, SymmetricKey, Timestamp};

use super::scope::Scope;
use super::{Auth, DevicePrincipal, KeyForms, PolicyProof, ServicePrincipal, refused};
use crate::core::Core;
use crate::error::{HubError, Unauthorized};
use crate::ports::Ports;

/// What a token proved, apart from what it is used for.
#[derive(Debug, Clone)]
pub struct Claim(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// Made with a policy's key.
    Policy(Box<PolicyProof>),
    /// Made with a key of the identity's own.
    Identity(Box<DevicePrincipal>),
}

impl Claim {
    /// Until when: the token's expiry plus the allowed clock skew; the links that rest on it are cut by this same
    /// instant. A key shown as it is has no end.
    pub fn expires_at(&self) -> Timestamp {
        match &self.0 {
            Kind::Policy(proof) => proof.expires_at,
            Kind::Identity(principal) => principal.expires_at.unwrap_or(Timestamp::MAX),
        }
    }

    /// The policy whose key made the token.
    pub fn policy(&self) -> Option<&str> {
        match &self.0 {
            Kind::Policy(proof) => Some(&proof.policy.name),
            Kind::Identity(_) => None,
        }
    }

    /// The identity whose own key made the token.
    pub fn identity(&self) -> Option<&IdentityId> {
        match &self.0 {
            Kind::Policy(_) => None,
            Kind::Identity(principal) => Some(&principal.id),
        }
    }

    /// What the token is for, below the host: `a/b`; empty for everything.
    pub fn path(&self) -> String {
        match &self.0 {
            Kind::Policy(proof) => proof.scope.path(),
            Kind::Identity(principal) => Scope::path_of_identity(&principal.id),
        }
    }

    /// Does this claim stand in the other one's place, as a renewed token does?
    pub fn renews(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Policy(new), Kind::Policy(old)) => {
                new.policy.name == old.policy.name && new.scope.path() == old.scope.path()
            }
            (Kind::Identity(new), Kind::Identity(old)) => new.id == old.id,
            (Kind::Policy(_) | Kind::Identity(_), _) => false,
        }
    }

    /// May its holder use an entity of a back end's, such as `messages/devicebound`? Letter case does not matter in its
    /// path: Event Hubs clients write the same path in several ways.
    pub fn authorize_service(&self, path: &str, permission: Permission) -> Result<ServicePrincipal, HubError> {
        let Kind::Policy(proof) = &self.0 else {
            return Err(Unauthorized::MissingPermission.into());
        };
        if !proof.policy.permissions.allows(permission) {
            return Err(Unauthorized::MissingPermission.into());
        }
        if !proof.scope.covers_entity(path) {
            return Err(Unauthorized::WrongResource.into());
        }
        Ok(ServicePrincipal {
            policy: proof.policy.name.clone(),
            permissions: proof.policy.permissions,
            expires_at: proof.expires_at,
            key: proof.key.clone(),
        })
    }
}

impl<P: Ports> Auth<P> {
    /// Checks a token without knowing yet what for. Event Hubs clients sign with the key's text, all others with its
    /// decoded bytes: a policy's token may be made either way.
    ///
    /// The holder of a policy's key is told when the device that its token names is unknown or disabled.
    pub async fn prove_token(&self, token: &str) -> Result<Claim, HubError> {
        let result = self.core.prove_token(token).await;
        result.inspect_err(|error| refused(error, None, "claim"))
    }

    /// Checks a policy's key that is shown as it is: what the first Event Hubs clients send as password.
    #[expect(clippy::unused_async, reason = "policies may one day be asked of another process")]
    pub async fn prove_key(&self, policy: &str, key: &str) -> Result<Claim, HubError> {
        let result = self.core.prove_key(policy, key).map_err(HubError::from);
        result.inspect_err(|error| refused(error, None, "claim"))
    }

    /// The device or module that a claim speaks for, if it does.
    pub async fn device_of_claim(&self, claim: &Claim, id: &IdentityId) -> Result<DevicePrincipal, HubError> {
        let result = self.core.device_of_claim(claim, id).await;
        result.inspect_err(|error| refused(error, Some(id), "claim"))
    }

    /// Would a policy's claim be proved again now? Of an identity's own it is asked when the claim is used.
    pub fn is_current(&self, claim: &Claim) -> bool {
        let Kind::Policy(proof) = &claim.0 else { return true };
        let settings = self.core.settings.current();
        let policy = settings.policy(&proof.policy.name);
        policy.filter(|_| !settings.disable_local_auth).is_some_and(|policy| {
            policy.permissions == proof.policy.permissions
                && [&policy.primary_key, &policy.secondary_key].contains(&&proof.key)
        })
    }
}

impl<P: Ports> Core<P> {
    async fn prove_token(&self, text: &str) -> Result<Claim, HubError> {
        let token = SasToken::parse(text).map_err(|_| Unauthorized::MalformedToken)?;
        let Some(name) = token.policy() else {
            return self.prove_identity(&token).await;
        };
        let proof = self.policy_proof(&token, name, KeyForms::DecodedOrText)?;
        self.check_local_auth()?;
        if !opens_links(proof.policy.permissions) {
            return Err(Unauthorized::MissingPermission.into());
        }
        let mut outcome = Ok(());
        if proof.policy.permissions.allows(Permission::DeviceConnect) {
            for id in proof.scope.identities() {
                outcome = self.by_policy_proof(&id, &proof).await.map(drop);
                if outcome.is_ok() {
                    break;
                }
            }
        }
        outcome.map(|()| Claim(Kind::Policy(Box::new(proof))))
    }

    /// Without a policy the resource says whose key made the token. Its IDs may be encoded twice.
    async fn prove_identity(&self, token: &SasToken<'_>) -> Result<Claim, HubError> {
        let (scope, _) = self.host_and_time(token)?;
        let mut outcome = Err(Unauthorized::WrongResource.into());
        for id in scope.identities() {
            outcome = self.by_own_key(&id, token).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map(|principal| Claim(Kind::Identity(Box::new(principal))))
    }

    fn prove_key(&self, name: &str, key: &str) -> Result<Claim, Unauthorized> {
        let settings = self.settings.current();
        let policy = settings.policy(name).ok_or(Unauthorized::UnknownPolicy)?;
        let shown = SymmetricKey::parse(key).map_err(|_| Unauthorized::WrongSignature)?;
        let keys = [&policy.primary_key, &policy.secondary_key];
        let is_known = keys.into_iter().any(|known| known.is_same_secret(&shown));
        if !is_known {
            return Err(Unauthorized::WrongSignature);
        }
        self.check_local_auth()?;
        if !opens_links(policy.permissions) {
            return Err(Unauthorized::MissingPermission);
        }
        Ok(Claim(Kind::Policy(Box::new(PolicyProof {
            policy: policy.clone(),
            key: shown,
            scope: Scope::everything(),
            expires_at: Timestamp::MAX,
        }))))
    }

    async fn device_of_claim(&self, claim: &Claim, id: &IdentityId) -> Result<DevicePrincipal, HubError> {
        match &claim.0 {
            Kind::Policy(proof) => self.by_policy_proof(id, proof).await,
            Kind::Identity(principal) if principal.id == *id => {
                self.recheck(principal).await?;
                Ok(DevicePrincipal::clone(principal))
            }
            Kind::Identity(_) => Err(Unauthorized::WrongResource.into()),
        }
    }
}

/// No link is for those who may only read or write the registry.
fn opens_links(permissions: Permissions) -> bool {
    permissions.allows(Permission::ServiceConnect) || permissions.allows(Permission::DeviceConnect)
}
