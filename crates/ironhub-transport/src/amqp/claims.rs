//! What a connection has proved so far: tokens of several policies, devices and modules side by side, and the client
//! certificate of the TLS connection.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ironhub_hub::{Claim, DevicePrincipal, Hub, HubError, Ports, ServicePrincipal, Unauthorized};
use ironhub_model::limits::AMQP_CLAIMS_PER_CONNECTION_MAX;
use ironhub_model::{IdentityId, Permission, Timestamp};

use crate::peer::Peer;

/// An operation of the hub under way.
pub(super) type HubFuture<T> = Pin<Box<dyn Future<Output = Result<T, HubError>> + Send>>;

/// The claims of one connection.
pub(super) struct Claims<P: Ports> {
    hub: Hub<P>,
    peer: Peer,
    held: Vec<Claim>,
    /// The client certificate has identified somebody.
    is_certified: bool,
    /// What came, went, or was renewed since the nodes were told.
    change: Option<Change>,
}

/// Whom a change of claims concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// One identity, whose own token came or was renewed: of a thousand devices on a connection, one.
    Identity(IdentityId),
    /// Perhaps everyone.
    Any,
}

impl Change {
    fn of(claim: &Claim, before: Option<Self>) -> Self {
        match (claim.identity(), before) {
            (Some(id), None) => Self::Identity(id.clone()),
            (Some(id), Some(Self::Identity(other))) if *id == other => Self::Identity(other),
            (_, _) => Self::Any,
        }
    }
}

impl<P: Ports> Claims<P> {
    pub(super) fn new(hub: Hub<P>, peer: Peer) -> Self {
        Self {
            hub,
            peer,
            held: Vec::new(),
            is_certified: false,
            change: None,
        }
    }

    /// May a back end's link to this entity be used? By the claim that lasts longest.
    pub(super) fn service(&self, permission: Permission, entity: &str) -> Result<ServicePrincipal, HubError> {
        let mut refusal = Unauthorized::NoCredentials.into();
        let mut longest: Option<ServicePrincipal> = None;
        for claim in self.held.iter().filter(|claim| claim.policy().is_some()) {
            match claim.authorize_service(entity, permission) {
                Ok(found)
                    if longest
                        .as_ref()
                        .is_none_or(|longest| longest.expires_at < found.expires_at) =>
                {
                    longest = Some(found);
                }
                Ok(_) => {}
                Err(error) => refusal = error,
            }
        }
        longest.ok_or(refusal)
    }

    /// Asks who this device or module is: by its own token, by a policy's, else by the client certificate.
    pub(super) fn device(&self, id: &IdentityId) -> HubFuture<DevicePrincipal> {
        let own = self.held.iter().find(|claim| claim.identity() == Some(id));
        let candidates: Vec<Claim> = match own {
            Some(own) => vec![own.clone()],
            None => self
                .held
                .iter()
                .filter(|claim| claim.policy().is_some())
                .cloned()
                .collect(),
        };
        let (hub, peer, id) = (self.hub.clone(), self.peer.clone(), id.clone());
        Box::pin(async move {
            let mut refusal = Unauthorized::NoCredentials.into();
            for claim in &candidates {
                match hub.auth.device_of_claim(claim, &id).await {
                    Ok(principal) => return Ok(principal),
                    Err(error) => refusal = error,
                }
            }
            if peer.certificates().is_empty() {
                return Err(refusal);
            }
            hub.auth.authorize_device(&id, None, &peer.certificates()).await
        })
    }

    /// Could anything but `$cbs` be allowed?
    pub(super) fn is_stranger(&self) -> bool {
        self.held.is_empty() && self.peer.certificates().is_empty()
    }

    /// Holds a claim; one that it renews goes.
    pub(super) fn put(&mut self, claim: Claim) -> Result<(), HubError> {
        self.change = Some(Change::of(&claim, self.change.take()));
        self.held.retain(|held| !claim.renews(held));
        if self.held.len() >= AMQP_CLAIMS_PER_CONNECTION_MAX {
            return Err(HubError::Throttled);
        }
        self.held.push(claim);
        Ok(())
    }

    /// The client certificate has identified somebody.
    pub(super) fn note_certificate(&mut self) {
        self.is_certified = true;
    }

    /// Is anybody known?
    pub(super) fn has_any(&self) -> bool {
        self.is_certified || !self.held.is_empty()
    }

    /// Lets go of what has ended by the hub's clock, and of what an operator has taken back.
    pub(super) fn review(&mut self) {
        let (now, before) = (self.hub.now(), self.held.len());
        let hub = &self.hub;
        self.held
            .retain(|claim| now <= claim.expires_at() && hub.auth.is_current(claim));
        if self.held.len() != before {
            self.change = Some(Change::Any);
        }
    }

    /// How long until the next claim ends.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let next = self.held.iter().map(Claim::expires_at).min();
        let next = next.filter(|next| *next < Timestamp::MAX)?;
        // The claim is good at the very instant.
        Some(next.since(self.hub.now()) + Duration::from_millis(1))
    }

    /// What has changed since the last time?
    pub(super) fn take_change(&mut self) -> Option<Change> {
        self.change.take()
    }
}
