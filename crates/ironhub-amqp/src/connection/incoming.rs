use super::{Connection, Delivery, Event, Gone, LinkId, Receipt, SessionId};
use crate::link::{LinkEnd, LinkState, Receiver, Whole};
use crate::performative::{AmqpError, DeliveryState, Disposition, Performative, Role, Transfer, condition};

/// Deliveries of one session whose numbers follow each other.
#[derive(Debug, Clone, Copy)]
struct Run {
    channel: u16,
    first: u32,
    last: u32,
}

impl Run {
    fn is_followed_by(self, channel: u16, delivery_id: u32) -> bool {
        self.channel == channel && self.last.wrapping_add(1) == delivery_id
    }
}

impl Connection {
    /// How many messages of a link may be under way or in the caller's hands; 0 takes the credit back. The peer is told
    /// at once, and again whenever half of it was used and settled.
    pub fn grant(&mut self, id: LinkId, credit: u32) -> Result<(), Gone> {
        let (_, receiver) = self.attached_receiver(id)?;
        if receiver.set_window(credit) {
            self.write_link_flow(id);
        }
        Ok(())
    }

    /// Says what became of a message, which frees its credit. For a message that the peer sent settled nothing is
    /// written and `state` does not matter.
    ///
    /// SDKs understand [`DeliveryState::Accepted`] and [`DeliveryState::Rejected`] here and no other outcome.
    pub fn settle(&mut self, receipt: Receipt, state: DeliveryState) -> Result<(), Gone> {
        let (channel, has_credit) = self.release(receipt.link)?;
        if !receipt.settled {
            let run = Run {
                channel,
                first: receipt.delivery_id,
                last: receipt.delivery_id,
            };
            self.write_settled(run, state);
        }
        if has_credit {
            self.write_link_flow(receipt.link);
        }
        Ok(())
    }

    /// Says of several messages, in the order in which they came, that they were accepted: those whose numbers follow
    /// each other take one frame. Links that are gone are passed over.
    pub fn accept_all(&mut self, receipts: impl IntoIterator<Item = Receipt>) {
        let mut run: Option<Run> = None;
        for receipt in receipts {
            let Ok((channel, has_credit)) = self.release(receipt.link) else {
                continue;
            };
            if !receipt.settled {
                run = match run.take() {
                    Some(run) if run.is_followed_by(channel, receipt.delivery_id) => Some(Run {
                        last: receipt.delivery_id,
                        ..run
                    }),
                    other => {
                        self.finish_run(other);
                        Some(Run {
                            channel,
                            first: receipt.delivery_id,
                            last: receipt.delivery_id,
                        })
                    }
                };
            }
            if has_credit {
                self.finish_run(run.take());
                self.write_link_flow(receipt.link);
            }
        }
        self.finish_run(run);
    }

    /// Takes messages up to this size on a link, whatever its attach announced: the link ends at larger ones.
    pub fn limit_messages(&mut self, id: LinkId, bytes_max: u64) -> Result<(), Gone> {
        match self.links.get_mut(id.0).map(|link| &mut link.end) {
            Some(LinkEnd::Receiver(receiver)) => {
                receiver.set_limit(Some(bytes_max));
                Ok(())
            }
            Some(LinkEnd::Sender(_)) | None => Err(Gone),
        }
    }

    /// One message of a link is done with. Returns the link's channel, and whether the peer has to be told of new credit.
    fn release(&mut self, id: LinkId) -> Result<(u16, bool), Gone> {
        let (session, receiver) = self.attached_receiver(id)?;
        Ok((session.0.index, receiver.release()))
    }

    /// Our end of a link on which we receive, with its session.
    fn attached_receiver(&mut self, id: LinkId) -> Result<(SessionId, &mut Receiver), Gone> {
        let link = self
            .links
            .get_mut(id.0)
            .filter(|link| link.state == LinkState::Attached)
            .ok_or(Gone)?;
        match &mut link.end {
            LinkEnd::Receiver(receiver) => Ok((link.session, receiver)),
            LinkEnd::Sender(_) => Err(Gone),
        }
    }

    fn finish_run(&mut self, run: Option<Run>) {
        if let Some(run) = run {
            self.write_settled(run, DeliveryState::Accepted);
        }
    }

    fn write_settled(&mut self, run: Run, state: DeliveryState) {
        let disposition = Disposition {
            role: Role::Receiver,
            first: run.first,
            last: (run.last != run.first).then_some(run.last),
            settled: true,
            state: Some(state),
        };
        self.write(run.channel, &Performative::Disposition(disposition));
    }

    pub(super) fn handle_transfer(&mut self, session_id: SessionId, transfer: &Transfer, payload: &[u8]) {
        let Some(session) = self.sessions.get_mut(session_id.0) else {
            return;
        };
        let is_window_low = session.windows.handle_transfer();
        let link = session.links().handles.by_theirs(transfer.handle);
        if is_window_low {
            self.write_flow(session_id, None);
        }
        let Some(link) = link else {
            let error = AmqpError::new(condition::UNATTACHED_HANDLE, "The handle is not attached.");
            return self.fail_session(session_id, error);
        };
        self.handle_link_transfer(link, transfer, payload);
    }

    fn handle_link_transfer(&mut self, id: LinkId, transfer: &Transfer, payload: &[u8]) {
        let Some(link) = self.links.get_mut(id.0) else { return };
        let state = link.state;
        if state == LinkState::Detaching {
            return; // Sent before the peer saw our detach.
        }
        let LinkEnd::Receiver(receiver) = &mut link.end else {
            return self.fail_link(
                id,
                AmqpError::new(condition::NOT_ALLOWED, "A transfer against the link's direction."),
            );
        };
        let buffered_before = receiver.buffered_bytes();
        let taken = receiver
            .handle_transfer(transfer, payload)
            .and_then(|whole| match whole {
                Some(message) if state == LinkState::Attached => receiver.hand_over().map(|()| Some(message)),
                Some(message) => receiver.keep_early(message).map(|()| None),
                None => Ok(None),
            });
        self.buffered_bytes = self.buffered_bytes - buffered_before + receiver.buffered_bytes();
        // Nobody settles what never came.
        let has_credit = transfer.aborted && receiver.replenish();
        match taken {
            Ok(Some(message)) => self.events.push_back(delivery(id, message)),
            Ok(None) if has_credit => self.write_link_flow(id),
            Ok(None) => {}
            Err(error) => self.fail_link(id, error),
        }
    }

    /// What came before the caller took the link is a delivery now.
    pub(super) fn hand_over_early(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id.0) else { return };
        let LinkEnd::Receiver(receiver) = &mut link.end else {
            return;
        };
        let buffered_before = receiver.buffered_bytes();
        for message in receiver.take_early() {
            // As many as may be kept early may be in flight, so this does not fail.
            if receiver.hand_over().is_ok() {
                self.events.push_back(delivery(id, message));
            }
        }
        self.buffered_bytes = self.buffered_bytes - buffered_before + receiver.buffered_bytes();
    }
}

fn delivery(link: LinkId, message: Whole) -> Event {
    Event::Delivery(Delivery {
        receipt: Receipt {
            link,
            delivery_id: message.delivery_id,
            settled: message.settled,
        },
        tag: message.tag,
        message_format: message.message_format,
        payload: message.payload,
    })
}
