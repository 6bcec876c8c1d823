//! Which files were read, and what they held then.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::files::{ProjectFiles, ProjectPath, ReadError};

/// What files hold, by their paths in the project: the SHA-256 of each, in hexadecimal.
pub type FileHashes = BTreeMap<String, String>;

/// The files of a project, with a note of each that is read.
#[derive(Debug)]
pub(crate) struct NotedFiles<'a> {
    files: &'a dyn ProjectFiles,
    read: RefCell<FileHashes>,
}

impl<'a> NotedFiles<'a> {
    /// Begins with none.
    pub(crate) fn new(files: &'a dyn ProjectFiles) -> Self {
        Self { files, read: RefCell::default() }
    }

    /// Returns what was read.
    pub(crate) fn into_hashes(self) -> FileHashes {
        self.read.into_inner()
    }
}

impl ProjectFiles for NotedFiles<'_> {
    fn read(&self, path: &ProjectPath) -> Result<String, ReadError> {
        let text = self.files.read(path)?;
        let mut hash = String::new();
        for byte in Sha256::digest(text.as_bytes()) {
            // Writing into a string cannot fail.
            let _infallible = write!(hash, "{byte:02x}");
        }
        self.read.borrow_mut().insert(path.to_string(), hash);
        Ok(text)
    }

    fn is_file(&self, path: &ProjectPath) -> bool {
        self.files.is_file(path)
    }

    fn display_name(&self, path: &ProjectPath) -> String {
        self.files.display_name(path)
    }
}
