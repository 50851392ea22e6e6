use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::{FrameReader, OpCode, write_close, write_frame};

/// Frames that wait for the socket: beyond this the writer waits, and pings are not read.
const PENDING_BYTES_MAX: usize = 16 * 1024;
/// "Normal closure" (RFC 6455, section 7.4.1).
const STATUS_NORMAL: u16 = 1000;

/// The payloads of a WebSocket's binary frames as one stream of bytes in each direction; frame boundaries mean nothing.
///
/// Reading works in the caller's buffer, so an idle stream holds no memory but its own fields.
#[derive(Debug)]
pub struct WebSocketStream<S> {
    socket: S,
    /// Read together with the HTTP request.
    early: Bytes,
    reader: FrameReader,
    out: BytesMut,
    is_close_sent: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Over a connection whose upgrade is answered; `early` is what was already read behind the request.
    pub(crate) fn new(socket: S, early: Bytes) -> Self {
        Self {
            socket,
            early,
            reader: FrameReader::new(),
            out: BytesMut::new(),
            is_close_sent: false,
        }
    }

    /// Takes bytes of frames to the front of `buffer`; returns how many, zero at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early.split_to(count));
        if self.early.is_empty() {
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let count = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(count);
        }
        self.out = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Sends what can be sent now; what cannot is left for the next call, which the socket wakes.
    fn try_drain(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        match self.poll_drain(cx) {
            Poll::Ready(Ok(())) => match Pin::new(&mut self.socket).poll_flush(cx) {
                Poll::Ready(flushed) => flushed,
                Poll::Pending => Ok(()),
            },
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            this.try_drain(cx)?;
            if buffer.remaining() == 0 || this.reader.is_closed() {
                return Poll::Ready(Ok(()));
            }
            if this.out.len() > PENDING_BYTES_MAX {
                return Poll::Pending;
            }
            let mut frames = ReadBuf::new(buffer.initialize_unfilled());
            ready!(this.poll_fill(cx, &mut frames))?;
            let frames = frames.filled_mut();
            if frames.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match this.reader.read(frames, &mut this.out) {
                Ok(0) => {}
                Ok(count) => {
                    buffer.advance(count);
                    this.try_drain(cx)?;
                    return Poll::Ready(Ok(()));
                }
                Err(error) => {
                    write_close(&mut this.out, error.status());
                    this.is_close_sent = true;
                    this.try_drain(cx)?;
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    /// Each call sends one frame.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.out.len() > PENDING_BYTES_MAX {
            ready!(this.poll_drain(cx))?;
        }
        if !bytes.is_empty() {
            write_frame(&mut this.out, OpCode::Binary, bytes);
        }
        this.try_drain(cx)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_close_sent && !this.reader.is_closed() {
            write_close(&mut this.out, STATUS_NORMAL);
            this.is_close_sent = true;
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
        bytes.extend_from_slice(payload);
        bytes
    }

    #[tokio::test]
    async fn tiny_frames_are_one_stream() {
        let (mut client, server) = tokio::io::duplex(64);
        let early = [masked(0x82, b"a"), masked(0x82, b"b")].concat();
        let mut stream = WebSocketStream::new(server, Bytes::from(early));
        client.write_all(&masked(0x82, b"cd")).await.unwrap();
        client.write_all(&masked(0x88, b"\x03\xe8")).await.unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"abcd");
        let mut close = [0; 4];
        client.read_exact(&mut close).await.unwrap();
        assert_eq!(&close, b"\x88\x02\x03\xe8");
    }

    #[tokio::test]
    async fn writes_pings_and_the_end() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut stream = WebSocketStream::new(server, Bytes::new());
        client.write_all(&masked(0x89, b"hi")).await.unwrap();
        client.write_all(&masked(0x82, b"x")).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        stream.write_all(b"data").await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"\x8a\x02hi\x82\x04data\x88\x02\x03\xe8");
    }

    #[tokio::test]
    async fn a_wrong_frame_is_named_in_the_close() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut stream = WebSocketStream::new(server, Bytes::new());
        client.write_all(b"\x82\x01x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(stream);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"\x88\x02\x03\xea");
    }

    /// A peer that sends pings and reads nothing is not read on.
    #[tokio::test]
    async fn pongs_are_bounded() {
        let (mut client, server) = tokio::io::duplex(16);
        let mut stream = WebSocketStream::new(server, Bytes::new());
        let flood = tokio::spawn(async move {
            for _ in 0..1_000 {
                client.write_all(&masked(0x89, &[b'p'; 100])).await.unwrap();
            }
        });
        let read = tokio::spawn(async move {
            let mut byte = [0];
            let _ = stream.read(&mut byte).await;
            stream
        });
        tokio::task::yield_now().await;
        for _ in 0..100_000 {
            tokio::task::yield_now().await;
        }
        assert!(!flood.is_finished());
        read.abort();
        flood.abort();
    }
}
