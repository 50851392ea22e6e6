//! AMQP 1.0: addresses, user names, annotations, properties.
//!
//! Sources: Azure documentation "Communicate with your IoT hub by using the AMQP Protocol" and "AMQP 1.0 in Azure Service
//! Bus and Event Hubs protocol guide", and the sources of the device, service and Event Hubs SDKs.

pub mod address;
pub mod management;
pub mod user_name;
