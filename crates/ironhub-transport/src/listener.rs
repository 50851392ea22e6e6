//! Accepting connections: who may come in, how many, and how they end when the hub stops.

mod admission;
mod drain;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ironhub_model::limits::{HANDSHAKE_WAIT_MAX, HANDSHAKES_MAX};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout, timeout_at};
use tracing::{debug, error, info, warn};

pub use admission::{Admission, AdmissionLimits, Admissions};
pub use drain::Drain;

use crate::log_limit::LogLimit;
use crate::peer::Peer;
use crate::socket::Socket;
use crate::tls::TlsStream;

const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// What a port speaks.
pub trait Service: Send + Sync + 'static {
    /// Serves one connection to its end. Once `drain` has begun it should come to an end by itself.
    fn serve(self: Arc<Self>, socket: Socket, peer: Peer, drain: Drain) -> impl Future<Output = ()> + Send;
}

/// Which peers are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerPolicy {
    /// All.
    Any,
    /// Those of this machine: the development profile.
    LoopbackOnly,
}

/// A port's settings.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// The port's name in logs and metrics: `mqtt`, `https`.
    pub name: &'static str,
    /// TLS, or none.
    pub tls: Option<Arc<ServerConfig>>,
    /// Who may connect.
    pub peers: PeerPolicy,
    /// The bounds, shared by all ports of a process.
    pub admissions: Arc<Admissions>,
}

/// A bound port.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    options: ListenerOptions,
}

impl Listener {
    /// Binds an address; port 0 takes a free one. Connections queue in the kernel until [`Listener::run`].
    pub async fn bind(address: SocketAddr, options: ListenerOptions) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            options,
        })
    }

    /// The address that was bound, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves connections until `drain` begins; then accepts no more, waits for those that are open up to the drain's
    /// deadline, and cuts the rest.
    pub async fn run<S: Service>(self, service: Arc<S>, drain: Drain) {
        let name = self.options.name;
        info!(port = name, address = %self.address, "listening");
        let door = Arc::new(Door::new(self.options));
        let mut connections = JoinSet::new();
        let mut begun = std::pin::pin!(drain.begun());
        let deadline = loop {
            tokio::select! {
                biased;
                deadline = &mut begun => break deadline,
                Some(ended) = connections.join_next() => report_end(name, ended),
                (stream, address) = accept(&self.socket, name) => {
                    if let Some(admission) = door.admit(address) {
                        let arrival = Arrival { stream, address, admission };
                        connections.spawn(Arc::clone(&door).serve(arrival, Arc::clone(&service), drain.clone()));
                    }
                }
            }
        };
        drop(self.socket);
        let ended = timeout_at(deadline, async {
            while let Some(ended) = connections.join_next().await {
                report_end(name, ended);
            }
        });
        if ended.await.is_err() {
            warn!(
                port = name,
                connections = connections.len(),
                "connections cut at the end of the drain"
            );
            connections.shutdown().await;
        }
    }
}

/// The next connection. Errors that say nothing about the listener, such as a lack of file descriptors, pass: they are
/// waited out.
async fn accept(socket: &TcpListener, name: &'static str) -> (TcpStream, SocketAddr) {
    static LOG: LogLimit = LogLimit::new();
    let mut back_off = BACK_OFF_MIN;
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                metrics::counter!("ironhub_accept_errors_total", "port" => name).increment(1);
                if let Some(held_back) = LOG.pass() {
                    warn!(port = name, %error, held_back, "cannot accept a connection, retrying");
                }
                sleep(back_off).await;
                back_off = (back_off * 2).min(BACK_OFF_MAX);
            }
        }
    }
}

/// A panic ends the connection it happened in, nothing else.
fn report_end(name: &'static str, ended: Result<(), JoinError>) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        metrics::counter!("ironhub_connection_panics_total", "port" => name).increment(1);
        error!(port = name, %failure, "a connection task panicked");
    }
}

/// An accepted connection.
struct Arrival {
    stream: TcpStream,
    address: SocketAddr,
    admission: Admission,
}

/// What happens to a connection before the port's protocol sees it.
#[derive(Debug)]
struct Door {
    options: ListenerOptions,
    refusals: LogLimit,
    failures: LogLimit,
    handshakes: Semaphore,
}

impl Door {
    fn new(options: ListenerOptions) -> Self {
        Self {
            options,
            refusals: LogLimit::new(),
            failures: LogLimit::new(),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
        }
    }

    fn admit(&self, address: SocketAddr) -> Option<Admission> {
        let name = self.options.name;
        let is_local = address.ip().to_canonical().is_loopback();
        let admitted = if self.options.peers == PeerPolicy::LoopbackOnly && !is_local {
            Err("not_loopback")
        } else {
            self.options.admissions.admit(address.ip(), name)
        };
        match admitted {
            Ok(admission) => Some(admission),
            Err(reason) => {
                metrics::counter!("ironhub_connections_refused_total", "port" => name, "reason" => reason).increment(1);
                if let Some(held_back) = self.refusals.pass() {
                    warn!(port = name, peer = %address, reason, held_back, "connection refused");
                }
                None
            }
        }
    }

    /// Serves a connection to its end. Each stage is a box of its own, made where the one before has gone: the task of
    /// an idle connection holds the last one only.
    fn serve<S: Service>(
        self: Arc<Self>,
        arrival: Arrival,
        service: Arc<S>,
        drain: Drain,
    ) -> impl Future<Output = ()> + Send {
        let greeting = Box::pin(self.greet(arrival));
        async move {
            let Some((socket, peer)) = greeting.await else { return };
            Box::pin(service.serve(socket, peer, drain)).await;
        }
    }

    /// Sets the socket up and does the handshake.
    async fn greet(self: Arc<Self>, arrival: Arrival) -> Option<(Socket, Peer)> {
        let Arrival {
            stream,
            address,
            admission,
        } = arrival;
        // Answers are small and waited for. A socket that cannot be set up is dead already.
        stream.set_nodelay(true).ok()?;
        let socket = match &self.options.tls {
            None => Socket::Plain(stream),
            Some(config) => match self.handshake(config, stream).await {
                Ok(socket) => socket,
                Err(error) => {
                    self.report_failure(address, &error);
                    return None;
                }
            },
        };
        let peer = Peer::new(address, socket.peer_certificates(), Arc::new(admission));
        Some((socket, peer))
    }

    async fn handshake(&self, config: &Arc<ServerConfig>, stream: TcpStream) -> io::Result<Socket> {
        let handshake = async {
            let _turn = self.handshakes.acquire().await;
            TlsStream::accept(Arc::clone(config), stream).await
        };
        let stream = timeout(HANDSHAKE_WAIT_MAX, handshake).await??;
        let kind = if stream.is_resumed() { "resumed" } else { "full" };
        metrics::counter!("ironhub_tls_handshakes_total", "port" => self.options.name, "kind" => kind).increment(1);
        Ok(Socket::Tls(Box::new(stream)))
    }

    fn report_failure(&self, address: SocketAddr, error: &io::Error) {
        let name = self.options.name;
        metrics::counter!("ironhub_tls_handshake_failures_total", "port" => name).increment(1);
        if let Some(held_back) = self.failures.pass() {
            debug!(port = name, peer = %address, %error, held_back, "TLS handshake failed");
        }
    }
}
