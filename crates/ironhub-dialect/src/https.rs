//! HTTPS: paths, headers and JSON of the service API and of the device API.
//!
//! Sources: the Azure REST API reference of IoT Hub, the data-plane description that Microsoft generates its SDKs from
//! (`Azure/azure-iot-hub-python`), and the SDKs themselves. Everything here is pure: no sockets, no HTTP library.
//! A request is an [`operation::Operation`], its headers and a body; an answer is text and header names in the letter
//! case that clients look them up in.

pub mod c2d;
pub mod consumer_groups;
pub mod error;
pub mod etag;
pub mod events;
pub mod feedback;
mod json;
pub mod methods;
pub mod operation;
pub mod own;
pub mod path;
pub mod query;
pub mod registry;
pub mod settings;
pub mod telemetry;
pub mod twin;
