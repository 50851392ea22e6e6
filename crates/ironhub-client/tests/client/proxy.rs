//! A way to the hub that can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    cuts: watch::Sender<u64>,
    carried: watch::Receiver<u64>,
    open: watch::Receiver<u64>,
}

impl Proxy {
    /// Passes connections on to this port of 127.0.0.1.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (cuts, heard) = watch::channel(0);
        let (count, carried) = watch::channel(0);
        let (open_count, open) = watch::channel(0);
        tokio::spawn(accept(listener, port, heard, (count, open_count)));
        Self {
            port: own,
            cuts,
            carried,
            open,
        }
    }

    /// Cuts what is connected now, without a word.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// How many connections there have been.
    pub(crate) fn carried(&self) -> u64 {
        *self.carried.borrow()
    }

    /// Waits until no connection is left.
    pub(crate) async fn idle(&self) {
        self.open.clone().wait_for(|open| *open == 0).await.unwrap();
    }

    /// Waits until there have been so many.
    pub(crate) async fn reach(&self, count: u64) {
        let mut carried = self.carried.clone();
        carried.wait_for(|carried| *carried >= count).await.unwrap();
    }
}

async fn accept(
    listener: TcpListener,
    port: u16,
    cuts: watch::Receiver<u64>,
    (carried, open): (watch::Sender<u64>, watch::Sender<u64>),
) {
    while let Ok((near, _)) = listener.accept().await {
        let mut cut = cuts.clone();
        cut.mark_unchanged();
        carried.send_modify(|count| *count += 1);
        open.send_modify(|count| *count += 1);
        let open = open.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = carry(near, (Ipv4Addr::LOCALHOST, port).into()) => {}
                _ = cut.changed() => {}
            }
            open.send_modify(|count| *count -= 1);
        });
    }
}

/// Dropping this resets both connections: with zero linger nothing that waits is sent any more.
async fn carry(mut near: TcpStream, to: SocketAddr) {
    let Ok(mut far) = TcpStream::connect(to).await else {
        return;
    };
    near.set_zero_linger().unwrap();
    far.set_zero_linger().unwrap();
    let _ = copy_bidirectional(&mut near, &mut far).await;
}
