//! The frame bodies of AMQP (AMQP 1.0 part 2, §2.7), a file each.
//!
//! Every field is always written, explicit nulls included: azure-eventhub for Python reads fields by position and ends
//! the connection when the list is short. Reading is lenient: missing fields are null, single symbols stand for arrays.

mod amqp_error;
mod attach;
mod begin;
mod close;
mod delivery_state;
mod delivery_tag;
mod detach;
mod disposition;
mod end;
mod flow;
mod open;
mod role;
mod settle_mode;
mod source;
mod target;
mod transfer;

pub use amqp_error::{AmqpError, condition};
pub use attach::Attach;
pub use begin::Begin;
pub use close::Close;
pub use delivery_state::DeliveryState;
pub use delivery_tag::DeliveryTag;
pub use detach::Detach;
pub use disposition::Disposition;
pub use end::End;
pub use flow::{Flow, LinkFlow};
pub use open::Open;
pub use role::Role;
pub use settle_mode::{ReceiverSettleMode, SenderSettleMode};
pub use source::Source;
pub use target::Target;
pub use transfer::Transfer;

use crate::types::{DecodeError, Decoder, Descriptor, Value};

/// Any frame body.
#[derive(Debug, Clone, PartialEq)]
pub enum Performative {
    /// Negotiates the connection.
    Open(Open),
    /// Begins a session.
    Begin(Begin),
    /// Attaches a link.
    Attach(Box<Attach>),
    /// Updates windows and credit.
    Flow(Flow),
    /// Carries a message or a part of one.
    Transfer(Transfer),
    /// Tells the state of deliveries.
    Disposition(Disposition),
    /// Detaches a link.
    Detach(Detach),
    /// Ends a session.
    End(End),
    /// Closes the connection.
    Close(Close),
}

impl Performative {
    /// Reads a frame body; returns it and the payload behind it.
    pub fn read(body: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut decoder = Decoder::new(body);
        let described = decoder
            .value()?
            .as_described()
            .ok_or(DecodeError::Expected("a performative"))?;
        let fields = described.value();
        let performative = match described.descriptor() {
            Descriptor::Code(0x10) | Descriptor::Name("amqp:open:list") => Self::Open(Open::read(fields)?),
            Descriptor::Code(0x11) | Descriptor::Name("amqp:begin:list") => Self::Begin(Begin::read(fields)?),
            Descriptor::Code(0x12) | Descriptor::Name("amqp:attach:list") => {
                Self::Attach(Box::new(Attach::read(fields)?))
            }
            Descriptor::Code(0x13) | Descriptor::Name("amqp:flow:list") => Self::Flow(Flow::read(fields)?),
            Descriptor::Code(0x14) | Descriptor::Name("amqp:transfer:list") => Self::Transfer(Transfer::read(fields)?),
            Descriptor::Code(0x15) | Descriptor::Name("amqp:disposition:list") => {
                Self::Disposition(Disposition::read(fields)?)
            }
            Descriptor::Code(0x16) | Descriptor::Name("amqp:detach:list") => Self::Detach(Detach::read(fields)?),
            Descriptor::Code(0x17) | Descriptor::Name("amqp:end:list") => Self::End(End::read(fields)?),
            Descriptor::Code(0x18) | Descriptor::Name("amqp:close:list") => Self::Close(Close::read(fields)?),
            Descriptor::Code(_) | Descriptor::Name(_) | Descriptor::Other => {
                return Err(DecodeError::UnknownDescriptor);
            }
        };
        Ok((performative, decoder.rest()))
    }

    /// Appends the frame body.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open(open) => open.write(out),
            Self::Begin(begin) => begin.write(out),
            Self::Attach(attach) => attach.write(out),
            Self::Flow(flow) => flow.write(out),
            Self::Transfer(transfer) => transfer.write(out),
            Self::Disposition(disposition) => disposition.write(out),
            Self::Detach(detach) => detach.write(out),
            Self::End(end) => end.write(out),
            Self::Close(close) => close.write(out),
        }
    }
}

/// The 16-bit number of a field that the standard calls ushort.
fn ushort(value: Value<'_>) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}
