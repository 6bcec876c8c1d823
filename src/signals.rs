//! SIGINT, SIGTERM and SIGHUP (a terminal that was closed): the first asks a command to stop, the second ends the process, and the scripts that it runs, at once.

use engine::diagnostic::code;
use engine::run::ProcessGroups;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// The signals of a command that stops its work when it is told to.
///
/// They are waited for on a thread of its own: whatever the others are busy with, the second one is heard. Every effect of
/// suiro can be cut off and continued, so leaving at any moment loses nothing that was stored.
#[derive(Debug)]
pub(crate) struct Signals {
    asked_to_stop: watch::Receiver<bool>,
}

impl Signals {
    /// Begins to listen; from here on no signal ends the process by itself. At the second one `scripts` are killed and `farewell` is
    /// said.
    pub(crate) fn listen(output: Output, scripts: ProcessGroups, farewell: &'static str) -> Result<Self, Failure> {
        let failed = |error| Failure::of_code(code::RESOURCES, format!("cannot wait for signals: {error}"));
        let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let mut source = {
            let _entered = runtime.enter();
            Source::open().map_err(failed)?
        };
        let (ask, asked_to_stop) = watch::channel(false);
        let wait = async move {
            source.next().await;
            ask.send_replace(true);
            source.next().await;
            scripts.kill_all();
            output.note(farewell);
            leave();
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(wait)).map_err(failed)?;
        Ok(Self { asked_to_stop })
    }

    /// Waits until the process is asked to stop; returns at once when it was before.
    pub(crate) async fn asked_to_stop(&mut self) {
        if self.asked_to_stop.wait_for(|asked| *asked).await.is_err() {
            // The thread is gone without having been asked: no signal will come.
            std::future::pending::<()>().await;
        }
    }
}

/// Where the signals come from.
#[derive(Debug)]
pub(crate) struct Source {
    interrupt: Signal,
    terminate: Signal,
    /// None when whoever started suiro had it ignored, as `nohup` does.
    hang_up: Option<Signal>,
}

impl Source {
    /// Begins to listen: from here on none of the signals ends the process by itself.
    ///
    /// # Errors
    /// When the system has no way to tell of signals.
    pub(crate) fn open() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: if ignores_hang_up() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        let Self { interrupt, terminate, hang_up } = self;
        let hang_up = async {
            match hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Tells whether SIGHUP is ignored, where the system tells (`SigIgn` of `proc_pid_status(5)`, a bit for each signal in hexadecimal
/// digits); it is taken not to be elsewhere.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).is_some_and(|signals| signals & 1 == 1)
}

#[expect(clippy::exit, reason = "whoever asks twice does not wait for threads that are busy")]
fn leave() -> ! {
    std::process::exit(Exit::Interrupted as i32)
}
