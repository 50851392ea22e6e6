//! A live link: the part that its task owns, and the part that others reach.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ironhub_model::limits::SUBSCRIPTIONS_PER_SESSION_MAX;
use ironhub_model::{IdentityId, MethodCall, MethodResponse};
use parking_lot::RwLock;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use super::inbox::Inbox;
use super::{CloseReason, Features, Gate, LinkEvent, LinkOptions, SessionState, StoredFilter, check_model_id};
use crate::auth::DevicePrincipal;
use crate::core::Core;
use crate::error::{HubError, Unauthorized};
use crate::methods::{Call, Outstanding};
use crate::ports::{Claim, DeviceBus, Epoch, NodeReply, Ports};
use crate::store::sessions;
use crate::twins::Twins;

/// How long notices wait for a missing one before it is given up.
const DESIRED_GAP_WAIT: Duration = Duration::from_secs(2);

/// The part of a link that others reach.
#[derive(Debug)]
pub(crate) struct LinkState {
    claim: Claim,
    principal: RwLock<Arc<DevicePrincipal>>,
    gate: Arc<Gate>,
    inbox: Inbox,
    outstanding: Outstanding,
    /// Woken when the link begins to take methods, and when it ends.
    changed: Notify,
}

/// A live link; its end is the end of the connection. Dropping it closes it too.
pub struct Link<P: Ports> {
    core: Arc<Core<P>>,
    state: Arc<LinkState>,
    principal: Arc<DevicePrincipal>,
    options: LinkOptions,
    filters: Vec<StoredFilter>,
    /// The number of the connection's beginning; none when it took the place of another, which is no change of state.
    beginning: Option<u64>,
    is_announced: bool,
    is_ended: bool,
    expiry: Option<Pin<Box<Sleep>>>,
    gap: Option<Pin<Box<Sleep>>>,
}

impl LinkState {
    pub(super) fn new(claim: Claim, principal: DevicePrincipal, gate: Gate) -> Self {
        Self {
            claim,
            principal: RwLock::new(Arc::new(principal)),
            gate: Arc::new(gate),
            inbox: Inbox::default(),
            outstanding: Outstanding::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn id(&self) -> &IdentityId {
        &self.claim.id
    }

    pub(super) fn principal(&self) -> Arc<DevicePrincipal> {
        Arc::clone(&self.principal.read())
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.claim.epoch
    }

    /// Delivers a call to the device and waits for its answer, at first until the device takes methods at all.
    pub(super) async fn call_method(self: &Arc<Self>, call: MethodCall) -> NodeReply {
        if !self.takes_methods_within(call.connect_timeout).await {
            return NodeReply::NotOnline;
        }
        let timeout = call.response_timeout;
        let Some(mut outstanding) = Call::begin(self) else {
            return NodeReply::TooManyInFlight;
        };
        self.inbox.push_method(outstanding.request_id(), call);
        // Checked after the push: a link that is shut later empties its inbox and fails the call.
        if self.gate.reason().is_some() {
            return NodeReply::Disconnected;
        }
        outstanding.answer(timeout).await
    }

    pub(super) fn push_desired(&self, version: u64, patch: Arc<str>) -> bool {
        self.inbox.push_desired(version, patch).is_ok()
    }

    pub(super) fn c2d_ready(&self) {
        self.inbox.c2d_ready();
    }

    pub(super) fn shut(&self, reason: CloseReason) {
        self.gate.shut(reason);
        self.inbox.close(reason);
        self.outstanding.fail_all();
        self.changed.notify_waiters();
    }

    pub(super) fn wake(&self) {
        self.inbox.wake();
    }

    pub(crate) fn outstanding(&self) -> &Outstanding {
        &self.outstanding
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn withdraw_method(&self, request_id: u64) {
        self.inbox.withdraw_method(request_id);
    }

    async fn takes_methods_within(&self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            if self.gate.reason().is_some() {
                return false;
            }
            if self.inbox.features().methods {
                return true;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return false;
            }
        }
    }
}

impl<P: Ports> Link<P> {
    pub(super) fn new(
        core: &Arc<Core<P>>,
        state: Arc<LinkState>,
        options: LinkOptions,
        beginning: Option<u64>,
    ) -> Self {
        Self {
            core: Arc::clone(core),
            principal: state.principal(),
            state,
            options,
            filters: Vec::new(),
            beginning,
            is_announced: false,
            is_ended: false,
            expiry: None,
            gap: None,
        }
    }

    /// Who is connected.
    pub fn principal(&self) -> &DevicePrincipal {
        &self.principal
    }

    /// The digital twin model that the device announced.
    pub fn model_id(&self) -> Option<&str> {
        self.options.model_id.as_deref()
    }

    /// What happens next to this link. Cancel-safe: an event that was not returned is not lost. After `Close` it
    /// returns `Close` again.
    pub async fn next(&mut self) -> LinkEvent {
        poll_fn(|cx| self.poll_next(cx, Features::ALL)).await
    }

    /// The same for tasks that poll by hand and have room for some kinds of events only; the others wait, and what
    /// their callers give up meanwhile is never seen. `Close` comes in any case. A task that has room again polls again.
    pub fn poll_next(&mut self, cx: &mut Context<'_>, room: Features) -> Poll<LinkEvent> {
        self.poll_expiry(cx);
        self.poll_gap(cx);
        self.state.inbox.poll(cx, room)
    }

    /// Replaces the subscriptions. Changed ones are durable when this returns, unless the session is a clean one;
    /// SUBACK may follow. `features` says what they mean.
    pub async fn set_filters(&mut self, filters: Vec<StoredFilter>, features: Features) -> Result<(), HubError> {
        self.check_open()?;
        if filters.len() > SUBSCRIPTIONS_PER_SESSION_MAX {
            let text = format!("a session has at most {SUBSCRIPTIONS_PER_SESSION_MAX} subscriptions");
            return Err(HubError::InvalidArgument(text));
        }
        if self.filters != filters && !self.options.clean_session {
            sessions::store(&self.core, self.principal(), &filters, features).await?;
        }
        self.filters = filters;
        self.listen(features).await
    }

    /// Says what the connection takes from now on, for this connection only. When changes of desired properties are new
    /// to it, none is told before the returned future is done; none that comes later is missed.
    pub fn set_features(
        &self,
        features: Features,
    ) -> Option<impl Future<Output = Result<(), HubError>> + Send + use<P>> {
        let is_new = self.state.inbox.set_features(features);
        self.state.changed.notify_waiters();
        is_new.then(|| desired_from_now_on(Arc::clone(&self.core), Arc::clone(&self.state)))
    }

    /// The same identity has proved itself again, with a newer token: the link lives as long as that is good.
    pub fn renew(&mut self, principal: DevicePrincipal) -> Result<(), HubError> {
        let is_same = principal.id == self.principal.id && principal.generation_id == self.principal.generation_id;
        if !is_same {
            return Err(Unauthorized::UnknownIdentity.into());
        }
        self.check_open()?;
        self.state.gate.renew(principal.expires_at);
        self.principal = Arc::new(principal);
        *self.state.principal.write() = Arc::clone(&self.principal);
        self.expiry = None;
        Ok(())
    }

    /// The digital twin model that the device announces after its connection has begun.
    pub fn announce_model(
        &mut self,
        model_id: String,
    ) -> Result<impl Future<Output = Result<(), HubError>> + Send + use<P>, HubError> {
        check_model_id(&model_id)?;
        let (core, id) = (Arc::clone(&self.core), self.principal.id.clone());
        self.options.model_id = Some(model_id.clone());
        Ok(async move { Twins::new(&core).set_model_id(&id, &model_id).await })
    }

    /// Brings the answer to a method call. Returns whether anybody still waits for it; late answers are dropped.
    pub fn method_response(&self, request_id: u64, response: MethodResponse) -> bool {
        self.touch();
        self.state.outstanding.answer(request_id, NodeReply::Method(response))
    }

    /// The device has answered with something that is not JSON.
    pub fn method_response_invalid(&self, request_id: u64) {
        self.touch();
        self.state.outstanding.answer(request_id, NodeReply::InvalidResponse);
    }

    /// The device was heard of. Telemetry counts by itself.
    pub fn touch(&self) {
        let _ = self.check_open();
    }

    /// May this connection still act? Fails as its operations do from the moment at which it was cut.
    pub fn check_open(&self) -> Result<(), HubError> {
        self.state.gate.pass(self.core.now())
    }

    /// Ends the link. Messages that it had taken and not settled go back to the queue.
    pub async fn close(mut self, reason: CloseReason) {
        let end = self.end(reason);
        let core = Arc::clone(&self.core);
        let finish = async move {
            end.finish().await;
            Ok(())
        };
        let _ = core.to_the_end(finish).await;
    }

    pub(crate) fn core(&self) -> &Arc<Core<P>> {
        &self.core
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.state.gate
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.state.epoch()
    }

    /// Puts the stored subscriptions into force; a clean session drops them instead.
    pub(super) async fn restore_session(&mut self) -> Result<SessionState, HubError> {
        let stored = sessions::load(&self.core, self.principal()).await?;
        if self.options.clean_session {
            if stored.is_some() {
                sessions::discard(&self.core, &self.principal().id).await?;
            }
            return Ok(SessionState::default());
        }
        let Some((filters, features)) = stored else {
            return Ok(SessionState::default());
        };
        self.filters.clone_from(&filters);
        self.listen(features).await?;
        Ok(SessionState { present: true, filters })
    }

    async fn listen(&self, features: Features) -> Result<(), HubError> {
        match self.set_features(features) {
            Some(start) => start.await,
            None => Ok(()),
        }
    }

    /// Makes the connection known: presence, and the event of it.
    pub(super) async fn announce(&mut self) -> Result<(), HubError> {
        if let Some(model_id) = self.model_id() {
            Twins::new(&self.core)
                .set_model_id(&self.principal.id, model_id)
                .await?;
        }
        metrics::counter!("ironhub_device_connections_total").increment(1);
        if let Some(number) = self.beginning {
            self.core.tell_connected(&self.principal, number).await?;
        }
        self.is_announced = true;
        Ok(())
    }

    /// Shuts the link when its token's time is over; else sees to it that the task wakes by then.
    fn poll_expiry(&mut self, cx: &mut Context<'_>) {
        let Some(end) = self.state.gate.expires_at() else {
            return;
        };
        loop {
            let now = self.core.now();
            if now > end {
                self.core.shut_link(&self.state, CloseReason::TokenExpired);
                return;
            }
            let timer = self.expiry.get_or_insert_with(|| {
                let left = end.since(now) + Duration::from_millis(1);
                Box::pin(tokio::time::sleep(left))
            });
            match timer.as_mut().poll(cx) {
                Poll::Ready(()) => self.expiry = None,
                Poll::Pending => return,
            }
        }
    }

    fn poll_gap(&mut self, cx: &mut Context<'_>) {
        if !self.state.inbox.has_desired_gap() {
            self.gap = None;
            return;
        }
        let timer = self
            .gap
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(DESIRED_GAP_WAIT)));
        if timer.as_mut().poll(cx).is_ready() {
            self.state.inbox.skip_desired_gap();
            self.gap = None;
        }
    }

    /// What has to be done at once; the rest is [`End::finish`].
    fn end(&mut self, reason: CloseReason) -> End<P> {
        self.is_ended = true;
        self.core.shut_link(&self.state, reason);
        let ending = self.core.leave(&self.state);
        End {
            ending: ending.filter(|_| self.is_announced),
            state: Arc::clone(&self.state),
            core: Arc::clone(&self.core),
        }
    }
}

async fn desired_from_now_on<P: Ports>(core: Arc<Core<P>>, link: Arc<LinkState>) -> Result<(), HubError> {
    // Read after the subscription was noted: a write that this misses is told, and waits in the inbox.
    let version = core.desired_version(link.id()).await?;
    link.inbox.desired_starts_after(version);
    Ok(())
}

/// The end of a link that takes time.
struct End<P: Ports> {
    core: Arc<Core<P>>,
    state: Arc<LinkState>,
    /// The number of the connection's end; none when another has taken its place.
    ending: Option<u64>,
}

impl<P: Ports> End<P> {
    async fn finish(self) {
        if let Some(number) = self.ending {
            self.core.tell_disconnected(&self.state.principal(), number).await;
        }
        self.core.bus.release(&self.state.claim).await;
    }
}

impl<P: Ports> Drop for Link<P> {
    fn drop(&mut self) {
        if self.is_ended {
            return;
        }
        let end = self.end(CloseReason::Ended);
        // Without a runtime the process is ending, and with it the claim.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let under_way = self.core.tasks.begin();
            runtime.spawn(async move {
                end.finish().await;
                drop(under_way);
            });
        }
    }
}

impl<P: Ports> fmt::Debug for Link<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("id", self.state.id())
            .field("epoch", &self.state.epoch())
            .finish_non_exhaustive()
    }
}
