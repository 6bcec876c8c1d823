//! What stands where a directory should be: a file, or a link that leads to none.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that is no directory, in the place of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Where it is: the path that was asked for, or one above it.
    path: PathBuf,
    found: Found,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    File,
    /// A socket, a pipe, a device.
    Special,
    /// A link, and where it leads.
    Link(PathBuf),
    /// A link to something that is not there.
    DanglingLink(PathBuf),
}

impl Obstacle {
    /// Finds what keeps a directory from being made or opened at a path; none when it is there, can be made, or is in nobody's
    /// way as far as can be seen.
    pub fn to(path: &Path) -> Option<Self> {
        let (path, found) =
            path.ancestors().find_map(|path| path.symlink_metadata().ok().map(|found| (path, found.file_type())))?;
        let found = if found.is_dir() {
            return None;
        } else if found.is_file() {
            Found::File
        } else if found.is_symlink() {
            let to = path.read_link().ok()?;
            match path.metadata() {
                Ok(behind) if behind.is_dir() => return None,
                Ok(_) => Found::Link(to),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::DanglingLink(to),
                Err(_) => return None,
            }
        } else {
            Found::Special
        };
        Some(Self { path: path.to_owned(), found })
    }

    /// Says what to do about it.
    pub fn help(&self) -> String {
        let path = self.path.display();
        match &self.found {
            Found::File | Found::Special => format!("move `{path}` away: a directory of that name is needed"),
            Found::Link(_) => format!("remove the link `{path}`, or let it lead to a directory"),
            Found::DanglingLink(to) => {
                format!(
                    "make the directory `{}` (or mount the disk that it is on), or remove the link `{path}`",
                    to.display()
                )
            }
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is ", self.path.display())?;
        match &self.found {
            Found::File => f.write_str("a file"),
            Found::Special => f.write_str("neither a file nor a directory"),
            Found::Link(to) => write!(f, "a link to `{}`, which is no directory", to.display()),
            Found::DanglingLink(to) => write!(f, "a link to `{}`, which is not there", to.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_stands_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::fs::create_dir(at("there")).unwrap();
        symlink("there", at("good")).unwrap();
        symlink("file", at("astray")).unwrap();
        symlink("gone", at("dangling")).unwrap();
        let told = |name: &str| {
            let told = Obstacle::to(&at(name)).map(|obstacle| format!("{obstacle}: {}", obstacle.help()));
            told.map(|told| told.replace(&format!("{}/", dir.path().display()), ""))
        };
        for name in ["there", "good", "new", "there/new", "good/new/new"] {
            assert_eq!(told(name), None, "{name}");
        }
        for name in ["file", "file/below/it"] {
            assert_eq!(
                told(name).as_deref(),
                Some("`file` is a file: move `file` away: a directory of that name is needed"),
                "{name}"
            );
        }
        assert_eq!(
            told("astray").as_deref(),
            Some(
                "`astray` is a link to `file`, which is no directory: remove the link `astray`, or let it lead to a directory"
            )
        );
        assert_eq!(
            told("dangling/below").as_deref(),
            Some(
                "`dangling` is a link to `gone`, which is not there: make the directory `gone` (or mount the disk that it is on), or \
                 remove the link `dangling`"
            )
        );
    }
}
