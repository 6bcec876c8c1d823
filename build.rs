//! Links the program with relative relocations packed, where the C library can read them.
//!
//! A program of this size has some 400,000 of them, 24 bytes each, and the loader reads them all at every start: packed, they take
//! 8 MB of memory and some milliseconds less (`docs/benchmarks.md`).

use std::env;
use std::io::{self, Write as _};
use std::process::Command;

/// The first glibc that reads them (<https://sourceware.org/glibc/wiki/Release/2.36>, `DT_RELR`).
const FIRST_GLIBC: (u32, u32) = (2, 36);

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo tells a build script by its environment; there are no settings yet"
)]
fn main() -> io::Result<()> {
    let mut cargo = io::stdout().lock();
    writeln!(cargo, "cargo:rerun-if-changed=build.rs")?;
    // A program for another machine would be loaded by a C library that cannot be asked here.
    let is_for_here = env::var("HOST").is_ok_and(|host| env::var("TARGET").is_ok_and(|target| host == target));
    let is_glibc = env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu")
        && env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    if is_for_here && is_glibc && glibc().is_some_and(|version| version >= FIRST_GLIBC) {
        // A linker that does not know the option says so in a warning and goes on.
        writeln!(cargo, "cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs")?;
    }
    Ok(())
}

/// Asks for the version of this machine's C library (`glibc 2.36`); none where it is another one.
fn glibc() -> Option<(u32, u32)> {
    let answer = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
