//! One session: its windows, its link handles, and the deliveries whose outcome we wait for.

mod handles;
mod unsent;
mod unsettled;
mod windows;

pub(crate) use handles::Handles;
pub(crate) use unsent::Unsent;
pub(crate) use unsettled::Unsettled;
pub(crate) use windows::Windows;

/// A session without links is small: Java begins one for each of up to 1,000 devices before it puts its first token.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) state: SessionState,
    pub(crate) windows: Windows,
    /// Rises by exactly one for each delivery, over all links: rhea, uamqp-c and proton count along.
    pub(crate) next_delivery_id: u32,
    /// Highest number for a link of ours that the peer takes.
    pub(crate) handle_max: u32,
    links: Option<Box<SessionLinks>>,
}

/// What a session with links has besides.
#[derive(Debug, Default)]
pub(crate) struct SessionLinks {
    pub(crate) handles: Handles,
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
            next_delivery_id: 0,
            handle_max: 0,
            links: None,
        }
    }

    pub(crate) fn links(&self) -> &SessionLinks {
        static NONE: SessionLinks = SessionLinks::new();
        self.links.as_deref().unwrap_or(&NONE)
    }

    pub(crate) fn links_mut(&mut self) -> &mut SessionLinks {
        self.links.get_or_insert_default()
    }
}

impl SessionLinks {
    const fn new() -> Self {
        Self {
            handles: Handles::new(),
            unsettled: Unsettled::new(),
            unsent: None,
        }
    }
}
