//! Results: their columns, the objects that hold them, and the pages that clients read.

pub(super) mod column;
pub(super) mod csv;
pub(super) mod metadata;
pub(super) mod page;
