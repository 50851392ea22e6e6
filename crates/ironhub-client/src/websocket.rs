//! A WebSocket as a stream of bytes: the way through firewalls that let HTTPS out only.
//!
//! The frames are tungstenite's, which the hub's HTTP framework brings into the tree already. The hub's own frame code
//! belongs to its transport: it takes only what clients send, and a client may not depend on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::error::Error;
use crate::stream::{Endpoint, Io};

/// The path of Azure IoT Hub's WebSocket endpoint.
const PATH: &str = "/$iothub/websocket";
/// Longest frame that is sent, and the buffers' size.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Longest message that is taken; the hub writes far shorter ones.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Asks for a WebSocket of this sub-protocol.
pub(crate) async fn upgrade<S: Io>(
    stream: S,
    endpoint: &Endpoint,
    protocol: &'static str,
) -> Result<WebSocketIo<S>, Error> {
    let Endpoint { host, port, .. } = endpoint;
    let failed = |error: tungstenite::Error| {
        if let tungstenite::Error::Http(response) = &error {
            let status = response.status();
            return endpoint.unreachable(&format!("it answers {status} to a request for a WebSocket"));
        }
        endpoint.unreachable(&error)
    };
    let mut request = format!("wss://{host}:{port}{PATH}")
        .into_client_request()
        .map_err(failed)?;
    let protocol = HeaderValue::from_static(protocol);
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .read_buffer_size(FRAME_BYTES_MAX)
        .write_buffer_size(0); // Frames leave when they are written; whoever writes gathers by itself.
    let upgraded = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    let (inner, _) = upgraded.map_err(failed)?;
    Ok(WebSocketIo {
        inner,
        rest: Bytes::new(),
    })
}

/// The payloads of binary frames; frame boundaries mean nothing.
pub(crate) struct WebSocketIo<S> {
    inner: WebSocketStream<S>,
    /// Of the frame that was read last.
    rest: Bytes,
}

impl<S: Io> AsyncRead for WebSocketIo<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(payload))) => this.rest = payload,
                // Pings are answered below us; a text frame has no place in MQTT or AMQP.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
            }
        }
        let count = this.rest.len().min(buffer.remaining());
        buffer.put_slice(this.rest.get(..count).unwrap_or_default());
        this.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: Io> AsyncWrite for WebSocketIo<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = Pin::new(&mut self.get_mut().inner);
        ready!(inner.as_mut().poll_ready(cx)).map_err(io_error)?;
        let payload = bytes.get(..FRAME_BYTES_MAX).unwrap_or(bytes);
        let frame = Message::Binary(Bytes::copy_from_slice(payload));
        inner.start_send(frame).map_err(io_error)?;
        Poll::Ready(Ok(payload.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_close(cx).map_err(io_error)
    }
}

fn io_error(error: tungstenite::Error) -> io::Error {
    if let tungstenite::Error::Io(error) = error {
        return error;
    }
    io::Error::other(error)
}
