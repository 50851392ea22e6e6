//! One link: who it is, where it stands, and the end of it that is ours.

mod receiver;
mod sender;

pub(crate) use receiver::{Receiver, Whole};
pub(crate) use sender::Sender;

use crate::connection::SessionId;
use crate::performative::{Attach, Role};

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) session: SessionId,
    pub(crate) name: Box<str>,
    /// Our number for it, in frames that we send.
    pub(crate) handle: u32,
    /// The peer's number for it, in frames that we receive.
    pub(crate) remote_handle: Option<u32>,
    pub(crate) state: LinkState,
    pub(crate) end: LinkEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// We asked for it; the peer has not answered.
    Requested,
    /// The peer asked for it; the caller has not answered.
    Offered,
    Attached,
    /// We detached it; the peer has not answered, and must not be answered again.
    Detaching,
}

#[derive(Debug)]
pub(crate) enum LinkEnd {
    Sender(Sender),
    Receiver(Receiver),
}

impl Link {
    /// A link that the peer asks for.
    pub(crate) fn offered(session: SessionId, handle: u32, attach: &Attach) -> Self {
        Self {
            session,
            name: attach.name.as_str().into(),
            handle,
            remote_handle: Some(attach.handle),
            state: LinkState::Offered,
            end: LinkEnd::new(attach.role.opposite(), attach),
        }
    }

    /// A link that we ask for.
    pub(crate) fn requested(session: SessionId, handle: u32, attach: &Attach) -> Self {
        Self {
            session,
            name: attach.name.as_str().into(),
            handle,
            remote_handle: None,
            state: LinkState::Requested,
            end: LinkEnd::new(attach.role, attach),
        }
    }

    pub(crate) fn role(&self) -> Role {
        match self.end {
            LinkEnd::Sender(_) => Role::Sender,
            LinkEnd::Receiver(_) => Role::Receiver,
        }
    }
}

impl LinkEnd {
    fn new(role: Role, attach: &Attach) -> Self {
        match role {
            Role::Sender => Self::Sender(Sender::new(attach)),
            Role::Receiver => Self::Receiver(Receiver::new(attach)),
        }
    }
}
