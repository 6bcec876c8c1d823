use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::notice::Listener;

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Listener for Heard {
    fn hear(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }
}

/// Posts a statement to a server that gives these answers, one a connection, the last one again and again; returns its address,
/// the error and what was told meanwhile.
async fn posted(answers: &[&str]) -> (String, Error, Vec<String>) {
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut given = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // The statement ends the request.
            while !request.ends_with(b"SELECT 1") {
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            let answer = &answers[given.min(answers.len() - 1)];
            given += 1;
            let whole = format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 4\r\n\r\nnope");
            stream.write_all(whole.as_bytes()).await.unwrap();
        }
    });
    let heard = Arc::new(Heard::default());
    let reach = Reach::of("Trino", &url, Arc::clone(&heard) as Arc<dyn Listener>);
    let client = Client::open(TrinoSettings::new(url.clone(), "me", "lake"), reach).unwrap();
    let statement =
        Statement { text: "SELECT 1".to_owned(), database: "web".to_owned(), token: None, session: Vec::new() };
    let error = client.post(&statement).await.unwrap_err();
    let told = heard.0.lock().unwrap().clone();
    (url, error, told)
}

#[tokio::test]
async fn a_server_that_takes_no_statements_is_not_trino() {
    for answer in ["404 Not Found", "405 Method Not Allowed", "410 Gone"] {
        let (url, error, _) = posted(&[answer]).await;
        assert_eq!(error.kind, ErrorKind::External);
        assert_eq!(error.message, format!("what `{url}` answers is not Trino's: {answer}"));
        assert_eq!(
            error.help.as_deref(),
            Some("look at `url` of the profile: it is the address of a coordinator of Trino")
        );
    }
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_is_told_with_where() {
    let (url, error, _) = posted(&["302 Found\r\nlocation: https://trino.example.com:8443/v1/statement"]).await;
    assert_eq!(error.message, format!("`{url}` leads to `https://trino.example.com:8443` (302 Found)"));
    assert_eq!(error.help.as_deref(), Some("set `url: https://trino.example.com:8443` in the profile"));
    let (url, error, _) = posted(&["308 Permanent Redirect\r\nlocation: /trino/v1/statement"]).await;
    assert_eq!(error.help, Some(format!("set `url: {url}/trino` in the profile")));
    let (_, error, _) = posted(&["302 Found"]).await;
    assert_eq!(error.message, "Trino answered 302 Found: nope");
    assert!(error.help.is_some());
}

#[tokio::test]
async fn one_that_is_busy_is_told_while_it_is_tried_again() {
    let (url, error, told) = posted(&["503 Service Unavailable", "500 Internal Server Error"]).await;
    assert_eq!(error.message, "Trino answered 500 Internal Server Error: nope");
    assert_eq!(
        told,
        [
            format!(
                "Trino cannot be reached at {url}: it answers 503 Service Unavailable; it is tried again (try 2) for up to 120 s"
            ),
            format!("Trino answers again at {url}"),
        ]
    );
}
