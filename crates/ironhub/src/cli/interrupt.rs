//! SIGINT and SIGTERM: the first asks a verb to end in order, the second to end at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the process was asked to end. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<u32>);

impl Interrupt {
    /// Listens from now on: the signals end the process no longer by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (count_in, count) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                count_in.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(count))
    }

    /// Returns once somebody has asked to end.
    pub(crate) async fn asked(&mut self) {
        self.at_least(1).await;
    }

    /// Returns once somebody has asked twice.
    pub(crate) async fn insisted(&mut self) {
        self.at_least(2).await;
    }

    /// Returns once somebody asks from now on, however often it was asked before.
    pub(crate) async fn again(&mut self) {
        let before = *self.0.borrow();
        self.at_least(before + 1).await;
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow() > 0
    }

    async fn at_least(&mut self, times: u32) {
        if self.0.wait_for(|count| *count >= times).await.is_err() {
            // The listener is gone with its runtime: nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}
