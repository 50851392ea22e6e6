//! The clients against a whole hub in this process.

#![cfg(test)]

mod cuts;
mod events;
mod features;
mod hub;
mod messages;
mod proxy;
mod refusals;
mod renewal;
mod resumption;
mod service;
