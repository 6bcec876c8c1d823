//! A dry run: the tasks of a workflow with their parameters evaluated; nothing runs and nothing is stored.
