//! The verbs as people meet them: what each prints, against a hub that runs.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod c2d_message;
#[cfg(test)]
mod connection_string;
#[cfg(test)]
mod d2c_message;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod device_identity;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod module_identity;
#[cfg(test)]
mod monitors;
#[cfg(test)]
mod query;
#[cfg(test)]
mod sas_token;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod twins;
