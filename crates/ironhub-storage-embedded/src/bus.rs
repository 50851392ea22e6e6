//! The device bus of one process.
//!
//! Several hubs of one process share a [`Switchboard`], which is how their tests see two nodes over one store; a
//! server has one hub and one switchboard.

mod switchboard;
mod waiters;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ironhub_hub::ports::{BusError, Claim, DeviceBus, Location, NodeHandler, NodeId, NodeReply, NodeRequest};
use ironhub_model::IdentityId;

pub use self::switchboard::Switchboard;

/// One node at a switchboard. Dropping it ends the node: its claims are void, and calls to it fail.
///
/// The switchboard keeps the node's handler, so a handler must not own what owns its bus.
#[derive(Debug)]
pub struct LocalBus {
    node: Arc<Node>,
    switchboard: Arc<Switchboard>,
}

/// What others need of a node.
pub(crate) struct Node {
    id: NodeId,
    handler: OnceLock<Arc<dyn NodeHandler>>,
}

impl LocalBus {
    /// The only node of its hub.
    pub fn new() -> Self {
        Self::join(&Switchboard::new(), NodeId("local".into()))
    }

    /// One more node at the switchboard. A name belongs to one node at a time; a newcomer takes it over together
    /// with its calls, while the claims stay.
    pub fn join(switchboard: &Arc<Switchboard>, id: NodeId) -> Self {
        let node = Arc::new(Node {
            id,
            handler: OnceLock::new(),
        });
        switchboard.add(&node);
        Self {
            node,
            switchboard: Arc::clone(switchboard),
        }
    }

    fn handler_of(&self, id: &NodeId) -> Option<Arc<dyn NodeHandler>> {
        // Most calls stay in the house.
        if *id == self.node.id {
            return self.node.handler.get().cloned();
        }
        self.switchboard.node(id)?.handler.get().cloned()
    }

    /// Tells the holder that lost, without waiting for it.
    fn evict(&self, id: IdentityId, loser: &Location) {
        let Some(handler) = self.handler_of(&loser.node) else {
            return;
        };
        let epoch = loser.epoch;
        tokio::spawn(async move { handler.handle(NodeRequest::Evict { id, epoch }).await });
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

impl DeviceBus for LocalBus {
    fn node(&self) -> NodeId {
        self.node.id.clone()
    }

    fn serve(&self, handler: Arc<dyn NodeHandler>) {
        if self.node.handler.set(handler).is_err() {
            tracing::error!(node = %self.node.id, "the node is served already, the second handler is ignored");
        }
    }

    async fn claim(&self, id: &IdentityId) -> Result<Claim, BusError> {
        let (epoch, loser) = self.switchboard.claim(id, &self.node.id);
        if let Some(loser) = loser {
            self.evict(id.clone(), &loser);
        }
        Ok(Claim { id: id.clone(), epoch })
    }

    async fn release(&self, claim: &Claim) {
        self.switchboard.release(claim);
    }

    async fn locate(&self, id: &IdentityId) -> Result<Option<Location>, BusError> {
        Ok(self.switchboard.locate(id))
    }

    fn claimed(&self, id: &IdentityId) -> impl Future<Output = ()> + Send {
        self.switchboard.claimed(id)
    }

    async fn call(&self, node: &NodeId, request: NodeRequest, timeout: Duration) -> Result<NodeReply, BusError> {
        let handler = self.handler_of(node).ok_or(BusError::NoNode)?;
        let answer = tokio::time::timeout(timeout, handler.handle(request)).await;
        answer.map_err(|_| BusError::TimedOut)
    }

    async fn connected(&self) -> Result<u64, BusError> {
        Ok(self.switchboard.connected())
    }
}

impl Drop for LocalBus {
    fn drop(&mut self) {
        self.switchboard.remove(&self.node);
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Node").field(&self.id).finish_non_exhaustive()
    }
}
