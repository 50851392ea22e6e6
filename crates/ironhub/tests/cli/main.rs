//! The verbs as people meet them: what each prints, against a hub that runs.

#[cfg(test)]
mod device_identity;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod module_identity;
#[cfg(test)]
mod stage;
