//! Connections of devices and modules: one live link per identity, the newest wins.
//!
//! A link belongs to the task of its connection. Whoever wants something of the device (a method call, a change of its
//! desired properties, a queued message, its end) reaches the link through [`crate::ports::DeviceBus`] and puts it into
//! the link's inbox.

mod desired;
mod gate;
mod handler;
mod inbox;
mod link;
mod state_events;
mod table;

use std::sync::Arc;

use ironhub_model::limits::MODEL_ID_CHARS_MAX;
use ironhub_model::{IdentityId, MethodCall};
use serde::{Deserialize, Serialize};

pub(crate) use gate::Gate;
pub(crate) use handler::serve;
pub use link::Link;
pub(crate) use link::LinkState;
pub(crate) use table::LinkTable;

use crate::auth::{Auth, DevicePrincipal};
use crate::core::{Core, service};
use crate::error::HubError;
use crate::ports::{Claim, DeviceBus, Ports};
use table::Inserted;

service! {
    /// Opens links.
    Connections
}

/// What a connection says of itself when it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkOptions {
    /// Stored subscriptions are dropped, and those to come are not stored ([MQTT-3.1.2-6]).
    pub clean_session: bool,
    /// The digital twin model that the device announces.
    pub model_id: Option<String>,
    /// What the device says of its SDK; for logs.
    pub product_info: Option<String>,
}

/// What the hub kept of the identity's session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionState {
    /// Is there any: CONNACK's session-present.
    pub present: bool,
    /// The subscriptions; they are in force again without a new SUBSCRIBE.
    pub filters: Vec<StoredFilter>,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFilter {
    /// The topic filter as the device wrote it.
    pub filter: String,
    /// The granted quality of service.
    pub qos: u8,
}

/// What the subscriptions of a connection mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Features {
    /// It takes direct methods.
    pub methods: bool,
    /// It hears changes of its desired properties.
    pub desired: bool,
    /// It takes C2D messages.
    pub c2d: bool,
}

impl Features {
    /// Everything.
    pub const ALL: Self = Self {
        methods: true,
        desired: true,
        c2d: true,
    };
}

/// What a link's task has to see to.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// Call a direct method and bring the answer to [`Link::method_response`].
    Method {
        /// Tells calls apart: 1, 2, 3 … within the link.
        request_id: u64,
        /// The call.
        call: MethodCall,
    },
    /// Tell the device of a change of its desired properties.
    Desired {
        /// The version after the change.
        version: u64,
        /// JSON with `$version`.
        patch: Arc<str>,
    },
    /// The C2D queue may have messages: take them until there are none.
    C2dReady,
    /// End the connection. Nothing else follows.
    Close(CloseReason),
}

/// Why a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// A newer connection of the same identity exists.
    Replaced,
    /// The identity was disabled or deleted, or what it proved itself with is no longer good.
    Revoked,
    /// Its token's time is over.
    TokenExpired,
    /// The hub is stopping.
    Draining,
    /// It takes too little of what is meant for it.
    Stalled,
    /// Its task ended it: the peer left, or broke a rule.
    Ended,
}

impl<P: Ports> Connections<P> {
    /// Opens the link of a device that has proved itself. An older link of the identity, wherever it is, ends: it
    /// gets no further message. What the device had subscribed to is in force from the start.
    pub async fn open(
        &self,
        principal: DevicePrincipal,
        options: LinkOptions,
    ) -> Result<(Link<P>, SessionState), HubError> {
        let mut link = self.claim(principal, options).await?;
        let session = link.restore_session().await?;
        link.announce().await?;
        Ok((link, session))
    }

    /// The same for a protocol without sessions that outlive a connection (AMQP): nothing that the identity had
    /// subscribed to over MQTT is in force, nor is it forgotten. [`Link::set_features`] says what the connection takes.
    pub async fn open_sessionless(
        &self,
        principal: DevicePrincipal,
        options: LinkOptions,
    ) -> Result<Link<P>, HubError> {
        let mut link = self.claim(principal, options).await?;
        link.announce().await?;
        Ok(link)
    }

    async fn claim(&self, principal: DevicePrincipal, options: LinkOptions) -> Result<Link<P>, HubError> {
        let core = &self.core;
        if core.is_draining() {
            return Err(HubError::ShuttingDown);
        }
        if let Some(model_id) = &options.model_id {
            check_model_id(model_id)?;
        }
        let claim = core.bus.claim(&principal.id).await?;
        let link = self.insert(principal, options, claim);
        // An operator may have disabled the device, or rolled its keys, before the link was there to be cut.
        Auth::new(core).recheck(link.principal()).await?;
        Ok(link)
    }

    fn insert(&self, principal: DevicePrincipal, options: LinkOptions, claim: Claim) -> Link<P> {
        let core = &self.core;
        let activity = core.presence.activity(&principal.id, &principal.generation_id);
        let gate = Gate::new(activity, principal.expires_at);
        let state = Arc::new(LinkState::new(claim, principal, gate));
        let beginning = match core.join(&state) {
            Inserted::First(number) => Some(number),
            Inserted::Displaced(older) => {
                core.shut_link(&older, CloseReason::Replaced);
                None
            }
            Inserted::TooLate => {
                core.shut_link(&state, CloseReason::Replaced);
                None
            }
        };
        Link::new(core, state, options, beginning)
    }
}

impl<P: Ports> Core<P> {
    /// Cuts a link: from now on it takes nothing, gets nothing and settles nothing. Its task learns of it.
    pub(crate) fn shut_link(&self, link: &LinkState, reason: CloseReason) {
        link.shut(reason);
        if link.id().module.is_none() {
            self.c2d.release_link(&link.id().device, link.epoch());
        }
    }

    /// Cuts every link of this process.
    pub(crate) fn shut_all_links(&self, reason: CloseReason) {
        for link in self.links.all() {
            self.shut_link(&link, reason);
        }
    }

    /// Cuts the links of this process whose proof is no longer good: a policy or an authority has changed.
    pub(crate) async fn recheck_all_links(&self) {
        for link in self.links.all() {
            if self.recheck(&link.principal()).await.is_err() {
                self.shut_link(&link, CloseReason::Revoked);
            }
        }
    }

    /// Has every link look at the clock, which has been moved.
    pub(crate) fn wake_all_links(&self) {
        for link in self.links.all() {
            link.wake();
        }
    }

    /// Tells the identity's link, wherever it is, that its queue has something. Nobody connected: nothing to do.
    pub(crate) async fn tell_c2d_ready(&self, id: IdentityId) {
        let located = self.bus.locate(&id).await;
        if let Ok(Some(location)) = located {
            let request = crate::ports::NodeRequest::C2dReady { id };
            // A node that is gone has no link: the next connection looks into the queue by itself.
            let _ = self.bus.call(&location.node, request, handler::TELL_TIMEOUT).await;
        }
    }
}

fn check_model_id(model_id: &str) -> Result<(), HubError> {
    if model_id.chars().count() > MODEL_ID_CHARS_MAX {
        let text = format!("a model ID has at most {MODEL_ID_CHARS_MAX} characters");
        return Err(HubError::InvalidArgument(text));
    }
    Ok(())
}
