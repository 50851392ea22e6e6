//! Where a user's hubs keep their things.

use std::path::PathBuf;

/// `$XDG_DATA_HOME/ironhub`, or `~/.local/share/ironhub`, or `./ironhub-data` for a user without a home.
pub(crate) fn data_home() -> PathBuf {
    let xdg = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    xdg.or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
        .map_or_else(|| PathBuf::from("ironhub-data"), |base| base.join("ironhub"))
}

/// The directory of the development authority.
pub(crate) fn ca_directory() -> PathBuf {
    data_home().join("ca")
}

/// The data directory of `serve --dev` when none is named.
pub(crate) fn dev_data_directory() -> PathBuf {
    data_home().join("dev")
}

/// Where the development hub of this user that was started last tells of itself.
pub(crate) fn dev_announcement() -> PathBuf {
    data_home().join("dev-hub.json")
}

/// This machine's name, when the system tells it.
pub(crate) fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty() && name != "(none)").then(|| name.to_owned())
}
