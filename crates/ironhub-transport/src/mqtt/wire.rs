//! The byte stream of a connection with what waits in either direction; an idle one holds no buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use ironhub_model::limits::{GOODBYE_WAIT_MAX, OUTPUT_PENDING_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// Bytes taken from the stream at once: what a TLS record holds.
const READ_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// Where bytes arrive before their connection has a buffer.
    static ARRIVALS: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES_MAX]);
}

#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    /// Read and not yet understood.
    pub(super) input: BytesMut,
    /// To be written.
    pub(super) output: BytesMut,
    is_flushing: bool,
}

/// What moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// Bytes came in, and some may have gone out.
    In,
    /// Bytes went out.
    Out,
    /// The peer will send nothing more.
    End,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            is_flushing: false,
        }
    }

    /// Does anything wait for the peer to read?
    pub(super) fn has_output(&self) -> bool {
        self.is_flushing || !self.output.is_empty()
    }

    /// So much of the input is understood. What is empty holds no memory.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.input.advance(bytes);
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Does so much wait that nothing may be added?
    pub(super) fn is_output_full(&self) -> bool {
        self.output.len() >= OUTPUT_PENDING_BYTES_MAX
    }

    /// Writes what waits and, if it may, reads; resolves when something has moved. Cancel-safe.
    pub(super) async fn exchange(&mut self, may_read: bool) -> io::Result<Moved> {
        poll_fn(|cx| self.poll_exchange(cx, may_read)).await
    }

    /// Sends what waits, says goodbye, and closes at once: the C SDK takes no notice of TLS's `close_notify` alone, so
    /// nothing is awaited of the peer.
    pub(super) async fn close(mut self) {
        let goodbye = async {
            while self.has_output() {
                self.exchange(false).await?;
            }
            self.stream.shutdown().await
        };
        let _ = timeout(GOODBYE_WAIT_MAX, goodbye).await;
    }

    /// Closes without sending what waits.
    pub(super) async fn cut(mut self) {
        let _ = timeout(GOODBYE_WAIT_MAX, self.stream.shutdown()).await;
    }

    fn poll_exchange(&mut self, cx: &mut Context<'_>, may_read: bool) -> Poll<io::Result<Moved>> {
        let before = (self.output.len(), self.is_flushing);
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Poll::Ready(Err(error));
        }
        if may_read && let Poll::Ready(count) = self.poll_read(cx)? {
            return Poll::Ready(Ok(if count == 0 { Moved::End } else { Moved::In }));
        }
        if before == (self.output.len(), self.is_flushing) {
            return Poll::Pending;
        }
        Poll::Ready(Ok(Moved::Out))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            self.is_flushing = true;
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(count);
        }
        if self.is_flushing {
            self.output = BytesMut::new();
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushing = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ARRIVALS.with_borrow_mut(|arrivals| {
            let mut arrivals = ReadBuf::new(arrivals);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut arrivals))?;
            self.input.extend_from_slice(arrivals.filled());
            Poll::Ready(Ok(arrivals.filled().len()))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn reads_although_the_peer_does_not() {
        let (mut peer, stream) = tokio::io::duplex(8);
        let mut wire = Wire::new(stream);
        wire.output.extend_from_slice(b"more than eight");
        assert_eq!(wire.exchange(true).await.unwrap(), Moved::Out);
        assert!(wire.has_output());
        peer.write_all(b"in").await.unwrap();
        assert_eq!(wire.exchange(true).await.unwrap(), Moved::In);
        assert_eq!(&wire.input[..], b"in");
        let mut read = [0; 15];
        let (read_exact, moved) = tokio::join!(peer.read_exact(&mut read), wire.exchange(false));
        read_exact.unwrap();
        moved.unwrap();
        assert_eq!(&read, b"more than eight");
        assert!(!wire.has_output());
        drop(peer);
        assert_eq!(wire.exchange(true).await.unwrap(), Moved::End);
    }

    #[tokio::test]
    async fn the_goodbye_waits_for_the_output() {
        let (mut peer, stream) = tokio::io::duplex(2);
        let mut wire = Wire::new(stream);
        wire.output.extend_from_slice(b"last words");
        let mut read = Vec::new();
        let (count, ()) = tokio::join!(peer.read_to_end(&mut read), wire.close());
        assert_eq!(count.unwrap(), 10);
    }
}
