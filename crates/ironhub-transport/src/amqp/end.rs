//! Why a connection ended.

use std::io;

use ironhub_amqp::performative::{AmqpError, condition};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client closed it in good order, or with a reason of its own.
    #[error("the client closed the connection")]
    Closed,
    /// The client broke the protocol, or was silent for too long; it was told.
    #[error("{}: {}", .0.condition, .0.description.as_deref().unwrap_or_default())]
    Protocol(AmqpError),
    /// Without a word, which is what most clients do.
    #[error("the client went away")]
    PeerClosed,
    /// The network, or TLS, or the WebSocket below.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// SASL was refused.
    #[error("the credentials were refused")]
    Refused,
    /// The client has proved nothing for too long.
    #[error("no claim within the time for it")]
    NoClaim,
    /// The peer did not take what was sent for too long.
    #[error("the client did not read for too long")]
    NotReading,
    /// The hub could not take what was sent for too long.
    #[error("the hub was stalled for too long")]
    Stalled,
    /// The hub is stopping.
    #[error("the hub is stopping")]
    Draining,
}

impl End {
    /// A short stable name: the label of a metric, never the peer's data.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Protocol(error) if error.condition == condition::CONNECTION_FORCED => "idle",
            Self::Protocol(_) => "protocol",
            Self::PeerClosed => "peer_closed",
            Self::Io(error) if error.kind() == io::ErrorKind::InvalidData => "invalid_data",
            Self::Io(_) => "io",
            Self::Refused => "refused",
            Self::NoClaim => "no_claim",
            Self::NotReading => "not_reading",
            Self::Stalled => "stalled",
            Self::Draining => "draining",
        }
    }

    /// Is it worth a line in the log: did somebody break a rule?
    pub(super) fn is_fault(&self) -> bool {
        match self {
            Self::Closed | Self::PeerClosed | Self::Refused | Self::NoClaim | Self::Draining => false,
            Self::Protocol(error) => error.condition != condition::CONNECTION_FORCED,
            Self::Io(error) => error.kind() == io::ErrorKind::InvalidData,
            Self::NotReading | Self::Stalled => true,
        }
    }

    /// What the client is told before the end, if it has not been told.
    ///
    /// Of a hub that stops it hears nothing but the end of the stream, after which all SDKs come back. Node devices give
    /// up after CLOSE with `amqp:connection:forced`, and wait for ever after CLOSE without an error.
    pub(super) fn farewell(&self) -> Option<AmqpError> {
        matches!(self, Self::NoClaim).then(|| {
            let text = "The connection has proved nothing within the time for it.";
            AmqpError::new(condition::UNAUTHORIZED_ACCESS, text)
        })
    }
}
