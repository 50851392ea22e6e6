//! What each operation of an IoT hub means.
//!
//! Every operation reads as its story: authorize, load, decide, commit, tell. The decision is a pure function; the
//! state and the events it causes are one commit. This crate knows no protocol and no storage engine: it is called
//! with typed requests and calls [`ports`].

mod core;
mod outbox;
mod presence;
mod random;
mod routing;
mod store;

pub mod auth;
pub mod c2d;
pub mod connections;
pub mod error;
pub mod events;
pub mod feedback;
pub mod hub;
pub mod methods;
pub mod ports;
pub mod query;
pub mod registry;
pub mod settings;
pub mod telemetry;
pub mod twins;

pub use auth::{Auth, AuthKind, Claim, DevicePrincipal, ServicePrincipal};
pub use c2d::{C2d, C2dReceiver};
pub use connections::{CloseReason, Connections, Features, Link, LinkEvent, LinkOptions, SessionState, StoredFilter};
pub use error::{HubError, Unauthorized};
pub use events::{EventCursor, Events, Receiver, ReceiverLost, ReceiverRefused, StoredEvent};
pub use feedback::{Feedback, FeedbackReader};
pub use hub::{Health, Hub, HubConfig, HubInfo, Parts};
pub use methods::Methods;
pub use ports::Ports;
pub use query::{Query, QueryPage};
pub use registry::Registry;
pub use settings::{Added, Settings};
pub use telemetry::{Telemetry, TelemetryError, TelemetrySender};
pub use twins::Twins;
