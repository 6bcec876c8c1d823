//! The reserved keys (`_export`, `_parallel`, `_retry`, `_error`, …) in one table.
