use std::time::Duration;

use crate::limits::{CHANNEL_MAX, FRAME_BYTES_MAX};
use crate::performative::Open;
use crate::sasl::Credentials;
use crate::types::Encoded;

/// Which end of the connection we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// The peer speaks first, with or without SASL.
    Server,
    /// We speak first; with credentials through SASL, else without it.
    Client(Option<Credentials>),
}

/// What we say about ourselves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Names us; the real hub's is `DeviceGateway_` and 32 hexadecimal digits.
    pub container_id: String,
    /// As a server what the real hub says, `localhost`; as a client the host we mean.
    pub hostname: Option<String>,
    /// What we announce as idle time-out; the peer is given up after twice this without a byte. At most
    /// [`Duration`]s whose milliseconds fit 32 bits are announced.
    pub idle_time_out: Option<Duration>,
    /// As a client: product, version, platform.
    pub properties: Encoded,
}

impl Config {
    /// The real IoT Hub's open frame with another container id.
    pub fn server(container_id: impl Into<String>) -> Self {
        Self {
            container_id: container_id.into(),
            hostname: Some("localhost".into()),
            idle_time_out: Some(Duration::from_mins(4)),
            properties: Encoded::null(),
        }
    }

    /// A client that means to reach `hostname`.
    pub fn client(container_id: impl Into<String>, hostname: impl Into<String>) -> Self {
        Self {
            hostname: Some(hostname.into()),
            ..Self::server(container_id)
        }
    }

    pub(crate) fn open(&self) -> Open {
        Open {
            container_id: self.container_id.clone(),
            hostname: self.hostname.clone(),
            max_frame_size: u32::try_from(FRAME_BYTES_MAX).unwrap_or(u32::MAX),
            channel_max: CHANNEL_MAX,
            idle_time_out_ms: self.idle_time_out.and_then(|time| u32::try_from(time.as_millis()).ok()),
            properties: self.properties.clone(),
            ..Open::default()
        }
    }
}
