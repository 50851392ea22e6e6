//! AMQP 1.0: addresses, user names, annotations, filters, properties.
//!
//! Sources: Azure documentation "Communicate with your IoT hub by using the AMQP Protocol" and "AMQP 1.0 in Azure Service
//! Bus and Event Hubs protocol guide", and the sources of the device, service and Event Hubs SDKs. What a peer sent
//! wrongly is told it as an AMQP error straight away; errors of the hub are worded in one place, the transport.

pub mod address;
pub mod c2d;
pub mod condition;
pub mod events;
pub mod feedback;
pub mod lock_token;
pub mod management;
pub mod methods;
pub mod telemetry;
pub mod twin;
pub mod user_name;
