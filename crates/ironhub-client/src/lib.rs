//! Devices and back ends of an IoT hub: Azure IoT Hub, or an IronHub, which speaks the same wire.
//!
//! [`DeviceClient`] is a device or a module: telemetry, cloud-to-device messages, direct methods, the twin, over MQTT or
//! MQTT in a WebSocket. It keeps its connection alive, so that programs need no retry loops of their own.
//!
//! [`ServiceClient`] is a back end: the registry, twins, direct methods and queries over HTTPS; over AMQP messages to
//! devices, their feedback, and [`EventReader`], which reads what all devices send without a gap or a repetition.
//!
//! Every queue in here has a bound, told in [`limits`]; when it is full the caller waits. Nothing that a hub sends can
//! make the client panic, and no error or log line holds a key.

mod clock;
mod credentials;
pub mod device;
mod error;
pub mod limits;
mod outage;
mod retry;
pub mod service;
mod stream;
mod tls;
mod websocket;

pub use credentials::sas_token;
pub use device::{
    C2dStream, ConnectionState, DesiredChange, DesiredStream, DeviceClient, DeviceClientBuilder, DeviceTwin,
    MethodRequest, MethodResponse, ReceivedMessage, Section, Telemetry, Transport,
};
pub use error::{Error, HubError};
pub use ironhub_model::connection_string::InvalidConnectionString;
pub use ironhub_model::identity::{Capabilities, InvalidId};
pub use ironhub_model::{
    AckRequest, AuthenticationType, C2dMessage, ConnectionString, DeviceId, DeviceStatus, Etag, FeedbackRecord,
    FeedbackStatus, GenerationId, IdentityId, LockToken, ModuleId, Permissions, SymmetricKey, SystemProperties,
    Timestamp,
};
pub use ironhub_mqtt::packet::ConnectRefusal;
pub use retry::RetryPolicy;
pub use service::{
    C2dSender, Device, DeviceAuthentication, Event, EventReader, EventReaderBuilder, FeedbackReceiver, KeyChoice,
    Match, MethodInvocation, MethodResult, Module, Positions, QueryPages, QueuedMessage, ServiceClient,
    ServiceClientBuilder, Settlement, StartFrom, Twin,
};
pub use tls::{ClientCertificate, Trust};
