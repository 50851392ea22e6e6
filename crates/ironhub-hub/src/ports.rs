//! What the hub needs of the outside. Adapters implement these traits; `ironhub-testkit` holds the contract suite that
//! every adapter passes. An adapter is chosen once at start, by type.

pub mod clock;
pub mod completion;
pub mod device_bus;
pub mod event_log;
pub mod state_store;

pub use clock::Clock;
pub use completion::{Completion, Waiter, Watermark};
pub use device_bus::{BusError, Claim, DeviceBus, Epoch, Location, NodeHandler, NodeId, NodeReply, NodeRequest};
pub use event_log::{Bounds, EventLog, LogError, LogRecord, Retention, Start, SubmitError};
pub use state_store::{
    Commit, CommitError, DocumentOp, Expect, Key, Mail, MailId, MailOp, OutboxId, OutboxRecord, Rev, StateStore,
    StoreError, Table,
};

/// The adapters of one hub, bundled so that signatures stay short.
pub trait Ports: Send + Sync + 'static {
    /// Identities, twins, queues, outbox.
    type State: StateStore;
    /// The event log.
    type Log: EventLog;
    /// Who is connected where.
    type Bus: DeviceBus;
    /// Time.
    type Clock: Clock;
}
