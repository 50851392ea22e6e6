//! The language, judged by texts that real tools send and by tables of its rules.

#[cfg(test)]
mod errors;
#[cfg(test)]
mod evaluate;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod results;
#[cfg(test)]
mod tools;
