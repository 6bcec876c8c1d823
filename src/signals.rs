//! SIGINT and SIGTERM: the first asks a command to stop, the second ends the process, and the scripts that it runs, at once.

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
struct Source {
    interrupt: Signal,
    terminate: Signal,
}

impl Source {
    fn open() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[expect(clippy::exit, reason = "whoever asks twice does not wait for threads that are busy")]
fn leave() -> ! {
    std::process::exit(Exit::Interrupted as i32)
}
