//! What can go wrong, in words for the person who has to act.

use std::io;
use std::time::Duration;

use ironhub_model::connection_string::InvalidConnectionString;
use ironhub_mqtt::packet::ConnectRefusal;

use crate::service;

/// Why something did not work. Never holds a key or a token.
///
/// Cloned for everyone who waits for the same thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection string lacks a part, or a part is wrong.
    #[error("the connection string cannot be used: {0}")]
    ConnectionString(InvalidConnectionString),
    /// A key, certificate or setting cannot be used: which, and why.
    #[error("{0}")]
    Configuration(String),
    /// There is no way to the hub, or nobody listens there.
    #[error("cannot reach {host}:{port}: {reason}")]
    Unreachable {
        /// The hub or its gateway.
        host: String,
        /// The port.
        port: u16,
        /// In the system's words.
        reason: String,
    },
    /// The hub's certificate is not signed by an authority that this client trusts, or not for this name.
    #[error(
        "the certificate of {host} is not trusted: {reason}; give the authority's certificate as the trusted one \
         (a development hub shows its own at http://localhost:9600/ca.pem)"
    )]
    UntrustedCertificate {
        /// The hub or its gateway.
        host: String,
        /// In the words of TLS.
        reason: String,
    },
    /// The hub said no to the connection.
    #[error("the hub refused the connection: {}", refusal(*.0))]
    Refused(ConnectRefusal),
    /// The connection broke; a client that reconnects by itself tells of it in its state.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The hub answered in a way that this client does not understand.
    #[error("the hub answered in a way that is not understood: {0}")]
    Protocol(String),
    /// No answer came in time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The message is larger than a hub takes.
    #[error("the message has {bytes} bytes; at most {bytes_max} are allowed")]
    MessageTooLarge {
        /// As the hub counts.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The hub does not let this identity hear what it asked for.
    #[error("the hub refused the subscription to {0}")]
    SubscriptionRefused(&'static str),
    /// The message was delivered on a connection that is gone: it will be delivered again.
    #[error("the message's connection is gone; the hub delivers it again")]
    LockLost,
    /// The hub understood and said no.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// A refusal with the hub's own code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", code_prefix(*.code, *.status))]
pub struct HubError {
    /// As in HTTP.
    pub status: u16,
    /// Six digits of Azure's catalogue ("Troubleshoot Azure IoT Hub error codes"), such as 404103; none when the hub
    /// gave none.
    pub code: Option<u32>,
    /// In the hub's words.
    pub message: String,
    /// What the hub's own log calls this failure.
    pub tracking_id: Option<String>,
}

impl Error {
    /// May the same attempt work a while later? Credentials, names and certificates do not heal by themselves.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost(_) | Self::Timeout(_) | Self::Protocol(_) | Self::LockLost => true,
            Self::Refused(refusal) => *refusal == ConnectRefusal::ServerUnavailable,
            Self::Hub(error) => error.is_transient(),
            Self::ConnectionString(_)
            | Self::Configuration(_)
            | Self::UntrustedCertificate { .. }
            | Self::MessageTooLarge { .. }
            | Self::SubscriptionRefused(_)
            | Self::Closed => false,
        }
    }

    /// The hub's six digits, where it gave them.
    pub fn code(&self) -> Option<u32> {
        if let Self::Hub(error) = self { error.code } else { None }
    }

    pub(crate) fn lost(error: &io::Error) -> Self {
        // TLS tells at length of a stream that ended without its goodbye, with a link to a manual.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Lost("the hub went away without a word".to_owned());
        }
        Self::Lost(error.to_string())
    }
}

/// Not a source of the error, whose text has it already: who prints sources would say it twice.
impl From<InvalidConnectionString> for Error {
    fn from(error: InvalidConnectionString) -> Self {
        Self::ConnectionString(error)
    }
}

impl HubError {
    /// What Azure's catalogue calls the code, such as `DeviceNotOnline`.
    pub fn name(&self) -> Option<&'static str> {
        self.code.and_then(service::code_name)
    }

    /// Too many requests, or a hub that is busy or starting.
    pub fn is_transient(&self) -> bool {
        matches!(self.status, 429 | 500 | 502 | 503)
    }
}

fn code_prefix(code: Option<u32>, status: u16) -> String {
    match code {
        Some(code) => format!("{code}: "),
        None => format!("status {status}: "),
    }
}

fn refusal(refusal: ConnectRefusal) -> &'static str {
    match refusal {
        ConnectRefusal::UnacceptableProtocolVersion => "it does not speak MQTT 3.1.1 (code 1)",
        ConnectRefusal::IdentifierRejected => "the device ID is not acceptable (code 2)",
        ConnectRefusal::ServerUnavailable => "it is not available now, or the device is disabled (code 3)",
        ConnectRefusal::BadUserNameOrPassword => "the credentials are malformed (code 4)",
        ConnectRefusal::NotAuthorized => {
            "not authorized: the device is unknown, its key or certificate is another, or this machine's clock is \
             wrong (code 5)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_heal() {
        let hub = |status| {
            Error::Hub(HubError {
                status,
                code: None,
                message: String::new(),
                tracking_id: None,
            })
        };
        for (error, transient) in [
            (Error::Lost(String::new()), true),
            (Error::Refused(ConnectRefusal::ServerUnavailable), true),
            (Error::Refused(ConnectRefusal::NotAuthorized), false),
            (Error::Closed, false),
            (hub(429), true),
            (hub(404), false),
        ] {
            assert_eq!(error.is_transient(), transient, "{error}");
        }
    }

    #[test]
    fn a_lost_connection_is_told_in_few_words() {
        let cut = io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "peer closed connection: https://docs.example",
        );
        let told = Error::lost(&cut).to_string();
        assert_eq!(told, "the connection was lost: the hub went away without a word");
        let reset = io::Error::new(io::ErrorKind::ConnectionReset, "reset");
        assert_eq!(Error::lost(&reset).to_string(), "the connection was lost: reset");
    }

    #[test]
    fn a_refusal_is_told_with_its_code() {
        let error = |code| HubError {
            status: 404,
            code,
            message: "gone".to_owned(),
            tracking_id: None,
        };
        assert_eq!(error(Some(404_103)).to_string(), "404103: gone");
        assert_eq!(error(Some(404_103)).name(), Some("DeviceNotOnline"));
        assert_eq!(error(None).to_string(), "status 404: gone");
    }
}
