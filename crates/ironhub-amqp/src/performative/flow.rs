use crate::types::{DecodeError, Fields, Value, encode};

/// Updates the windows of a session and, with a handle, the credit of a link (§2.7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Transfer-id the sender expects next. We always write it: go-amqp dies without it, rhea computes NaN.
    pub next_incoming_id: Option<u32>,
    /// Transfer frames the sender can take.
    pub incoming_window: u32,
    /// Transfer-id of the sender's next transfer frame.
    pub next_outgoing_id: u32,
    /// Transfer frames the sender may keep.
    pub outgoing_window: u32,
    /// The link part.
    pub link: Option<LinkFlow>,
    /// Asks for a flow in return.
    pub echo: bool,
}

/// The part of a flow that is about one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkFlow {
    /// The number by which the sender of this frame calls the link.
    pub handle: u32,
    /// Deliveries so far, as the link's sender counts; a receiver may not know it yet.
    pub delivery_count: Option<u32>,
    /// Deliveries that may follow.
    pub link_credit: Option<u32>,
    /// Messages waiting at the link's sender.
    pub available: Option<u32>,
    /// Use up the credit now.
    pub drain: bool,
}

impl Flow {
    pub(super) fn read(value: Value<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::of(value)?;
        let next_incoming_id = fields.uint("next-incoming-id")?;
        let incoming_window = fields.uint("incoming-window")?.unwrap_or(0);
        let next_outgoing_id = fields.uint("next-outgoing-id")?.unwrap_or(0);
        let outgoing_window = fields.uint("outgoing-window")?.unwrap_or(0);
        let handle = fields.uint("handle")?;
        let delivery_count = fields.uint("delivery-count")?;
        let link_credit = fields.uint("link-credit")?;
        let available = fields.uint("available")?;
        let drain = fields.flag("drain")?;
        let echo = fields.flag("echo")?;
        let link = handle.map(|handle| LinkFlow {
            handle,
            delivery_count,
            link_credit,
            available,
            drain,
        });
        Ok(Self {
            next_incoming_id,
            incoming_window,
            next_outgoing_id,
            outgoing_window,
            link,
            echo,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        encode::composite(out, 0x13, |fields| {
            fields.push(self.next_incoming_id);
            fields.push(self.incoming_window);
            fields.push(self.next_outgoing_id);
            fields.push(self.outgoing_window);
            fields.push(self.link.map(|link| link.handle));
            fields.push(self.link.and_then(|link| link.delivery_count));
            fields.push(self.link.and_then(|link| link.link_credit));
            fields.push(self.link.and_then(|link| link.available));
            fields.push(self.link.filter(|link| link.drain).map(|_| true));
            fields.push(self.echo);
            fields.push(Value::Null); // properties
        });
    }
}
