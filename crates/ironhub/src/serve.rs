//! `ironhub serve`: flags, variables and file become a configuration; a hub runs until it is told to stop.

mod announced;
mod args;
mod settings;

use std::error::Error;
use std::ffi::OsString;

use clap::Parser;
use ironhub_server::{Profile, Server, ServerConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use self::announced::Announced;
pub(crate) use self::args::ServeArgs;
use crate::config_file::{self, Sources};
use crate::demo::Demo;
use crate::{Cli, Command, cli, logging, output, paths};

/// Runs a hub; `sources` tells where each of its settings was given.
pub(crate) fn run(args: ServeArgs, sources: &Sources) -> Result<(), Box<dyn Error>> {
    logging::start(&args.log, args.log_format)?;
    let (ready_file, with_demo) = (args.ready_file.clone(), args.demo);
    let config = args.into_config(sources)?;
    let (is_dev, listen) = (config.profile == Profile::Dev, config.listeners.address);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let server = Server::start(config).await?;
        output::print(&server.announcement().to_text())?;
        let announcement = server.announcement().to_json();
        let _for_verbs = is_dev.then(|| announce(&announcement));
        let _ready = ready_file
            .map(|path| Announced::write(path, &announcement))
            .transpose()?;
        let demo = with_demo.then(|| Demo::start(server.announcement().clone(), listen));
        signals.until_stop(&server).await;
        info!("stopping: links are told, what is under way ends");
        if let Some(demo) = demo {
            demo.stop().await;
        }
        server.shutdown().await;
        Ok(())
    })
}

/// Tells the verbs of this user where the development hub is. They do without when it cannot be told.
fn announce(announcement: &str) -> Option<Announced> {
    let path = paths::dev_announcement();
    let written = Announced::write_in_place(path.clone(), announcement, cli::dev_hub_runs);
    written
        .inspect_err(|error| warn!(path = %path.display(), %error, "verbs will not find this hub without --login"))
        .ok()
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
                _ = self.hang_up.recv() => reload(server).await,
            }
        }
    }
}

/// Reads the same flags, variables and file again, and puts what a running hub can take in force.
async fn reload(server: &Server) {
    let reloaded = match configuration(std::env::args_os()) {
        Ok(config) => server.reload(&config).await.map_err(Into::into),
        Err(error) => Err(error),
    };
    if let Err(error) = reloaded {
        error!(%error, "not reloaded, everything stays as it was");
    }
}

fn configuration(arguments: impl IntoIterator<Item = OsString>) -> Result<ServerConfig, Box<dyn Error>> {
    let expanded = config_file::expand::<Cli>(arguments)?;
    let cli = Cli::try_parse_from(expanded.arguments).map_err(|error| first_line(&error))?;
    match cli.command {
        Command::Serve(args) => args.into_config(&expanded.sources),
        Command::Trust(_) | Command::Policy(_) | Command::Verb(_) | Command::Reference { .. } => {
            Err("not a hub's settings".into())
        }
    }
}

/// The rest of what clap says is the way to its help.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}
