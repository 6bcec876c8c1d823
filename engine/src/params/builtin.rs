//! The built-in parameters (`session_time`, `task_name`, …) as one table with docs.
