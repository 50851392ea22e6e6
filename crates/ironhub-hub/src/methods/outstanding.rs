//! Calls of one link that wait for their answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ironhub_model::limits::METHODS_IN_FLIGHT_PER_DEVICE_MAX;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::connections::LinkState;
use crate::ports::NodeReply;

/// The calls of one link. Request ids count from 1, as on Azure.
#[derive(Debug, Default)]
pub(crate) struct Outstanding(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    last_id: u64,
    by_id: HashMap<u64, oneshot::Sender<NodeReply>>,
}

/// One call; it is forgotten when it is dropped.
#[derive(Debug)]
pub(crate) struct Call {
    link: Arc<LinkState>,
    request_id: u64,
    answer: oneshot::Receiver<NodeReply>,
}

impl Outstanding {
    /// Brings an answer. Returns whether anybody waits for it.
    pub(crate) fn answer(&self, request_id: u64, reply: NodeReply) -> bool {
        let waiting = self.0.lock().by_id.remove(&request_id);
        waiting.is_some_and(|waiting| waiting.send(reply).is_ok())
    }

    /// The link has ended: who waits learns that by the dropped sender.
    pub(crate) fn fail_all(&self) {
        self.0.lock().by_id.clear();
    }

    fn begin(&self) -> Option<(u64, oneshot::Receiver<NodeReply>)> {
        let mut waiting = self.0.lock();
        if waiting.by_id.len() >= METHODS_IN_FLIGHT_PER_DEVICE_MAX {
            return None;
        }
        waiting.last_id += 1;
        let request_id = waiting.last_id;
        let (sender, receiver) = oneshot::channel();
        waiting.by_id.insert(request_id, sender);
        Some((request_id, receiver))
    }

    fn forget(&self, request_id: u64) {
        self.0.lock().by_id.remove(&request_id);
    }
}

impl Call {
    /// `None` when the device has too many calls outstanding.
    pub(crate) fn begin(link: &Arc<LinkState>) -> Option<Self> {
        let (request_id, answer) = link.outstanding().begin()?;
        Some(Self {
            link: Arc::clone(link),
            request_id,
            answer,
        })
    }

    pub(crate) fn request_id(&self) -> u64 {
        self.request_id
    }

    pub(crate) async fn answer(&mut self, timeout: Duration) -> NodeReply {
        match tokio::time::timeout(timeout, &mut self.answer).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => NodeReply::Disconnected,
            Err(_) => NodeReply::TimedOut,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.link.outstanding().forget(self.request_id);
        self.link.withdraw_method(self.request_id);
    }
}
