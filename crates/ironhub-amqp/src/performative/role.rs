use crate::types::Value;

/// Which end of a link the sender of a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends messages on the link.
    Sender,
    /// Receives messages on the link.
    Receiver,
}

impl Role {
    /// The other end.
    pub fn opposite(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }

    pub(super) fn read(value: Value<'_>) -> Option<Self> {
        value
            .as_bool()
            .map(|is_receiver| if is_receiver { Self::Receiver } else { Self::Sender })
    }
}

impl From<Role> for Value<'_> {
    fn from(role: Role) -> Self {
        Self::Boolean(role == Role::Receiver)
    }
}
