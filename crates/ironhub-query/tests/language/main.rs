//! The language, judged by texts that real tools send and by tables of its rules.

#[cfg(test)]
mod errors;
#[cfg(test)]
mod evaluate;
