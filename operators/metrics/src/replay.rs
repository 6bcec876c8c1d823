//! Points that come again: from files, or from a stream that still holds its records.
//!
//! Replaying is safe because writing is: the same name, time and value any number of times is one point.

pub mod csv;
