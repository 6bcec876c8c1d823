//! How the loader reads files: by paths inside the project, through a trait, so that nothing escapes and tests need no disk.

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};

use super::MAX_FILE_BYTES;

/// The path of a file inside its project: relative, normalised, separated by `/`, without `.` and `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectPath(String);

/// A path that leads out of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path leads out of the project")]
pub struct OutsideProject;

impl ProjectPath {
    /// Makes a path that starts at the project's directory.
    ///
    /// # Errors
    /// When it is absolute or leads out of the project.
    pub fn new(path: &str) -> Result<Self, OutsideProject> {
        Self(String::new()).join(path)
    }

    /// Returns the path of a file that a file of this directory names.
    ///
    /// # Errors
    /// When it is absolute or leads out of the project.
    pub fn join(&self, path: &str) -> Result<Self, OutsideProject> {
        if path.starts_with('/') || Path::new(path).is_absolute() {
            return Err(OutsideProject);
        }
        let mut parts: Vec<&str> = self.0.split('/').filter(|part| !part.is_empty()).collect();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or(OutsideProject)?;
                }
                name => parts.push(name),
            }
        }
        Ok(Self(parts.join("/")))
    }

    /// Returns the directory of the file; the project's directory is the empty path.
    #[must_use]
    pub fn directory(&self) -> Self {
        Self(self.0.rsplit_once('/').map_or_else(String::new, |(directory, _)| directory.to_owned()))
    }

    /// Returns the path without `.dig`, `.yml` or `.yaml`.
    #[must_use]
    pub fn without_extension(&self) -> &str {
        let known = [".dig", ".yml", ".yaml"];
        known.iter().find_map(|extension| self.0.strip_suffix(extension)).unwrap_or(&self.0)
    }

    /// Returns the text of the path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is none.
    #[error("there is no such file")]
    NotFound,
    /// It is a directory, a pipe or a device.
    #[error("it is not a file")]
    NotAFile,
    /// It lies outside the project, perhaps by way of a symbolic link.
    #[error("it lies outside the project")]
    OutsideProject,
    /// It is no text.
    #[error("it is not UTF-8: byte {0} is wrong")]
    NotText(usize),
    /// It is longer than [`MAX_FILE_BYTES`].
    #[error("it is longer than {limit} bytes", limit = MAX_FILE_BYTES)]
    TooLong,
    /// The system refused.
    #[error("{0}")]
    Io(std::io::Error),
}

/// The files of a project.
pub trait ProjectFiles: Debug {
    /// Returns the text of a file.
    ///
    /// # Errors
    /// When it is missing, no text, too long, or outside the project once links are followed.
    fn read(&self, path: &ProjectPath) -> Result<String, ReadError>;

    /// Returns whether there is a file, as far as that can be known.
    fn is_file(&self, path: &ProjectPath) -> bool;

    /// Returns the name that is shown to users.
    fn display_name(&self, path: &ProjectPath) -> String;
}

/// A project on disk.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Takes a directory as a project; names shown to users start with it unless it is the current one.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn locate(&self, path: &ProjectPath) -> Result<PathBuf, ReadError> {
        let found = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => ReadError::NotFound,
            _ => ReadError::Io(error),
        };
        let root = if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root };
        let root = root.canonicalize().map_err(found)?;
        let file = root.join(path.as_str()).canonicalize().map_err(found)?;
        if !file.starts_with(&root) {
            return Err(ReadError::OutsideProject);
        }
        if file.is_file() { Ok(file) } else { Err(ReadError::NotAFile) }
    }
}

impl ProjectFiles for Directory {
    fn read(&self, path: &ProjectPath) -> Result<String, ReadError> {
        use std::io::Read as _;

        let file = std::fs::File::open(self.locate(path)?).map_err(ReadError::Io)?;
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
        file.take(limit + 1).read_to_end(&mut bytes).map_err(ReadError::Io)?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ReadError::TooLong);
        }
        String::from_utf8(bytes).map_err(|error| ReadError::NotText(error.utf8_error().valid_up_to()))
    }

    fn is_file(&self, path: &ProjectPath) -> bool {
        self.locate(path).is_ok()
    }

    fn display_name(&self, path: &ProjectPath) -> String {
        let joined: PathBuf = self.root.join(path.as_str());
        let shown: PathBuf = joined.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect();
        shown.display().to_string()
    }
}

/// No project at all: every include is missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl ProjectFiles for NoFiles {
    fn read(&self, _path: &ProjectPath) -> Result<String, ReadError> {
        Err(ReadError::NotFound)
    }

    fn is_file(&self, _path: &ProjectPath) -> bool {
        false
    }

    fn display_name(&self, path: &ProjectPath) -> String {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let sub = ProjectPath::new("a/b/c.dig").unwrap().directory();
        assert_eq!(sub.as_str(), "a/b");
        assert_eq!(sub.join("../x.sql").unwrap().as_str(), "a/x.sql");
        assert_eq!(sub.join("./d//e.yml").unwrap().as_str(), "a/b/d/e.yml");
        assert_eq!(sub.join("../../../x"), Err(OutsideProject));
        assert_eq!(sub.join("/etc/passwd"), Err(OutsideProject));
        assert_eq!(ProjectPath::new("a/b.dig").unwrap().without_extension(), "a/b");
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.yml"), "a: 1").unwrap();
        let project = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.yml"), project.path().join("link.yml")).unwrap();
        let files = Directory::new(project.path());
        let error = files.read(&ProjectPath::new("link.yml").unwrap()).unwrap_err();
        assert!(matches!(error, ReadError::OutsideProject), "{error}");
    }

    #[test]
    fn binary_is_no_text() {
        let project = tempfile::tempdir().unwrap();
        std::fs::write(project.path().join("b.yml"), b"ab\xff").unwrap();
        let error = Directory::new(project.path()).read(&ProjectPath::new("b.yml").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "it is not UTF-8: byte 2 is wrong");
    }
}
