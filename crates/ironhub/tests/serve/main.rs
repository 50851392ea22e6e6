//! The program as its user meets it: flags, variables and file, files and their modes, signals, exit codes, and who may
//! connect.

#[cfg(test)]
mod declared;
#[cfg(test)]
mod descriptors;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod reach;
#[cfg(test)]
#[path = "../crash/service.rs"]
#[expect(dead_code, reason = "the crash test asks more of its back end")]
mod service;
#[cfg(test)]
mod stage;
