//! The wire format, judged by bytes that were written down from the specification, not by our own encoder.

#[cfg(test)]
mod decoding;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod notation;
#[cfg(test)]
mod packets;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod transcripts;
