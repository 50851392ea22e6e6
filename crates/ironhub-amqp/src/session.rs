//! One session: its windows, its link handles, and the deliveries whose outcome we wait for.

mod handles;
mod unsent;
mod unsettled;
mod windows;

pub(crate) use handles::Handles;
pub(crate) use unsent::Unsent;
pub(crate) use unsettled::Unsettled;
pub(crate) use windows::Windows;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) state: SessionState,
    pub(crate) windows: Windows,
    pub(crate) handles: Handles,
    /// Rises by exactly one for each delivery, over all links: rhea, uamqp-c and proton count along.
    pub(crate) next_delivery_id: u32,
    pub(crate) unsettled: Unsettled,
    /// A delivery of which the peer's window has taken only a part. No other may begin before it has ended.
    pub(crate) unsent: Option<Box<Unsent>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionState {
    /// We began it; the peer has not answered.
    Requested,
    Active,
    /// We ended it; the peer has not answered.
    Ending,
}

impl Session {
    pub(crate) fn new(state: SessionState) -> Self {
        Self {
            state,
            windows: Windows::default(),
            handles: Handles::default(),
            next_delivery_id: 0,
            unsettled: Unsettled::default(),
            unsent: None,
        }
    }
}
