//! Whether a connection may still do anything, asked by everything it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ironhub_model::Timestamp;

use super::CloseReason;
use crate::error::{HubError, Unauthorized};
use crate::presence::Activity;

/// Shared by a link, its telemetry sender and whoever may cut it. Once shut it stays shut, for the first reason.
#[derive(Debug)]
pub(crate) struct Gate {
    shut: AtomicU8,
    activity: Arc<Activity>,
}

const OPEN: u8 = 0;

impl Gate {
    pub(crate) fn new(activity: Arc<Activity>) -> Self {
        Self {
            shut: AtomicU8::new(OPEN),
            activity,
        }
    }

    /// Counts as activity at `now`, unless the gate is shut.
    pub(crate) fn pass(&self, now: Timestamp) -> Result<(), HubError> {
        match self.reason() {
            None => {
                self.activity.touch(now);
                Ok(())
            }
            Some(reason) => Err(reason.error()),
        }
    }

    pub(crate) fn shut(&self, reason: CloseReason) {
        let _ = self
            .shut
            .compare_exchange(OPEN, reason.code(), Ordering::AcqRel, Ordering::Acquire);
    }

    pub(crate) fn reason(&self) -> Option<CloseReason> {
        match self.shut.load(Ordering::Acquire) {
            OPEN => None,
            code => CloseReason::ALL.into_iter().find(|reason| reason.code() == code),
        }
    }
}

impl CloseReason {
    const ALL: [Self; 6] = [
        Self::Replaced,
        Self::Revoked,
        Self::TokenExpired,
        Self::Draining,
        Self::Stalled,
        Self::Ended,
    ];

    const fn code(self) -> u8 {
        match self {
            Self::Replaced => 1,
            Self::Revoked => 2,
            Self::TokenExpired => 3,
            Self::Draining => 4,
            Self::Stalled => 5,
            Self::Ended => 6,
        }
    }

    /// What an operation of the closed connection gets to hear.
    const fn error(self) -> HubError {
        match self {
            Self::Revoked => HubError::Unauthorized(Unauthorized::Revoked),
            Self::TokenExpired => HubError::Unauthorized(Unauthorized::ExpiredToken),
            Self::Draining => HubError::ShuttingDown,
            Self::Replaced | Self::Stalled | Self::Ended => HubError::Disconnected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        for reason in CloseReason::ALL {
            let gate = Gate::new(Arc::default());
            assert_eq!(gate.pass(Timestamp::UNIX_EPOCH), Ok(()));
            gate.shut(reason);
            gate.shut(CloseReason::Draining);
            assert_eq!(gate.reason(), Some(reason));
            assert_eq!(gate.pass(Timestamp::from_secs(9)), Err(reason.error()));
            assert_eq!(gate.activity.last(), Timestamp::UNIX_EPOCH, "{reason:?}");
        }
    }
}
