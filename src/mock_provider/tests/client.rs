use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A client that sees what is on the wire.
pub(super) struct Client {
    addr: SocketAddr,
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// Without the framing of chunks.
    pub(super) body: Vec<u8>,
    /// Whether all of the body came.
    pub(super) is_complete: bool,
}

impl Client {
    pub(super) fn new(addr: SocketAddr) -> Self {
        Self { addr }
    }

    /// Sends a request and leaves the connection open.
    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        stream
    }

    /// # Errors
    /// When the connection breaks before the head of an answer.
    pub(super) async fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Reply> {
        let mut stream = self.send(method, path, headers, body).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Reply::read(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    pub(super) async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.try_request(method, path, headers, body).await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        self.request("POST", path, headers, &body.to_string()).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], "").await
    }
}

impl Reply {
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers: Vec<(String, String)> = lines.filter_map(header).collect();
        let mut reply = Self { status, headers, body: bytes[end + 4..].to_vec(), is_complete: true };
        if reply.header("transfer-encoding") == Some("chunked") {
            (reply.body, reply.is_complete) = dechunked(&reply.body);
        } else if let Some(length) = reply.header("content-length") {
            reply.is_complete = length.parse() == Ok(reply.body.len());
        }
        Some(reply)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The events of a stream: their names and their data.
    pub(super) fn events(&self) -> Vec<(String, String)> {
        let text = self.text().replace("\r\n", "\n");
        assert!(text.ends_with("\n\n"), "{text}");
        let event = |block: &str| {
            let field = |name| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
            (field("event: "), field("data: "))
        };
        text.trim_end().split("\n\n").map(event).collect()
    }

    /// The data of a stream's events that are JSON.
    pub(super) fn event_json(&self) -> Vec<Value> {
        let events = self.events().into_iter().filter(|(_, data)| data != "[DONE]");
        events.map(|(_, data)| serde_json::from_str(&data).unwrap()).collect()
    }
}

fn dechunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        let rest = &bytes[end + 2..];
        if length == 0 {
            return (body, true);
        }
        body.extend(&rest[..length.min(rest.len())]);
        bytes = rest.get(length + 2..).unwrap_or_default();
    }
    (body, false)
}
