//! Why a connection ended.

use std::io;

use ironhub_hub::{CloseReason, HubError};
use ironhub_mqtt::connection::ProtocolError;

/// Why a connection ended. Over MQTT 3.1.1 the peer is told nothing of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// In good order.
    #[error("the client disconnected")]
    Disconnected,
    /// Without DISCONNECT.
    #[error("the client went away")]
    PeerClosed,
    /// The network, or TLS, or the WebSocket below.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The bytes, or the order of the packets.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// No CONNECT in time.
    #[error("no CONNECT within the time for it")]
    ConnectTimeout,
    /// CONNECT was refused.
    #[error("CONNECT was refused")]
    Refused,
    /// Silence beyond the keep alive [MQTT-3.1.2-24].
    #[error("the client was silent for too long")]
    KeepAlive,
    /// The hub could not take what was sent for too long.
    #[error("the hub was stalled for too long")]
    Stalled,
    /// The peer did not take what was sent for too long.
    #[error("the client did not read for too long")]
    NotReading,
    /// A topic that is not the identity's, or none at all.
    #[error("a message to a topic that the client may not publish to")]
    Topic,
    /// The hub refused something that has no refusal on the wire.
    #[error("{0}")]
    Hub(#[from] HubError),
    /// The event log stopped with messages unacknowledged.
    #[error("the event log has stopped")]
    LogStopped,
    /// The hub cut the link.
    #[error("the hub closed the connection: {0:?}")]
    Cut(CloseReason),
}

impl End {
    /// A short stable name: the label of a metric, never the peer's data.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::PeerClosed => "peer_closed",
            Self::Io(error) if error.kind() == io::ErrorKind::InvalidData => "invalid_data",
            Self::Io(_) => "io",
            Self::Protocol(error) => error.reason(),
            Self::ConnectTimeout => "connect_timeout",
            Self::Refused => "refused",
            Self::KeepAlive => "keep_alive",
            Self::Stalled => "stalled",
            Self::NotReading => "not_reading",
            Self::Topic => "topic",
            Self::Hub(error) => crate::error::wire_error(error).name,
            Self::LogStopped => "log_stopped",
            Self::Cut(reason) => match reason {
                CloseReason::Replaced => "replaced",
                CloseReason::Revoked => "revoked",
                CloseReason::TokenExpired => "token_expired",
                CloseReason::Draining => "draining",
                CloseReason::Stalled => "link_stalled",
                CloseReason::Ended => "link_ended",
            },
        }
    }

    /// Is it worth a line in the log: did somebody break a rule, or the hub fail?
    pub(super) fn is_fault(&self) -> bool {
        match self {
            Self::Disconnected
            | Self::PeerClosed
            | Self::Refused
            | Self::ConnectTimeout
            | Self::KeepAlive
            | Self::Cut(_) => false,
            Self::Io(error) => error.kind() == io::ErrorKind::InvalidData,
            Self::Protocol(_) | Self::Stalled | Self::NotReading | Self::Topic | Self::Hub(_) | Self::LogStopped => {
                true
            }
        }
    }

    /// Is the will due? Not when the client left in good order [MQTT-3.14.4-3], and not when the hub cut the link: a
    /// newcomer of the same identity is alive, and the others may say nothing any more.
    pub(super) fn publishes_will(&self) -> bool {
        !matches!(
            self,
            Self::Disconnected | Self::Cut(_) | Self::Refused | Self::ConnectTimeout
        )
    }

    /// What the hub is told of it.
    pub(super) fn close_reason(&self) -> CloseReason {
        match self {
            Self::Cut(reason) => *reason,
            Self::Stalled | Self::NotReading => CloseReason::Stalled,
            Self::Disconnected
            | Self::PeerClosed
            | Self::Io(_)
            | Self::Protocol(_)
            | Self::ConnectTimeout
            | Self::Refused
            | Self::KeepAlive
            | Self::Topic
            | Self::Hub(_)
            | Self::LogStopped => CloseReason::Ended,
        }
    }

    /// Has the client said all it wanted to say? Then what it asked for is still done.
    pub(super) fn is_clients(&self) -> bool {
        matches!(self, Self::Disconnected | Self::PeerClosed)
    }
}
