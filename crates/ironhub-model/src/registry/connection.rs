//! An identity's connection as the registry shows it.

use crate::timestamp::Timestamp;

/// Is a device connected? Only MQTT and AMQP connections count (Azure docs: "Understand the identity registry").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnectionState {
    /// A link is open.
    Connected,
    /// None is.
    #[default]
    Disconnected,
}

/// What the registry and twins show of an identity's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionView {
    /// Is it connected.
    pub state: ConnectionState,
    /// When that last changed; [`Timestamp::NEVER`] before the first time.
    pub updated_at: Timestamp,
    /// When it last connected, sent or received; [`Timestamp::NEVER`] before the first time.
    pub last_activity_at: Timestamp,
}

impl ConnectionState {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "Connected",
            Self::Disconnected => "Disconnected",
        }
    }
}

impl Default for ConnectionView {
    fn default() -> Self {
        Self {
            state: ConnectionState::Disconnected,
            updated_at: Timestamp::NEVER,
            last_activity_at: Timestamp::NEVER,
        }
    }
}
