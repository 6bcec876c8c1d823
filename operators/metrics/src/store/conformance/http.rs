//! A stop before a service of AWS that speaks JSON: it refuses calls, and leaves keys over, as the service does under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A service under load: it throttles every second call, and answers `BatchGetItem` for the first half of the keys.
#[derive(Debug)]
pub(crate) struct Busy {
    /// Its address.
    pub(crate) url: String,
    refused: Arc<AtomicUsize>,
    left_over: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Busy {
    /// Makes one before the service at a host and port.
    pub(crate) async fn before(service: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (calls, refused, left_over) = (Arc::default(), Arc::default(), Arc::default());
        let stop = Stop {
            service: service.trim_start_matches("http://").to_owned(),
            calls,
            refused: Arc::clone(&refused),
            left_over: Arc::clone(&left_over),
        };
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let stop = stop.clone();
                tokio::spawn(async move { stop.serve(client).await });
            }
        });
        Self { url, refused, left_over, task }
    }

    /// Returns how many calls were refused, and how many keys left over.
    pub(crate) fn figures(&self) -> (usize, usize) {
        (self.refused.load(Ordering::SeqCst), self.left_over.load(Ordering::SeqCst))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Stop {
    service: String,
    calls: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    left_over: Arc<AtomicUsize>,
}

/// Something that answers calls as a test says.
#[derive(Debug)]
pub(crate) struct Fake {
    /// Its address.
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Fake {
    /// Makes one: `answer` gets the name of a call and what it is called with, and returns a status and an answer.
    pub(crate) async fn new(answer: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let mut client = BufReader::new(client);
                    while let Some(request) = read(&mut client).await {
                        let target = request.head.lines().find_map(|line| line.strip_prefix("x-amz-target: "));
                        let name = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
                        let (status, body) = answer(name, &serde_json::from_slice(&request.body).unwrap());
                        let head = format!("HTTP/1.1 {status} X\r\n");
                        if write(&mut client, &Message { head, body: body.to_string().into_bytes() }).await.is_none() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, task }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request or an answer.
struct Message {
    /// The first line and the headers that are passed on.
    head: String,
    body: Vec<u8>,
}

impl Stop {
    async fn serve(&self, client: TcpStream) -> Option<()> {
        let mut client = BufReader::new(client);
        loop {
            let request = read(&mut client).await?;
            let answer = if self.calls.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
                self.refused.fetch_add(1, Ordering::SeqCst);
                let kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
                let body =
                    json!({"__type": kind, "message": "The level of configured provisioned throughput was exceeded."});
                Message { head: "HTTP/1.1 400 Bad Request\r\n".to_owned(), body: body.to_string().into_bytes() }
            } else {
                self.answer(request).await?
            };
            write(&mut client, &answer).await?;
        }
    }

    async fn answer(&self, mut request: Message) -> Option<Message> {
        let mut left = Value::Null;
        if request.head.contains("BatchGetItem") {
            let mut body: Value = serde_json::from_slice(&request.body).unwrap();
            for (table, wanted) in body["RequestItems"].as_object_mut().unwrap() {
                let keys = wanted["Keys"].as_array_mut().unwrap();
                let over = keys.split_off(keys.len().div_ceil(2));
                if !over.is_empty() {
                    self.left_over.fetch_add(over.len(), Ordering::SeqCst);
                    left[table] = json!({"Keys": over, "ConsistentRead": true});
                }
            }
            request.body = body.to_string().into_bytes();
        }
        let mut service = BufReader::new(TcpStream::connect(&self.service).await.ok()?);
        write(&mut service, &request).await?;
        let mut answer = read(&mut service).await?;
        if !left.is_null() {
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
            body["UnprocessedKeys"] = left;
            answer.body = body.to_string().into_bytes();
        }
        Some(answer)
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Message> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        } else if !lower.starts_with("x-amz-crc32") {
            // A body that is changed has another length and another sum.
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Message { head, body })
}

async fn write(stream: &mut BufReader<TcpStream>, message: &Message) -> Option<()> {
    let head = format!("{}content-length: {}\r\n\r\n", message.head, message.body.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&message.body).await.ok()?;
    stream.flush().await.ok()
}
