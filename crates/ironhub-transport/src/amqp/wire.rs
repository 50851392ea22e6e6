//! The byte stream of a connection and the protocol's buffers; an idle connection holds no buffer of its own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use ironhub_amqp::connection::Connection;
use ironhub_model::limits::GOODBYE_WAIT_MAX;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// Bytes taken from the stream at once: what a TLS record holds.
const READ_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// Where bytes arrive before the protocol has looked at them.
    static ARRIVALS: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES_MAX]);
}

#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    is_flushing: bool,
    written_bytes: u64,
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
            is_flushing: false,
            written_bytes: 0,
        }
    }

    /// Does anything wait for the peer to read?
    pub(super) fn has_output(&self, amqp: &Connection) -> bool {
        self.is_flushing || !amqp.output().is_empty()
    }

    /// What the peer, or the network on its behalf, has taken so far.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Writes what waits and, if it may and the protocol wants input, reads; resolves when something has moved.
    /// Cancel-safe.
    pub(super) async fn exchange(&mut self, amqp: &mut Connection, may_read: bool) -> io::Result<Moved> {
        poll_fn(|cx| self.poll_exchange(cx, amqp, may_read)).await
    }

    /// Sends what waits, says goodbye, and closes at once.
    pub(super) async fn close(mut self, amqp: &mut Connection) {
        let goodbye = async {
            poll_fn(|cx| self.poll_write(cx, amqp)).await?;
            self.stream.shutdown().await
        };
        let _ = timeout(GOODBYE_WAIT_MAX, goodbye).await;
    }

    /// Closes without sending what waits.
    pub(super) async fn cut(mut self) {
        let _ = timeout(GOODBYE_WAIT_MAX, self.stream.shutdown()).await;
    }

    fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        amqp: &mut Connection,
        may_read: bool,
    ) -> Poll<io::Result<Moved>> {
        let before = (amqp.output().len(), self.is_flushing);
        if let Poll::Ready(Err(error)) = self.poll_write(cx, amqp) {
            return Poll::Ready(Err(error));
        }
        if may_read
            && amqp.wants_input()
            && let Poll::Ready(count) = self.poll_read(cx, amqp)?
        {
            return Poll::Ready(Ok(if count == 0 { Moved::End } else { Moved::In }));
        }
        if before == (amqp.output().len(), self.is_flushing) {
            return Poll::Pending;
        }
        Poll::Ready(Ok(Moved::Out))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, amqp: &mut Connection) -> Poll<io::Result<()>> {
        while !amqp.output().is_empty() {
            self.is_flushing = true;
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, amqp.output()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written_bytes += u64::try_from(count).unwrap_or(0);
            amqp.handle_written(count, now());
        }
        if self.is_flushing {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushing = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, amqp: &mut Connection) -> Poll<io::Result<usize>> {
        ARRIVALS.with_borrow_mut(|arrivals| {
            let mut arrivals = ReadBuf::new(arrivals);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut arrivals))?;
            amqp.handle_bytes(arrivals.filled(), now());
            Poll::Ready(Ok(arrivals.filled().len()))
        })
    }
}

/// The instant by the runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
