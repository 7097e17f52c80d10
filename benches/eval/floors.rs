//! The least that the same work can take, measured on the same machine in the same minute.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use rusqlite::{Connection, params};
use tollgate::domain::{Answer, AnswerPath, NanoUsd, TicketId, Usage};
use tollgate::eval::grade::Graders;
use tollgate::gold::GoldSet;
use tollgate::text;

use crate::Failure;

/// CPU time of judging every case of `set`, whose question is its answer.
pub(crate) fn graders(set: &Path) -> Result<Duration, Failure> {
    let set = GoldSet::open(set, |_| Ok(()))?;
    let cases = set.cases()?.collect::<Result<Vec<_>, _>>()?;
    let judge = Graders::new(".");
    let answers: Vec<Answer> = cases.iter().map(|case| answer(&case.question)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let started = ProcessTime::now();
    for (case, answer) in cases.iter().zip(&answers) {
        black_box(runtime.block_on(judge.grade(case, &case.graders, answer)));
    }
    Ok(started.elapsed())
}

fn answer(text: &str) -> Answer {
    Answer {
        ticket: TicketId::from(uuid::Uuid::nil()),
        text: text.to_owned(),
        citations: Vec::new(),
        refused: false,
        confidence: Some(1.0),
        path: AnswerPath::Small,
        model: None,
        passages: Vec::new(),
        usage: Usage::default(),
        cost_nanousd: Some(NanoUsd::ZERO),
        latency_ms: 0.0,
        calls: 1,
        replayed: false,
        trace: Vec::new(),
    }
}

/// CPU time of reading every case as JSON and keeping one durable row of it, `group` rows a commit.
pub(crate) fn parse_and_insert(set: &Path, group: usize) -> Result<Duration, Failure> {
    let directory = tempfile::tempdir()?;
    let store = Connection::open(directory.path().join("floor.db"))?;
    store.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE rows (id TEXT PRIMARY KEY, row TEXT);",
    )?;
    let started = ProcessTime::now();
    let text = std::fs::read_to_string(set)?;
    let lines: Vec<&str> = text.lines().collect();
    for group in lines.chunks(group) {
        store.execute_batch("BEGIN")?;
        for line in group {
            let case: serde_json::Value = serde_json::from_str(line)?;
            let id = case.get("id").and_then(serde_json::Value::as_str);
            store.prepare_cached("INSERT INTO rows VALUES (?1, ?2)")?.execute(params![id, line])?;
        }
        store.execute_batch("COMMIT")?;
    }
    Ok(started.elapsed())
}

/// Wall time of `count` sleeps, `concurrency` at a time.
pub(crate) fn sleep(latency: Duration, count: usize, concurrency: usize) -> Result<Duration, Failure> {
    use futures::StreamExt;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    let started = Instant::now();
    runtime.block_on(futures::stream::iter(0..count).for_each_concurrent(concurrency, |_| tokio::time::sleep(latency)));
    Ok(started.elapsed())
}

/// Wall time of reading all files under `directory` and hashing each of their words once.
pub(crate) fn read_words(directory: &Path) -> Result<Duration, Failure> {
    let fnv = |word: &str| {
        word.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let started = Instant::now();
    for entry in walkdir::WalkDir::new(directory) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let text = std::fs::read_to_string(entry.path())?;
            let folded = text::fold(&text);
            black_box(text::words(&folded).map(fnv).fold(0, u64::wrapping_add));
        }
    }
    Ok(started.elapsed())
}
