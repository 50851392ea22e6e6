//! How Azure IoT Hub says the nouns of a hub, in both directions.
//!
//! Text of a protocol stops here: inside the hub there are types. One folder per protocol, one file per feature.

pub mod amqp;
pub mod https;
pub mod mqtt;
mod own_properties;
