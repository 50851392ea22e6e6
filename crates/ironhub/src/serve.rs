//! `ironhub serve`: flags, variables and file become a configuration; a hub runs until it is told to stop.

mod args;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ironhub_server::{Announcement, Server, ServerConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

pub(crate) use self::args::ServeArgs;
use crate::logging;

#[expect(clippy::print_stdout, reason = "connection strings are the answer to the command")]
pub(crate) fn run(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    logging::start(&args.log, args.log_format)?;
    let ready_file = args.ready_file.clone();
    let config: ServerConfig = args.into_config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let server = Server::start(config).await?;
        print!("{}", server.announcement().to_text());
        std::io::stdout().flush()?;
        if let Some(path) = &ready_file {
            write_ready_file(path, server.announcement())?;
        }
        signals.until_stop(&server).await;
        info!("stopping: links are told, what is under way ends");
        server.shutdown().await;
        if let Some(path) = &ready_file {
            let _ = fs::remove_file(path);
        }
        Ok(())
    })
}

/// Signals that the process answers.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Returns at SIGTERM or SIGINT; SIGHUP reloads.
    async fn until_stop(&mut self, server: &Server) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => server.reload(),
            }
        }
    }
}

/// Writes through a temporary file, so that whoever waits for the name never reads half of it. It holds keys: 0600.
fn write_ready_file(path: &Path, announcement: &Announcement) -> std::io::Result<()> {
    let temporary = path.with_extension("tmp");
    let _ = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(announcement.to_json().as_bytes())?;
    fs::rename(&temporary, path)
}
