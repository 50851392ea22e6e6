//! TLS over a byte stream. A server connection of rustls that holds no buffers does the protocol; bytes rest here only
//! while they wait for something, so an idle stream costs its keys and little else.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use ironhub_model::limits::TLS_INCOMPLETE_BYTES_MAX;
use rustls::pki_types::CertificateDer;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Read from the network at once, at least: the reader's own room may be a byte.
const READ_BYTES_MIN: usize = 4096;
/// Encrypted at once: four records.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// What encryption adds to that: each record's header, nonce, type and tag, and perhaps a change of keys before them.
const OVERHEAD_BYTES: usize = 512;

thread_local! {
    /// Where records arrive and are decrypted; what is incomplete moves to its connection.
    static ARRIVALS: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// The server's end of a connection.
pub struct TlsStream<S> {
    stream: S,
    tls: UnbufferedServerConnection,
    /// The beginning of a record, or of a handshake message, whose rest has not come.
    incoming: BytesMut,
    /// Encrypted, to be written.
    outgoing: BytesMut,
    /// Decrypted, beyond what the reader had room for.
    plaintext: BytesMut,
    /// The peer has said that it will send nothing more.
    is_read_closed: bool,
    /// This end has said so, or the connection has failed.
    is_write_closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Does the handshake. The peer is told why it failed, if it reads.
    pub(crate) async fn accept(config: Arc<ServerConfig>, stream: S) -> io::Result<Self> {
        let mut this = Self {
            stream,
            tls: UnbufferedServerConnection::new(config).map_err(io::Error::other)?,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            plaintext: BytesMut::new(),
            is_read_closed: false,
            is_write_closed: false,
        };
        while this.tls.is_handshaking() {
            poll_fn(|cx| this.poll_receive(cx, &mut ReadBuf::new(&mut []))).await?;
            poll_fn(|cx| this.poll_send(cx)).await?;
        }
        Ok(this)
    }

    /// Takes what has arrived: plaintext to the reader, and beyond its room to [`Self::plaintext`].
    fn poll_receive(&mut self, cx: &mut Context<'_>, reader: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ARRIVALS.with_borrow_mut(|arrivals| {
            let bytes_max = reader.remaining().max(READ_BYTES_MIN);
            arrivals.clear();
            arrivals.reserve(self.incoming.len() + bytes_max);
            arrivals.extend_from_slice(&self.incoming);
            let count = ready!(pin!(self.stream.read_buf(&mut arrivals.limit(bytes_max))).poll(cx))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let taken = self.take_records(arrivals, reader);
            if !self.outgoing.is_empty() {
                // What cannot be sent now goes first with the next write.
                let _ = self.poll_send(cx)?;
            }
            taken?;
            if arrivals.len() > TLS_INCOMPLETE_BYTES_MAX {
                return Poll::Ready(Err(invalid_data("a handshake message is too long")));
            }
            self.incoming = BytesMut::from(&arrivals[..]);
            Poll::Ready(Ok(()))
        })
    }

    /// Takes complete records off the front.
    fn take_records(&mut self, records: &mut BytesMut, reader: &mut ReadBuf<'_>) -> io::Result<()> {
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(records);
            let is_done = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid_data)?;
                        discard += record.discard;
                        let (now, later) = record.payload.split_at(record.payload.len().min(reader.remaining()));
                        reader.put_slice(now);
                        self.plaintext.extend_from_slice(later);
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    encode(data, &mut self.outgoing)?;
                    false
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.is_read_closed = true;
                    false
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => true,
                Ok(ConnectionState::Closed) => {
                    self.is_read_closed = true;
                    true
                }
                // Early data is not offered.
                Ok(_) => return Err(invalid_data("a state of TLS that was not asked for")),
                Err(error) => {
                    self.take_alert();
                    self.is_write_closed = true;
                    return Err(invalid_data(error));
                }
            };
            records.advance(discard);
            if is_done {
                return Ok(());
            }
        }
    }

    /// The last that is sent on a connection that has failed.
    fn take_alert(&mut self) {
        while self.tls.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(data)) = self.tls.process_tls_records(&mut []).state else {
                return;
            };
            if encode(data, &mut self.outgoing).is_err() {
                return;
            }
        }
    }

    /// Sends what waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outgoing))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(count);
        }
        self.outgoing = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Appends to what goes out. Between two calls from outside, nothing else waits for being encoded.
    fn encrypt(&mut self, what: Outgoing<'_>) -> io::Result<()> {
        let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut self.incoming);
        match state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => append(&mut self.outgoing, what.bytes_max(), |room| {
                let written = match what {
                    Outgoing::Data(plaintext) => traffic.encrypt(plaintext, room),
                    Outgoing::Goodbye => traffic.queue_close_notify(room),
                };
                written.map_err(|error| match error {
                    EncryptError::InsufficientSize(least) => Some(least.required_size),
                    EncryptError::EncryptExhausted => None,
                })
            })?,
            Ok(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(error) => return Err(invalid_data(error)),
        }
        self.incoming.advance(discard);
        Ok(())
    }
}

/// What can be encrypted once the handshake is done.
#[derive(Clone, Copy)]
enum Outgoing<'a> {
    Data(&'a [u8]),
    Goodbye,
}

impl Outgoing<'_> {
    /// Its size, encrypted, but for rare cases.
    fn bytes_max(self) -> usize {
        match self {
            Self::Data(plaintext) => plaintext.len() + OVERHEAD_BYTES,
            Self::Goodbye => OVERHEAD_BYTES,
        }
    }
}

impl<S> TlsStream<S> {
    /// What the peer presented. A resumed session has what its first handshake had.
    pub(crate) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.tls.peer_certificates()
    }

    /// Did the handshake resume a session?
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, reader: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = reader.remaining();
        if !this.plaintext.is_empty() {
            let count = this.plaintext.len().min(before);
            reader.put_slice(&this.plaintext.split_to(count));
            if this.plaintext.is_empty() {
                this.plaintext = BytesMut::new();
            }
        }
        while reader.remaining() == before && before > 0 && !this.is_read_closed {
            ready!(this.poll_receive(cx, reader))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    /// What it takes may still wait for the network: flush.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, plaintext: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_write_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(this.poll_send(cx))?;
        let taken = plaintext.get(..WRITE_BYTES_MAX).unwrap_or(plaintext);
        this.encrypt(Outgoing::Data(taken))?;
        let _ = this.poll_send(cx)?;
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    /// Says goodbye, and waits for none.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_write_closed {
            this.is_write_closed = true;
            // On a connection that has failed there is nobody to say it to.
            let _ = this.encrypt(Outgoing::Goodbye);
        }
        ready!(this.poll_send(cx))?;
        match ready!(Pin::new(&mut this.stream).poll_shutdown(cx)) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            ended => Poll::Ready(ended),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, out: &mut BytesMut) -> io::Result<()> {
    append(out, 0, |room| {
        data.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(least) => Some(least.required_size),
            EncodeError::AlreadyEncoded => None,
        })
    })
}

/// Appends what `write` puts into the room that it gets; it fails with the number of bytes that it needs, or for good.
fn append(
    out: &mut BytesMut,
    mut bytes: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> io::Result<()> {
    let start = out.len();
    loop {
        out.resize(start + bytes, 0);
        let written = write(out.get_mut(start..).unwrap_or_default());
        out.truncate(start + written.unwrap_or_default());
        match written {
            Ok(_) => return Ok(()),
            Err(Some(least)) if least > bytes => bytes = least,
            Err(_) => return Err(invalid_data("nothing more can be encrypted")),
        }
    }
}

fn invalid_data(error: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring;
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::version::{TLS12, TLS13};
    use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client;

    use super::*;
    use crate::tls::{Alpn, CertificateChain, Certificates, server_config};

    const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

    /// Both ends of a connection whose network holds so many bytes at a time: more than a ticket, which the client does
    /// not await.
    async fn connect(
        version: &'static SupportedProtocolVersion,
        network_bytes: usize,
    ) -> (client::TlsStream<DuplexStream>, TlsStream<DuplexStream>) {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = own.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let chain = CertificateChain {
            certificates: vec![certificate],
            key: PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap(),
        };
        let config = server_config(Certificates::new(vec![chain]).unwrap(), Alpn::None).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (near, far) = duplex(network_bytes);
        let name = ServerName::try_from("localhost").unwrap();
        let (client, server) = tokio::join!(
            TlsConnector::from(Arc::new(client)).connect(name, near),
            TlsStream::accept(config, far)
        );
        (client.unwrap(), server.unwrap())
    }

    #[tokio::test]
    async fn carries_both_ways_through_any_network() {
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
        for (version, network_bytes) in VERSIONS
            .into_iter()
            .flat_map(|version| [(version, 1000), (version, 1 << 20)])
        {
            let (client, mut server) = connect(version, network_bytes).await;
            let (mut from_server, mut to_server) = tokio::io::split(client);
            let (mut there, mut back) = (vec![0; sent.len()], vec![0; sent.len()]);
            let echo = async {
                server.read_exact(&mut there).await.unwrap();
                server.write_all(&there).await.unwrap();
                server.flush().await.unwrap();
            };
            let (written, read, ()) = tokio::join!(
                async {
                    to_server.write_all(&sent).await?;
                    to_server.flush().await
                },
                from_server.read_exact(&mut back),
                echo
            );
            written.unwrap();
            read.unwrap();
            assert!(there == sent && back == sent, "{version:?} {network_bytes}");
            assert!(server.incoming.capacity() + server.outgoing.capacity() + server.plaintext.capacity() == 0);
        }
    }

    #[tokio::test]
    async fn what_the_reader_has_no_room_for_waits() {
        let (mut client, mut server) = connect(&TLS13, 4096).await;
        client.write_all(b"one record").await.unwrap();
        client.write_all(b", another").await.unwrap();
        client.flush().await.unwrap();
        let mut read = Vec::new();
        for _ in 0..19 {
            read.push(server.read_u8().await.unwrap());
        }
        assert_eq!(read, b"one record, another");
    }

    #[tokio::test]
    async fn a_goodbye_ends_one_direction() {
        for version in VERSIONS {
            let (mut client, mut server) = connect(version, 4096).await;
            client.shutdown().await.unwrap();
            assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0, "{version:?}");
            server.write_all(b"farewell").await.unwrap();
            server.shutdown().await.unwrap();
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"farewell");
        }
    }

    #[tokio::test]
    async fn a_lost_peer_is_told_from_one_that_left() {
        let (client, mut server) = connect(&TLS13, 4096).await;
        drop(client.into_inner().0);
        let error = server.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn keys_change_while_data_flows() {
        let (mut client, mut server) = connect(&TLS13, 4096).await;
        for turn in 0..3 {
            client.get_mut().1.refresh_traffic_keys().unwrap();
            client.write_u8(turn).await.unwrap();
            client.flush().await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), turn);
            server.write_u8(turn).await.unwrap();
            server.flush().await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), turn);
        }
    }

    #[tokio::test]
    async fn a_damaged_record_is_answered_with_an_alert() {
        let (client, mut server) = connect(&TLS13, 4096).await;
        let (mut network, mut session) = client.into_inner();
        let record = [0x17, 3, 3, 0, 20];
        network.write_all(&record).await.unwrap();
        network.write_all(&[0; 20]).await.unwrap();
        assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(server.write_u8(1).await.is_err());
        drop(server);
        let mut bytes = Vec::new();
        network.read_to_end(&mut bytes).await.unwrap();
        session.read_tls(&mut bytes.as_slice()).unwrap();
        let alert = session.process_new_packets().unwrap_err();
        assert_eq!(
            alert,
            rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac)
        );
    }
}
