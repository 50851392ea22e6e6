//! The task that acts when time passes: expiry of messages and reports, locks that nobody gave back, a moved clock.

use std::sync::Arc;
use std::time::Duration;

use ironhub_model::Timestamp;
use ironhub_model::limits::C2D_LOCK_DEFAULT;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::warn;

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Key, Mail, Ports, StateStore};
use crate::store::c2d::{device_of, feedback_key};

const TICK: Duration = Duration::from_secs(1);
/// How far the clock may drift from the monotonic one within a tick before it counts as moved.
const CLOCK_STEP: Duration = Duration::from_millis(500);
const DUE_MAX: usize = 1000;

/// Runs until the hub drains.
pub(crate) async fn run<P: Ports>(core: Arc<Core<P>>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = (Instant::now(), core.now());
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = core.draining() => return,
        }
        seen = watch_clock(&core, seen);
        match tend(&core).await {
            Ok(()) => {}
            Err(HubError::ShuttingDown) => return,
            Err(error) => warn!(%error, "queues not tended, retrying"),
        }
    }
}

/// Links sleep until their tokens expire; a clock that was moved makes that another moment.
fn watch_clock<P: Ports>(core: &Core<P>, seen: (Instant, Timestamp)) -> (Instant, Timestamp) {
    let (instant, now) = (Instant::now(), core.now());
    let passed = instant - seen.0;
    if now > seen.1.saturating_add(passed + CLOCK_STEP) {
        core.wake_all_links();
        core.settings.announce();
    }
    (instant, now)
}

async fn tend<P: Ports>(core: &Core<P>) -> Result<(), HubError> {
    core.end_timed_out(None).await?;
    core.end_timed_out_feedback().await?;
    loop {
        let now = core.now();
        let due = core.state.due(now, DUE_MAX).await?;
        let mut has_removed = false;
        for (mailbox, mail) in &due {
            has_removed |= expire(core, mailbox, mail, now).await?;
        }
        if due.len() < DUE_MAX || !has_removed {
            return Ok(());
        }
    }
}

/// A message that somebody has may still be completed for as long as a lock usually lasts.
async fn expire<P: Ports>(core: &Core<P>, mailbox: &Key, mail: &Mail, now: Timestamp) -> Result<bool, HubError> {
    if *mailbox == feedback_key() {
        return core.expire_feedback(mail).await;
    }
    match device_of(mailbox) {
        Some(device) => {
            let by_force = now > mail.due_at.saturating_add(C2D_LOCK_DEFAULT);
            core.expire(&device, mail, by_force).await
        }
        None => Ok(false),
    }
}
