//! Node → Workflow: structure, unknown keys and operators, with all problems at once.
