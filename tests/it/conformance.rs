//! What every storage, catalog and query engine does, whoever keeps the data: one suite each, run on all of them.

mod query;
