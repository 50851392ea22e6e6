//! The bounds of a query's text and of what it may hold in memory.

/// Longest query text, in characters (Azure docs: "IoT Hub quotas and throttling").
pub const QUERY_CHARS_MAX: usize = 8192;

/// Deepest nesting of parentheses, `NOT` and unary minus; each level costs the parser a fixed amount of stack.
pub const DEPTH_MAX: usize = 64;

/// Most columns of a SELECT. Each may copy a whole twin section, so this bounds a result row.
pub const COLUMNS_MAX: usize = 64;

/// Most groups that a `GROUP BY` may form.
pub const GROUPS_MAX: usize = 65_536;

/// Most memory that the groups of one aggregate query may hold, in bytes of JSON text.
pub const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest piece of the query that an error quotes, in characters.
pub(crate) const FOUND_CHARS_MAX: usize = 40;

/// Doubles hold every whole number up to this one; larger results stay in floating-point form.
pub(crate) const WHOLE_NUMBER_MAX: f64 = 9_007_199_254_740_992.0;
