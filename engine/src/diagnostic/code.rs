//! The table of codes; each has a page `docs/errors/CODE.md`.

/// The code of a problem, such as `E0201`.
///
/// `E01xx` document, `E02xx` workflow, `E03xx` parameters, `E04xx` templates, `E05xx` schedule; `T…` while a task runs;
/// `S…` the state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}
