//! A stop on the way to a server: answers get lost on it when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes bytes between clients and a server of this machine.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) port: u16,
    losses: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Makes one before the server at a port.
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let losses = Arc::new(AtomicUsize::new(0));
        let lost = Arc::clone(&losses);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let lost = Arc::clone(&lost);
                tokio::spawn(async move { pass(client, server, &lost).await });
            }
        });
        Self { port, losses, task }
    }

    /// Loses the next answers, so many: the server has done what it was asked, and the connection breaks.
    pub(crate) fn lose_answers(&self, count: usize) {
        self.losses.store(count, Ordering::SeqCst);
    }

    /// Tells whether all answers that were to be lost are.
    pub(crate) fn has_lost_all(&self) -> bool {
        self.losses.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, server: u16, losses: &AtomicUsize) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let (mut from_client, mut from_server) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => match read {
                Ok(count) if count > 0 => {
                    if server.write_all(&from_client[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = server.read(&mut from_server) => match read {
                Ok(count) if count > 0 => {
                    let is_lost = losses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                    if is_lost || client.write_all(&from_server[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
