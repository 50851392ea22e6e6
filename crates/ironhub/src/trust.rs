//! `ironhub trust`: how each kind of client takes the CA.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;
use ironhub_server::announcement::trust_lines;
use ironhub_server::certificates::HostNames;

use crate::{output, paths};

/// The flags of `ironhub trust`.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Where the development authority is kept
    #[arg(long, env = "IRONHUB_CA_DIR", value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// The host name in your connection strings
    #[arg(long, env = "IRONHUB_HOST_NAME", default_value = "localhost")]
    host_name: String,
    /// Where the hub listens, if beyond loopback
    #[arg(long, env = "IRONHUB_LISTEN", value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
}

pub(crate) fn run(args: &TrustArgs) -> Result<(), Box<dyn Error>> {
    let names = HostNames {
        host_name: args.host_name.clone(),
        machine_name: paths::machine_name(),
        listen: args.listen,
    };
    let ca_file = names.ca_file(&args.ca_dir.clone().unwrap_or_else(paths::ca_directory));
    if !ca_file.exists() {
        let ca_file = ca_file.display();
        return Err(format!("there is no {ca_file} yet; start a hub once: ironhub serve --dev").into());
    }
    output::print(&trust_lines(&ca_file, &args.host_name))?;
    Ok(())
}
