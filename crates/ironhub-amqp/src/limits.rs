//! Every bound of this crate, in one place. A peer's input that passes one of them is an error, never a panic and
//! never an allocation of the peer's choosing.

/// Deepest nesting of lists, maps, arrays and described values inside one value. The deepest value that IoT clients
/// send is a filter map inside a source inside an attach: four levels.
pub const VALUE_DEPTH_MAX: usize = 16;

/// Most elements of an array whose elements take no bytes (`null`, `true`, the zeros, the empty list): their number
/// is not bounded by the bytes received.
pub const ARRAY_ZERO_WIDTH_COUNT_MAX: usize = 256;
