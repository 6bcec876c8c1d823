//! Renders diagnostics: text with underlined source for people, JSON for programs.
