//! A whole hub in one value: configuration, composition, start and drain.
//!
//! ```no_run
//! use ironhub_server::{Server, ServerConfig};
//!
//! # async fn example() -> Result<(), ironhub_server::StartError> {
//! let server = Server::start(ServerConfig::for_tests("target/ca".into())).await?;
//! println!("{}", server.announcement().connection_strings.devices["MyPythonDevice"]);
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

pub mod announcement;
pub mod certificates;
mod chains;
pub mod clock;
pub mod config;
pub mod declared;
pub mod dev_keys;
mod initial;
mod listeners;
pub mod metrics;
pub mod policies;
pub mod seed;
pub mod server;
pub mod storage;

pub use announcement::Announcement;
pub use config::{ConfigError, Profile, ServerConfig, Storage};
pub use declared::DeclaredSettings;
pub use ironhub_transport::faults::Rule;
pub use seed::{Seed, SeedError};
pub use server::{Server, StartError};
