//! What the proxy costs: CPU time per request, without any network, telemetry on; against a floor in the same run, and
//! against its budget of 30 µs.
//!
//! `cargo bench --bench proxy`

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ProcessTime;
use futures::{StreamExt, TryStreamExt};
use tollgate::config::{
    AlertSettings, BudgetSettings, ModelSettings, ProviderKind, ProviderSettings, ProxySettings, RouteSettings,
    SafetySettings, TimeoutSettings,
};
use tollgate::cost::{Ledger, Rules};
use tollgate::domain::{Clock, IdSource, Price, Rate, SystemClock, TicketId};
use tollgate::otlp::{OtlpExport, OtlpSettings};
use tollgate::prices::PriceBook;
use tollgate::providers::{ChatMessage, ChatProvider, ChatRequest, Echo, Limits, Role};
use tollgate::proxy::{CallContext, Parts, Proxy, Recording};
use tollgate::store::Store;
use tracing_subscriber::layer::SubscriberExt;

type Failure = Box<dyn Error + Send + Sync>;

/// Requests of one measurement.
const REQUESTS: u32 = 20_000;
/// Measurements of each kind; the median counts.
const ROUNDS: usize = 5;
/// Requests under way at a time.
const CALLERS: usize = 64;
/// What one request may cost beyond the network.
const BUDGET_US: f64 = 30.0;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let directory = tempfile::tempdir()?;
    let store = Arc::new(Store::open(&directory.path().join("tollgate.db"))?);
    let proxy = proxy(Arc::clone(&store));
    let echo = Echo::new(Duration::ZERO, Some("In two working days.".to_owned()));
    println!("{REQUESTS} requests, a prompt of {} bytes, median of {ROUNDS}\n", prompt_bytes());
    println!("{:<44}{:>14}{:>10}", "CPU time per request", "µs", "× floor");
    let floor = median(|| {
        measure(|| {
            runtime.block_on(async {
                for _ in 0..REQUESTS {
                    let request = request();
                    // What anybody must do who sends a request: write it down once.
                    black_box(serde_json::to_vec(&request.messages)?);
                    black_box(echo.chat(&request, Limits::total(Duration::from_secs(1))).await?);
                }
                Ok(())
            })
        })
    })?;
    line("floor: the provider alone, request encoded", floor, floor);
    let through = || {
        measure(|| {
            runtime.block_on(async {
                // As many at a time as share a commit: each waits until what it may cost is reserved.
                let asked = futures::stream::iter(0..REQUESTS).map(|_| async {
                    black_box(proxy.complete(&context(), "main", request()).await?);
                    Ok::<_, Failure>(())
                });
                asked.buffer_unordered(CALLERS).try_collect::<()>().await?;
                store.flush().await.map_err(Failure::from)
            })
        })
    };
    let stored = median(through)?;
    line("proxy, every call stored", stored, floor);
    let (exported, counts) = exporting(|| median(through))?;
    line("proxy, every call stored and exported", exported, floor);
    println!(
        "\n{} of {} spans were delivered to a collector in this process, whose work is counted",
        counts.1, counts.0
    );
    let verdict = if stored - floor <= BUDGET_US { "within" } else { "OVER" };
    println!("the proxy's own work, stored: {:.1} µs, {verdict} its budget of {BUDGET_US} µs", stored - floor);
    Ok(())
}

fn line(what: &str, us: f64, floor: f64) {
    println!("{what:<44}{us:>14.1}{:>10.1}", us / floor);
}

fn median(mut measured: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    let mut all = (0..ROUNDS).map(|_| measured()).collect::<Result<Vec<f64>, Failure>>()?;
    all.sort_by(f64::total_cmp);
    all.get(ROUNDS / 2).copied().ok_or_else(|| "nothing was measured".into())
}

/// CPU time of all threads for one request, in microseconds.
fn measure(work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let before = ProcessTime::try_now()?;
    work()?;
    Ok(before.try_elapsed()?.as_secs_f64() * 1e6 / f64::from(REQUESTS))
}

/// Runs `work` while spans are exported; returns how many ended and how many were delivered.
fn exporting(work: impl FnOnce() -> Result<f64, Failure>) -> Result<(f64, (u64, u64)), Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    // Ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || sink(stream));
        }
    });
    let settings = OtlpSettings {
        endpoint,
        headers: Vec::new(),
        service_name: "bench".to_owned(),
        timeout: Duration::from_secs(5),
    };
    let (export, layer) = OtlpExport::start(settings)?;
    let subscriber = tracing_subscriber::registry().with(layer);
    let measured = tracing::subscriber::with_default(subscriber, work)?;
    let counts = export.shutdown();
    Ok((measured, (counts.ended, counts.delivered)))
}

/// Reads requests and answers each with 200.
fn sink(mut stream: std::net::TcpStream) {
    use std::io::{Read, Write};
    let mut received = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        received.extend(buffer.iter().take(count));
        let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(received.get(..head).unwrap_or_default()).to_lowercase();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        if received.len() >= head + 4 + length.unwrap_or(0_usize) {
            received.clear();
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    }
}

fn proxy(store: Arc<Store>) -> Proxy {
    let price = Some(Price::new(Rate(150_000_000), Rate(600_000_000)));
    let model = ModelSettings { price, ..ModelSettings::default() };
    let provider = ProviderSettings {
        kind: ProviderKind::Echo { latency_ms: 0, reply: Some("In two working days.".to_owned()) },
        models: BTreeMap::from([("one".to_owned(), model)]),
        vendor: None,
        timeouts: TimeoutSettings::default(),
        max_concurrency: 64,
    };
    let route = RouteSettings { candidates: vec!["echo/one".to_owned()], ..RouteSettings::default() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ids = Arc::new(IdSource::seeded(1));
    let rules = Arc::new(Rules::new(BudgetSettings::default(), AlertSettings::default()));
    let ledger = Arc::new(Ledger::new(store, Arc::clone(&clock), Arc::clone(&ids), rules, BTreeMap::new()));
    Proxy::new(Parts {
        providers: BTreeMap::from([("echo".to_owned(), provider)]),
        routes: BTreeMap::from([("main".to_owned(), route)]),
        settings: ProxySettings::default(),
        safety: SafetySettings::default(),
        payloads: false,
        prices: Arc::new(PriceBook::shipped().clone()),
        recording: Recording::off(),
        ledger,
        clock,
        ids,
    })
}

fn context() -> CallContext {
    CallContext {
        ticket: TicketId::from(uuid::Uuid::nil()),
        tenant: "shared".to_owned(),
        endpoint: "bench",
        task: "answer".to_owned(),
        prompt: "answer@v1".to_owned(),
        release: "0123456789abcdef".to_owned(),
        cache: "bypassed",
        deadline: None,
        fingerprint: None,
        evaluates: false,
        approved_cost: None,
    }
}

/// A prompt as the pipeline sends it: rules, three passages, a question.
fn request() -> ChatRequest {
    let passage = "<passage id=\"docs/shipping.md#norway\" heading=\"Shipping > Norway\">\nWe deliver to Norway in two working \
                   days. Orders above 500 kr are free of charge; below that a parcel costs 49 kr, whatever its weight. The \
                   carrier sends a message when it is on its way.\n</passage>\n";
    let question = "<question>How long does a parcel to Norway take, and what does it cost?</question>";
    ChatRequest {
        messages: vec![
            ChatMessage::new(Role::System, "You answer questions of customers from a knowledge base. ".repeat(8)),
            ChatMessage::new(Role::User, format!("{}{question}", passage.repeat(3))),
        ],
        max_output_tokens: Some(256),
        ..ChatRequest::default()
    }
}

fn prompt_bytes() -> usize {
    request().messages.iter().map(|message| message.content.len()).sum()
}
