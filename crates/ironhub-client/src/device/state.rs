//! Whether there is a connection.

use std::time::Duration;

use crate::error::Error;

/// What a device client is doing, for those who want to show it. Nobody has to act on it: the client reconnects by
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// An attempt is under way.
    Connecting,
    /// The hub has accepted the connection.
    Connected,
    /// There is no connection; the next attempt comes after a while.
    Waiting {
        /// Why the last attempt failed, or the last connection ended.
        error: Error,
        /// Until the next attempt.
        delay: Duration,
    },
    /// For good: closed by its owner, or by an error that does not heal.
    Closed {
        /// None when the owner closed it.
        error: Option<Error>,
    },
}
