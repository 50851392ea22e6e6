//! Who is connected where, and the way to them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ironhub_model::{IdentityId, MethodCall, MethodResponse};

/// One process of the hub.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeId(pub Arc<str>);

/// Which claim of an identity this is; a later claim has a greater epoch, and the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A connection's hold on its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub id: IdentityId,
    /// Which.
    pub epoch: Epoch,
}

/// Where an identity is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// At which process.
    pub node: NodeId,
    /// By which claim.
    pub epoch: Epoch,
}

/// What one process asks of another about a connection that the other holds.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeRequest {
    /// A newer connection of the same identity exists: end the one with this epoch or an older one.
    Evict {
        /// Whose.
        id: IdentityId,
        /// The claim that lost.
        epoch: Epoch,
    },
    /// The identity may no longer be connected as it is: disabled, deleted, keys rolled.
    Revoke {
        /// Whose.
        id: IdentityId,
    },
    /// Call a direct method; the answer is awaited within the call's response timeout.
    Method {
        /// Whose.
        id: IdentityId,
        /// What.
        call: MethodCall,
    },
    /// The desired properties have changed.
    Desired {
        /// Whose.
        id: IdentityId,
        /// The version after the change.
        version: u64,
        /// The patch as the device shall see it, JSON with `$version`.
        patch: Arc<str>,
    },
    /// The C2D queue has a message to deliver.
    C2dReady {
        /// Whose.
        id: IdentityId,
    },
}

/// The answer to a [`NodeRequest`].
#[derive(Debug, Clone, PartialEq)]
pub enum NodeReply {
    /// Done, or nothing to do.
    Done,
    /// The device's answer to a method.
    Method(MethodResponse),
    /// The identity is not connected here, or has no subscription for this.
    NotOnline,
    /// The device did not answer in time.
    TimedOut,
    /// The connection ended before the answer.
    Disconnected,
    /// Too many calls are in flight to this device.
    TooManyInFlight,
    /// The device's answer is not JSON.
    InvalidResponse,
}

/// Why a process could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The process is gone; its claims are void.
    #[error("the node is gone")]
    NoNode,
    /// It did not answer within the time given.
    #[error("the node did not answer in time")]
    TimedOut,
}

/// Serves the requests of other processes.
pub trait NodeHandler: Send + Sync + 'static {
    /// Answers one request. May take as long as a method call may.
    fn handle(&self, request: NodeRequest) -> Pin<Box<dyn Future<Output = NodeReply> + Send + '_>>;
}

/// Connects the processes of one hub.
pub trait DeviceBus: Send + Sync + 'static {
    /// This process.
    fn node(&self) -> NodeId;

    /// Whom to call for requests to this process; set once, before the first claim.
    fn serve(&self, handler: Arc<dyn NodeHandler>);

    /// Takes the identity for a new connection of this process. An older holder, wherever it is, is told to end; this
    /// does not wait for it, since every effect carries the epoch.
    fn claim(&self, id: &IdentityId) -> impl Future<Output = Result<Claim, BusError>> + Send;

    /// Gives the identity up; nothing happens when a newer claim exists.
    fn release(&self, claim: &Claim) -> impl Future<Output = ()> + Send;

    /// Where the identity is connected, if it is.
    fn locate(&self, id: &IdentityId) -> impl Future<Output = Result<Option<Location>, BusError>> + Send;

    /// Resolves at a moment after the call at which the identity is claimed; at once when it is.
    fn claimed(&self, id: &IdentityId) -> impl Future<Output = ()> + Send;

    /// Asks a process, which may be this one.
    fn call(
        &self,
        node: &NodeId,
        request: NodeRequest,
        timeout: Duration,
    ) -> impl Future<Output = Result<NodeReply, BusError>> + Send;

    /// How many identities are connected to the whole hub.
    fn connected(&self) -> impl Future<Output = Result<u64, BusError>> + Send;
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
