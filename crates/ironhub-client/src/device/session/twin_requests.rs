//! Twin requests that wait for their answer, over reconnects too.

use std::collections::BTreeMap;

use bytes::BytesMut;
use ironhub_dialect::mqtt::twin as topics;
use serde_json::Value;

use super::put_once;
use crate::device::command::Answer;
use crate::device::twin::{DeviceTwin, Section, refusal};
use crate::error::Error;
use crate::limits::TWIN_REQUESTS_MAX;

/// What is asked for, and who wants to know.
#[derive(Debug)]
pub(super) enum TwinDone {
    Get(Answer<DeviceTwin>),
    Report(Value, Answer<u64>),
    /// The session itself, which may have missed changes of desired properties.
    Resync,
}

#[derive(Debug, Default)]
pub(super) struct TwinRequests {
    /// By request ID, which rises: the order of asking.
    requests: BTreeMap<u64, Request>,
    last_id: u64,
    /// A change was missed again while the answer to a [`TwinDone::Resync`] was on its way.
    resync_again: bool,
}

#[derive(Debug)]
struct Request {
    done: TwinDone,
    /// On this connection.
    is_sent: bool,
}

impl TwinRequests {
    pub(super) fn is_full(&self) -> bool {
        self.requests.len() >= TWIN_REQUESTS_MAX
    }

    /// Does nobody outside wait?
    pub(super) fn is_idle(&self) -> bool {
        self.requests
            .values()
            .all(|request| matches!(request.done, TwinDone::Resync))
    }

    pub(super) fn push(&mut self, done: TwinDone) {
        self.last_id += 1;
        let request = Request { done, is_sent: false };
        self.requests.insert(self.last_id, request);
    }

    /// A new connection: nothing is sent on it yet. What nobody waits for any more is not sent again; a patch could
    /// otherwise overtake a later one.
    pub(super) fn begin(&mut self) {
        self.requests.retain(|_, request| {
            request.is_sent = false;
            match &request.done {
                TwinDone::Get(done) => !done.is_closed(),
                TwinDone::Report(_, done) => !done.is_closed(),
                TwinDone::Resync => false, // Asked for anew when the subscription is there.
            }
        });
        self.resync_again = false;
    }

    /// Sends what is not sent yet.
    pub(super) fn send_all(&mut self, out: &mut BytesMut) {
        for (id, request) in self.requests.iter_mut().filter(|(_, request)| !request.is_sent) {
            request.is_sent = true;
            match &request.done {
                TwinDone::Get(_) | TwinDone::Resync => put_once(out, &topics::get_topic(*id), b""),
                TwinDone::Report(patch, _) => {
                    put_once(out, &topics::reported_topic(*id), patch.to_string().as_bytes());
                }
            }
        }
    }

    /// Whether to ask for everything now; while such a request is under way, another follows it.
    pub(super) fn needs_resync(&mut self) -> bool {
        let under_way = self
            .requests
            .values()
            .any(|request| matches!(request.done, TwinDone::Resync));
        self.resync_again |= under_way;
        !under_way
    }

    pub(super) fn needs_another_resync(&mut self) -> bool {
        std::mem::take(&mut self.resync_again)
    }

    /// Passes an answer on; returns the desired properties when the session itself has asked.
    pub(super) fn answered(
        &mut self,
        request_id: u64,
        (status, version): (u16, Option<u64>),
        payload: &[u8],
    ) -> Option<Section> {
        let done = self.requests.remove(&request_id)?.done;
        let refused = (!(200..300).contains(&status)).then(|| refusal(status, payload));
        match done {
            TwinDone::Get(done) => {
                let answer = refused.map_or_else(|| DeviceTwin::read(payload), Err);
                let _ = done.send(answer);
                None
            }
            TwinDone::Report(_, done) => {
                let missing = || Error::Protocol("a patch without a new version".to_owned());
                let answer = refused.map_or_else(|| version.ok_or_else(missing), Err);
                let _ = done.send(answer);
                None
            }
            TwinDone::Resync => DeviceTwin::read(payload).ok().map(|twin| twin.desired),
        }
    }

    pub(super) fn fail(&mut self, error: &Error) {
        for request in std::mem::take(&mut self.requests).into_values() {
            match request.done {
                TwinDone::Get(done) => drop(done.send(Err(error.clone()))),
                TwinDone::Report(_, done) => drop(done.send(Err(error.clone()))),
                TwinDone::Resync => {}
            }
        }
    }
}
