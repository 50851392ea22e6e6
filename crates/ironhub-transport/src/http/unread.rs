//! Gives up on a peer that does not read its answers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ironhub_model::limits::STALL_MAX;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream whose writes fail once the peer has taken nothing for [`STALL_MAX`]: an answer without an end, as a stream
/// of events is, would wait for ever, and what it holds with it.
#[derive(Debug)]
pub(crate) struct Unread<S> {
    stream: S,
    /// Runs while a write waits for the peer. Boxed: few connections ever need it.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Unread<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, stall: None }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// What became of a write, or that the peer has had its time.
    fn watch<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stall = None;
            return outcome;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL_MAX)));
        stall.as_mut().poll(cx).map(|()| {
            metrics::counter!("ironhub_http_connections_cut_total", "reason" => "not_reading").increment(1);
            Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read"))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unread<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unread<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, outcome)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    const ROOM: usize = 16;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let (_peer, stream) = duplex(ROOM);
        let mut stream = Unread::new(stream);
        let begin = Instant::now();
        let error = stream.write_all(&[0; ROOM + 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begin.elapsed().as_secs(), STALL_MAX.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_is_not() {
        const PIECES: usize = 5;
        let (mut peer, stream) = duplex(ROOM);
        let mut stream = Unread::new(stream);
        let begin = Instant::now();
        let reader = tokio::spawn(async move {
            let mut piece = [0; ROOM];
            for _ in 0..PIECES {
                sleep(STALL_MAX.saturating_sub(Duration::from_secs(1))).await;
                peer.read_exact(&mut piece).await.unwrap();
            }
        });
        stream.write_all(&[0; ROOM * PIECES]).await.unwrap();
        reader.await.unwrap();
        assert!(begin.elapsed() > STALL_MAX * 2, "each piece took its time");
    }
}
