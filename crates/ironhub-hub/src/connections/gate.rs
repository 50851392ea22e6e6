//! Whether a connection may still do anything, asked by everything it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use ironhub_model::Timestamp;

use super::CloseReason;
use crate::error::{HubError, Unauthorized};
use crate::presence::Activity;

/// Shared by a link, its telemetry sender and whoever may cut it. Once shut it stays shut, for the first reason.
#[derive(Debug)]
pub(crate) struct Gate {
    shut: AtomicU8,
    /// Microseconds; [`NEVER_US`] for certificates.
    expires_at_us: AtomicI64,
    activity: Arc<Activity>,
}

const OPEN: u8 = 0;
const NEVER_US: i64 = i64::MAX;

impl Gate {
    pub(crate) fn new(activity: Arc<Activity>, expires_at: Option<Timestamp>) -> Self {
        Self {
            shut: AtomicU8::new(OPEN),
            expires_at_us: AtomicI64::new(expires_at.map_or(NEVER_US, Timestamp::as_micros)),
            activity,
        }
    }

    /// Counts as activity at `now`, unless the gate is shut or its time is over.
    pub(crate) fn pass(&self, now: Timestamp) -> Result<(), HubError> {
        if let Some(reason) = self.reason() {
            return Err(reason.error());
        }
        if self.expires_at().is_some_and(|end| now > end) {
            return Err(Unauthorized::ExpiredToken.into());
        }
        self.activity.touch(now);
        Ok(())
    }

    /// Until when it lets anything pass; `None` is for ever.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        match self.expires_at_us.load(Ordering::Acquire) {
            NEVER_US => None,
            us => Some(Timestamp::from_micros(us)),
        }
    }

    /// The connection has shown a newer token.
    pub(crate) fn renew(&self, expires_at: Option<Timestamp>) {
        let us = expires_at.map_or(NEVER_US, Timestamp::as_micros);
        self.expires_at_us.store(us, Ordering::Release);
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
            let gate = Gate::new(Arc::default(), None);
            assert_eq!(gate.pass(Timestamp::UNIX_EPOCH), Ok(()));
            gate.shut(reason);
            gate.shut(CloseReason::Draining);
            assert_eq!(gate.reason(), Some(reason));
            assert_eq!(gate.pass(Timestamp::from_secs(9)), Err(reason.error()));
            assert_eq!(gate.activity.last(), Timestamp::UNIX_EPOCH, "{reason:?}");
        }
    }

    #[test]
    fn time_ends_it_until_it_is_renewed() {
        let at = Timestamp::from_secs;
        let gate = Gate::new(Arc::default(), Some(at(10)));
        assert_eq!(gate.pass(at(10)), Ok(()));
        assert_eq!(gate.pass(at(11)), Err(Unauthorized::ExpiredToken.into()));
        gate.renew(Some(at(20)));
        assert_eq!(gate.pass(at(20)), Ok(()));
        gate.renew(None);
        assert_eq!((gate.pass(at(99)), gate.expires_at()), (Ok(()), None));
    }
}
