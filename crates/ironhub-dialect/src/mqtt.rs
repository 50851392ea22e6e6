//! MQTT: user names, topics, property bags.
//!
//! Sources: Azure documentation "Communicate with an IoT hub using the MQTT protocol", the device SDKs, and
//! `Azure/iotedge`, whose gateway speaks the same dialect.

pub mod auth;
pub mod c2d;
pub mod hub_topic;
pub mod methods;
pub mod subscription;
pub mod telemetry;
pub mod topic;
pub mod twin;
