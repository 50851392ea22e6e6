//! The nouns of an IoT hub, shared by the hub and by its client library.
//!
//! A value that can be wrong is a type that cannot be: text is parsed once, here, and whoever holds the result may
//! trust it. Nothing in this crate does I/O, reads a clock or knows a protocol's framing.

pub mod access_policy;
pub mod authentication;
pub mod c2d;
pub mod connection_string;
pub mod event;
pub mod feedback;
pub mod identity;
pub mod limits;
pub mod message;
pub mod method;
pub mod percent;
pub mod registry;
pub mod sas_token;
pub mod settings;
pub mod symmetric_key;
pub mod thumbprint;
pub mod timestamp;
pub mod twin;

pub use access_policy::{AccessPolicy, Permission, Permissions};
pub use authentication::{Authentication, AuthenticationType};
pub use c2d::{C2dDelivery, LockToken};
pub use connection_string::ConnectionString;
pub use event::{ConsumerGroup, EventSource, Offset, OwnerLevel, PartitionId, SequenceNumber};
pub use feedback::{AckRequest, FeedbackBatch, FeedbackRecord, FeedbackStatus};
pub use identity::{DeviceId, DeviceIdentity, DeviceStatus, Etag, GenerationId, IdentityId, ModuleId, ModuleIdentity};
pub use message::{C2dMessage, D2cMessage, EncodedD2cMessage, SystemProperties};
pub use method::{MethodCall, MethodName, MethodResponse};
pub use sas_token::SasToken;
pub use settings::HubSettings;
pub use symmetric_key::SymmetricKey;
pub use thumbprint::Thumbprint;
pub use timestamp::Timestamp;
pub use twin::{Twin, TwinPatch, TwinView};
