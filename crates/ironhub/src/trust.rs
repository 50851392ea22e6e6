//! `ironhub trust`: how each kind of client takes the CA.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use ironhub_server::announcement::trust_lines;

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
}

pub(crate) fn run(args: &TrustArgs) -> Result<(), Box<dyn Error>> {
    let ca_file = args.ca_dir.clone().unwrap_or_else(paths::ca_directory).join("ca.pem");
    if !ca_file.exists() {
        let ca_file = ca_file.display();
        return Err(format!("there is no {ca_file} yet; start a hub once: ironhub serve --dev").into());
    }
    output::print(&trust_lines(&ca_file, &args.host_name))?;
    Ok(())
}
