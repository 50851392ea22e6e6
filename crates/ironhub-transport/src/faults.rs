//! Faults on purpose, to prove that tests notice: rules that a development hub applies where its bytes meet the network.
//!
//! The rules' language is told by [`Rule`]; the conformance suite's table of mutants is written in it.

mod amqp;
mod https;
mod mqtt;
mod rule;

pub(crate) use amqp::{BrokenLinks, Fate};
pub use https::break_requests;
pub(crate) use mqtt::break_packets;
pub(crate) use rule::LinkEvent;
pub use rule::{InvalidRule, Rule};

use std::sync::Arc;

/// The rules of a hub; none in all but tests.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<[Rule]>);

impl Faults {
    /// In the order in which they are looked at: the first that fits a packet or request is applied.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into())
    }

    /// Is nothing to be broken?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
