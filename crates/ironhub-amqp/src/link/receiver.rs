use crate::limits::{DELIVERIES_BEYOND_CREDIT_MAX, MESSAGE_BYTES_MAX};
use crate::performative::{AmqpError, Attach, DeliveryTag, Transfer, condition};
use crate::serial::distance;

/// Our end of a link on which we receive: credit granted, and messages that are being put together.
#[derive(Debug)]
pub(crate) struct Receiver {
    delivery_count: u32,
    credit: u32,
    /// Credit outstanding and deliveries in the caller's hands together never pass this.
    window: u32,
    in_flight: u32,
    /// Largest message we take, in bytes.
    message_bytes_max: u64,
    partial: Option<Box<Whole>>,
    /// Messages that came before the caller answered the attach.
    early: Vec<Whole>,
    buffered_bytes: usize,
}

/// One message, whole or on the way to it.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) delivery_id: u32,
    pub(crate) tag: DeliveryTag,
    pub(crate) message_format: u32,
    pub(crate) settled: bool,
    pub(crate) payload: Vec<u8>,
}

impl Whole {
    /// What it costs to keep, so that empty messages are not free.
    fn cost_bytes(&self) -> usize {
        self.payload.len() + size_of::<Self>()
    }
}

impl Receiver {
    pub(crate) fn new(attach: &Attach) -> Self {
        Self {
            delivery_count: attach.initial_delivery_count.unwrap_or(0),
            credit: 0,
            window: 0,
            in_flight: 0,
            message_bytes_max: attach
                .max_message_size
                .filter(|size| *size > 0)
                .unwrap_or(MESSAGE_BYTES_MAX),
            partial: None,
            early: Vec::new(),
            buffered_bytes: 0,
        }
    }

    pub(crate) fn set_limit(&mut self, max_message_size: Option<u64>) {
        self.message_bytes_max = max_message_size.filter(|size| *size > 0).unwrap_or(MESSAGE_BYTES_MAX);
    }

    /// The peer counts its deliveries from here.
    pub(crate) fn set_delivery_count(&mut self, initial: Option<u32>) {
        self.delivery_count = initial.unwrap_or(0);
    }

    pub(crate) fn delivery_count(&self) -> u32 {
        self.delivery_count
    }

    pub(crate) fn credit(&self) -> u32 {
        self.credit
    }

    /// Bytes that this link holds back.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Sets the window; whether the peer has to be told.
    pub(crate) fn set_window(&mut self, window: u32) -> bool {
        self.window = window;
        let credit = window.saturating_sub(self.in_flight);
        let is_news = credit > self.credit || window == 0;
        if is_news {
            self.credit = credit;
        }
        is_news
    }

    /// One delivery is done with; whether the peer has to be told of new credit.
    pub(crate) fn release(&mut self) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.replenish()
    }

    /// Gives the credit back that deliveries took which are done with, or never came; whether the peer has to be told of
    /// it. It is told by half windows.
    pub(crate) fn replenish(&mut self) -> bool {
        let missing = self.window.saturating_sub(self.credit.saturating_add(self.in_flight));
        if missing == 0 || missing < self.window / 2 {
            return false;
        }
        self.credit += missing;
        true
    }

    /// The peer's count, when it has skipped deliveries to use credit up.
    pub(crate) fn handle_flow(&mut self, delivery_count: Option<u32>) {
        let Some(count) = delivery_count else { return };
        if let Ok(skipped @ 1..) = u32::try_from(distance(count, self.delivery_count)) {
            self.delivery_count = count;
            self.credit = self.credit.saturating_sub(skipped);
        }
    }

    /// Takes a transfer; gives the message when it is whole.
    pub(crate) fn handle_transfer(&mut self, transfer: &Transfer, payload: &[u8]) -> Result<Option<Whole>, AmqpError> {
        let mut message = match self.partial.take() {
            Some(message) => self.continued(*message, transfer)?,
            None => self.started(transfer)?,
        };
        if transfer.aborted {
            return Ok(None);
        }
        let len = message.payload.len() + payload.len();
        if u64::try_from(len).unwrap_or(u64::MAX) > self.message_bytes_max {
            let text = format!("The message is larger than {} bytes.", self.message_bytes_max);
            return Err(AmqpError::new(condition::MESSAGE_SIZE_EXCEEDED, text));
        }
        message.payload.extend_from_slice(payload);
        message.settled |= transfer.settled;
        if transfer.more {
            self.buffered_bytes += message.cost_bytes();
            self.partial = Some(Box::new(message));
            return Ok(None);
        }
        Ok(Some(message))
    }

    fn continued(&mut self, message: Whole, transfer: &Transfer) -> Result<Whole, AmqpError> {
        self.buffered_bytes = self.buffered_bytes.saturating_sub(message.cost_bytes());
        if transfer.delivery_id.is_some_and(|id| id != message.delivery_id) {
            return Err(AmqpError::new(
                condition::NOT_ALLOWED,
                "A delivery begins before the last one ended.",
            ));
        }
        Ok(message)
    }

    fn started(&mut self, transfer: &Transfer) -> Result<Whole, AmqpError> {
        let missing =
            |field: &str| AmqpError::new(condition::INVALID_FIELD, format!("The first transfer has no {field}."));
        self.delivery_count = self.delivery_count.wrapping_add(1);
        self.credit = self.credit.saturating_sub(1);
        Ok(Whole {
            delivery_id: transfer.delivery_id.ok_or_else(|| missing("delivery-id"))?,
            tag: transfer.delivery_tag.ok_or_else(|| missing("delivery-tag"))?,
            message_format: transfer.message_format.unwrap_or(0),
            settled: false,
            payload: Vec::new(),
        })
    }

    /// The caller gets a message; an error when it has too many that the peer had no credit for.
    pub(crate) fn hand_over(&mut self) -> Result<(), AmqpError> {
        self.in_flight += 1;
        self.check_overrun(self.in_flight)
    }

    /// Keeps a message until the caller has answered the attach.
    pub(crate) fn keep_early(&mut self, message: Whole) -> Result<(), AmqpError> {
        self.buffered_bytes += message.cost_bytes();
        self.early.push(message);
        self.check_overrun(u32::try_from(self.early.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn take_early(&mut self) -> Vec<Whole> {
        let early = std::mem::take(&mut self.early);
        self.buffered_bytes -= early.iter().map(Whole::cost_bytes).sum::<usize>();
        early
    }

    fn check_overrun(&self, deliveries: u32) -> Result<(), AmqpError> {
        if deliveries <= self.window.saturating_add(DELIVERIES_BEYOND_CREDIT_MAX) {
            return Ok(());
        }
        Err(AmqpError::new(
            condition::TRANSFER_LIMIT_EXCEEDED,
            "More deliveries than link credit.",
        ))
    }

    /// Lets go of everything that waits.
    pub(crate) fn clear(&mut self) {
        self.partial = None;
        self.early = Vec::new();
        self.buffered_bytes = 0;
    }
}
