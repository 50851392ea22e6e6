//! Between the network and the hub: listeners, TLS, WebSocket, and one task per connection.
//!
//! A connection is admitted ([`listener`]), perhaps encrypted ([`tls`]), and handed to what its port speaks. Whatever a
//! peer sends costs at most its own connection: every size and every wait has a limit in `ironhub_model::limits`, and
//! a panic in a connection's task is contained, logged and counted.

pub mod amqp;
pub mod error;
mod failed_connects;
pub mod faults;
pub mod http;
pub mod https;
pub mod listener;
mod log_limit;
mod method_answer;
pub mod mqtt;
pub mod peer;
pub mod socket;
pub mod tls;
mod twin_refusal;
pub mod websocket;
