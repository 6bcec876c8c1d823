//! Real servers of stores: each on a free port of this machine, ended with the value.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A Redis.
#[derive(Debug)]
pub(crate) struct RedisServer {
    /// Where it listens.
    pub(crate) port: u16,
    folder: TempDir,
    options: Vec<String>,
    process: Child,
}

impl RedisServer {
    /// Starts one with more options, such as `--maxmemory 1mb`; none when there is none on this machine.
    ///
    /// `./test` installs it; `SUIRO_TEST_REDIS` names another program than the `redis-server` of the path.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let process = spawn(port, &folder, &options)?;
        Some(Self { port, folder, options, process })
    }

    /// Returns its address.
    pub(crate) fn uri(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Ends it at once, and starts it again with the same files.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.process = spawn(self.port, &self.folder, &self.options).unwrap();
    }

    /// Ends it at once.
    pub(crate) fn stop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _code = self.process.wait();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(port: u16, folder: &TempDir, options: &[String]) -> Option<Child> {
    let program = std::env::var_os("SUIRO_TEST_REDIS").unwrap_or_else(|| "redis-server".into());
    let port = port.to_string();
    let spawned = Command::new(&program)
        .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        .args(["--daemonize", "no", "--loglevel", "warning", "--dir"])
        .arg(folder.path())
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match spawned {
        Ok(process) => Some(process),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: there is no {} (`./test` installs one)", program.display());
            None
        }
        Err(error) => panic!("cannot start {}: {error}", program.display()),
    }
}

/// moto's server, which stands in for services of AWS.
#[derive(Debug)]
pub(crate) struct Moto {
    /// Its address.
    pub(crate) url: String,
    process: Child,
}

impl Moto {
    /// Starts it; none when it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("SUIRO_TEST_MOTO") else {
            println!("skipped: no SUIRO_TEST_MOTO (`./test` sets it)");
            return None;
        };
        let mut command = Command::new(python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = lines.by_ref().map(Result::unwrap).find_map(|line| {
            line.split_once("Running on http://").map(|(_, address)| format!("http://{}", address.trim()))
        });
        // It tells of each request, and would wait for somebody to read that.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { url: url.unwrap(), process })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _code = self.process.wait();
    }
}

/// Returns a port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
