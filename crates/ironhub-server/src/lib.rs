//! A whole hub in one value: configuration, composition, start and drain.

pub mod announcement;
pub mod certificates;
pub mod clock;
pub mod config;
pub mod dev_keys;
pub mod seed;

pub use announcement::Announcement;
pub use config::{ConfigError, Profile, ServerConfig, Storage};
pub use seed::Seed;
