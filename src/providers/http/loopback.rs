//! A server on the loopback interface that says what a test tells it to, byte for byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What the server does next with a connection.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Sends these bytes at once.
    Send(Vec<u8>),
    /// Sends these bytes one by one.
    Dribble(Vec<u8>),
    /// Resets the connection.
    Reset,
    /// Says nothing more until the other side goes away.
    Hang,
}

/// The server; it ends with the test.
pub(super) struct Loopback {
    pub(super) address: SocketAddr,
    /// The requests as they came.
    pub(super) requests: Arc<Mutex<Vec<String>>>,
    /// Told when the other side goes away while the server hangs.
    pub(super) gone: Arc<Notify>,
    _task: JoinSet<()>,
}

impl Loopback {
    /// A server that does the same for every connection, one after the other; each is closed after the last step.
    pub(super) async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, gone) = (Arc::default(), Arc::new(Notify::new()));
        let mut task = JoinSet::new();
        let (seen, left) = (Arc::clone(&requests), Arc::clone(&gone));
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &steps, &seen, &left).await;
            }
        });
        Self { address, requests, gone, _task: task }
    }

    /// A server that gives this answer: a status line with headers, and a body whose length is added.
    pub(super) async fn answering(head: &str, body: &str) -> Self {
        Self::start(vec![Step::Send(response(head, body).into_bytes())]).await
    }

    pub(super) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(super) fn request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// A whole response.
pub(super) fn response(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn serve(mut stream: TcpStream, steps: &[Step], requests: &Mutex<Vec<String>>, gone: &Notify) {
    let Some(request) = read_request(&mut stream).await else { return };
    requests.lock().unwrap().push(request);
    for step in steps {
        match step {
            Step::Send(bytes) => {
                stream.write_all(bytes).await.ok();
            }
            Step::Dribble(bytes) => {
                for byte in bytes.chunks(1) {
                    stream.write_all(byte).await.ok();
                    tokio::task::yield_now().await;
                }
            }
            Step::Reset => {
                stream.set_zero_linger().ok();
                return;
            }
            Step::Hang => {
                // Ends with the connection, by an end of file or an error.
                stream.read_u8().await.ok();
                gone.notify_one();
            }
        }
    }
}

/// The head and the body of a request, as long as its head says; of a CONNECT only the head.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        bytes.push(stream.read_u8().await.ok()?);
        if bytes.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(bytes).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}
