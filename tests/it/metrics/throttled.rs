//! A stop before a service of AWS that speaks JSON: it refuses every second call, as the service does under load.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

/// A service under load.
pub(super) struct Throttled {
    /// Its address.
    pub(super) url: String,
    address: SocketAddr,
    stop: Arc<Stop>,
}

struct Stop {
    service: String,
    calls: AtomicUsize,
    is_over: AtomicBool,
}

impl Throttled {
    /// Makes one before the service at a host and port.
    pub(super) fn before(service: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let service = service.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stop = Arc::new(Stop { service, calls: AtomicUsize::new(0), is_over: AtomicBool::new(false) });
        let serving = Arc::clone(&stop);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if serving.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let stop = Arc::clone(&serving);
                // It ends with the connection.
                std::thread::spawn(move || stop.serve(client.unwrap()));
            }
        });
        Self { url: format!("http://{address}"), address, stop }
    }

    /// Returns how many calls were refused.
    pub(super) fn refused(&self) -> usize {
        self.stop.calls.load(Ordering::SeqCst) / 2
    }
}

impl Drop for Throttled {
    fn drop(&mut self) {
        self.stop.is_over.store(true, Ordering::SeqCst);
        // So that it looks.
        let _woken = TcpStream::connect(self.address);
    }
}

/// A request or an answer: its first line and headers as they came, and its body.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Stop {
    fn serve(&self, client: TcpStream) -> Option<()> {
        let mut client = BufReader::new(client);
        loop {
            let request = read(&mut client)?;
            let answer = if self.calls.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
                let kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
                let said =
                    json!({"__type": kind, "message": "The level of configured provisioned throughput was exceeded."});
                Message { head: "HTTP/1.1 400 Bad Request\r\n".to_owned(), body: said.to_string().into_bytes() }
            } else {
                let mut service = BufReader::new(TcpStream::connect(&self.service).ok()?);
                write(&mut service, &request)?;
                read(&mut service)?
            };
            write(&mut client, &answer)?;
        }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Message> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        match line.to_ascii_lowercase().strip_prefix("content-length:") {
            Some(value) => length = value.trim().parse().unwrap(),
            None => head.push_str(&line),
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Message { head, body })
}

fn write(stream: &mut BufReader<TcpStream>, message: &Message) -> Option<()> {
    let head = format!("{}content-length: {}\r\n\r\n", message.head, message.body.len());
    let stream = stream.get_mut();
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&message.body).ok()?;
    stream.flush().ok()
}
