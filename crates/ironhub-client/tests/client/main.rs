//! The device client against a whole hub in this process.

#![cfg(test)]

mod cuts;
mod features;
mod hub;
mod proxy;
mod refusals;
mod renewal;
