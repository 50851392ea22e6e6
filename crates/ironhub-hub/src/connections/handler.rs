//! Serves what other processes, and this one, ask of the links that live here.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{CloseReason, LinkState};
use crate::core::Core;
use crate::ports::{DeviceBus, NodeHandler, NodeReply, NodeRequest, Ports};

/// How long telling a link something may take; nothing in it waits for a device.
pub(super) const TELL_TIMEOUT: Duration = Duration::from_secs(5);

/// The bus outlives the hub's handles, so it must not keep the hub alive.
struct Handler<P: Ports>(Weak<Core<P>>);

/// Has the bus bring its requests here.
pub(crate) fn serve<P: Ports>(core: &Arc<Core<P>>) {
    core.bus.serve(Arc::new(Handler(Arc::downgrade(core))));
}

impl<P: Ports> NodeHandler for Handler<P> {
    fn handle(&self, request: NodeRequest) -> Pin<Box<dyn Future<Output = NodeReply> + Send + '_>> {
        Box::pin(async move {
            match self.0.upgrade() {
                Some(core) => core.handle(request).await,
                None => NodeReply::NotOnline,
            }
        })
    }
}

impl<P: Ports> Core<P> {
    /// A newcomer of this process finds the link in the table and displaces it, which is no change of state. One
    /// elsewhere leaves nobody connected here.
    async fn give_up_place(&self, link: &Arc<LinkState>) {
        match self.bus.locate(link.id()).await {
            Ok(Some(location)) if location.node == self.bus.node() => {}
            Ok(_) | Err(_) => drop(self.leave(link)),
        }
    }

    async fn handle(&self, request: NodeRequest) -> NodeReply {
        match request {
            NodeRequest::Method { id, call } => match self.links.find(&id) {
                Some(link) => link.call_method(call).await,
                None => NodeReply::NotOnline,
            },
            NodeRequest::Evict { id, epoch } => {
                if let Some(link) = self.links.find(&id).filter(|link| link.epoch() <= epoch) {
                    self.shut_link(&link, CloseReason::Replaced);
                    self.give_up_place(&link).await;
                }
                NodeReply::Done
            }
            NodeRequest::Revoke { id } => {
                self.credentials.forget(&id.device);
                for link in self.links.covered_by(&id) {
                    // The one key that a device uses may still be good when its other one was rolled.
                    if self.recheck(&link.principal()).await.is_err() {
                        self.shut_link(&link, CloseReason::Revoked);
                    }
                }
                NodeReply::Done
            }
            NodeRequest::Desired { id, version, patch } => {
                if let Some(link) = self.links.find(&id)
                    && !link.push_desired(version, patch)
                {
                    self.shut_link(&link, CloseReason::Stalled);
                }
                NodeReply::Done
            }
            NodeRequest::C2dReady { id } => {
                if let Some(link) = self.links.find(&id) {
                    link.c2d_ready();
                }
                NodeReply::Done
            }
        }
    }
}
