use crate::connection::LinkId;
use crate::performative::Transfer;

/// The rest of a message that is being sent in several frames.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) link: LinkId,
    /// What each frame says; repeated on every one, as all clients do and take.
    pub(crate) transfer: Transfer,
    pub(crate) payload: Vec<u8>,
    pub(crate) sent_bytes: usize,
}

impl Unsent {
    /// Appends the next frame's body, of at most `body_bytes_max`; whether it was the last.
    pub(crate) fn write_frame(&mut self, out: &mut Vec<u8>, body_bytes_max: usize) -> bool {
        let start = out.len();
        self.transfer.more = true;
        self.transfer.write(out);
        let room = body_bytes_max.saturating_sub(out.len() - start).max(1);
        let rest = self.payload.get(self.sent_bytes..).unwrap_or_default();
        let is_last = rest.len() <= room;
        if is_last {
            out.truncate(start);
            self.transfer.more = false;
            self.transfer.write(out); // As long as before: a boolean takes one byte either way.
        }
        let chunk = rest.get(..room).unwrap_or(rest);
        out.extend_from_slice(chunk);
        self.sent_bytes += chunk.len();
        is_last
    }
}
