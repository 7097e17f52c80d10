//! Real vendors' APIs, as `mock-provider` speaks them, driven through the command line: keys, record and replay,
//! telemetry, and that neither keys nor personal data stay anywhere.

#![cfg(test)]

mod common;

use std::io::{Read, Write};
use std::path::Path;

use common::{MockVendor, Project};
use serde_json::{Value, json};

const KEY: &str = "sk-canary-0123456789abcdefghijklmnop";
const WITH_KEY: &[(&str, &str)] = &[("MOCK_KEY", KEY)];

#[test]
fn each_api_answers_through_the_whole_pipeline() {
    let vendor = MockVendor::start(&json!({"api_key": KEY}));
    for kind in ["openai", "anthropic", "gemini"] {
        let project = Project::with_vendor(kind, &vendor);
        let run = project.run_with(&["ask", "Do you deliver to Norway?", "--format", "json"], WITH_KEY).exits(0);
        let answer = run.json();
        assert!(answer["text"].as_str().unwrap().contains("Norway"), "{kind}: {answer}");
        assert!(answer["cost_nanousd"].as_u64().unwrap() > 0 && answer["usage"]["input"].as_u64().unwrap() > 0);
        assert_eq!(
            (answer["replayed"].clone(), answer["model"].as_str().unwrap().split('/').next()),
            (false.into(), Some("mock"))
        );
    }
}

#[test]
fn a_missing_or_wrong_key_names_the_variable() {
    let vendor = MockVendor::start(&json!({"api_key": KEY}));
    let project = Project::with_vendor("openai", &vendor);
    project.run(&["ask", "anything?"]).exits(3).complains("`MOCK_KEY`").complains("hint: set it");
    let wrong = project.run_with(&["ask", "anything?"], &[("MOCK_KEY", "sk-wrong-9876543210")]).exits(3);
    let wrong = wrong.complains("did not accept the key from the environment variable `MOCK_KEY`");
    assert!(!wrong.stderr.contains("9876543210"), "{}", wrong.stderr);
}

#[test]
fn an_unknown_provider_or_model_names_the_nearest() {
    let project = Project::new();
    project.append("tollgate.toml", "\n[providers.anthropic]\nkind = \"anthropic\"\n");
    project.migrate(2, "\"stages.small\" = \"antropic/claude-haiku-4-5\"\n");
    project.run(&["ask", "anything?"]).exits(2).complains("did you mean `anthropic`?");
    project.migrate(2, "\"stages.small\" = \"anthropic/claude-haiku-4-6\"\n");
    let run = project.run(&["ask", "anything?"]).exits(2).complains("no price is known");
    run.complains("did you mean `anthropic/claude-").complains("tollgate prices list");
}

#[test]
fn a_stage_may_name_a_route() {
    let vendor = MockVendor::start(&json!({}));
    let project = Project::with_vendor("anthropic", &vendor);
    project.append("tollgate.toml", "\n[routes.cheap]\ncandidates = [\"mock/small\", \"extractive/small\"]\n");
    project.migrate(2, "\"stages.small\" = \"cheap\"\n\"stages.large\" = \"\"\n");
    let answer = project.run_with(&["ask", "Do you deliver to Norway?", "--format", "json"], WITH_KEY).exits(0).json();
    assert_eq!(answer["model"], "mock/small");
    drop(vendor);
    let answer = project.run_with(&["ask", "Do you deliver to Sweden?", "--format", "json"], WITH_KEY).exits(0).json();
    assert_eq!(answer["model"], "extractive/small", "the vendor is gone, and the route has another");
    project.migrate(2, "\"stages.small\" = \"cheep\"\n");
    project
        .run(&["ask", "anything?"])
        .exits(2)
        .complains("names neither a route nor a model")
        .complains("did you mean `cheap`?");
}

#[test]
fn a_key_in_the_file_is_refused() {
    let project = Project::new();
    project.append(
        "tollgate.toml",
        "\n[providers.x]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\n[providers.x.headers]\nx-api-key = \"secret\"\n",
    );
    let run = project.run(&["ask", "anything?"]).exits(2).complains("keys do not stand in this file");
    assert!(!run.stderr.contains("\"secret\""));
}

#[test]
fn a_key_in_place_of_its_variables_name_is_refused_and_not_repeated() {
    let project = Project::new();
    project.append("tollgate.toml", "\n[providers.x]\nkind = \"openai\"\napi_key_env = \"sk-proj-canary\"\n");
    let run = project.run(&["ask", "anything?"]).exits(2).complains("is not the name of an environment variable");
    assert!(!run.stderr.contains("sk-proj-canary"), "{}", run.stderr);
}

#[test]
fn answers_with_personal_data_replay_as_they_were_recorded() {
    let reply = json!({
        "answer": "Write to:\njane.doe@example.org or call +49 30 901820.", "citations": [], "confidence": 0.9, "refused": false
    });
    let lines = json!([{"reply": reply.to_string()}]);
    let vendor = MockVendor::start(&json!({"answers": {"mode": "file", "lines": lines}}));
    let project = Project::with_vendor("openai", &vendor);
    let recorded = evaluated(&project, &["--record", "recorded"]);
    drop(vendor);
    let replayed = evaluated(&project, &["--replay", "recorded"]);
    assert_eq!((&recorded["score"], &recorded["errored"]), (&replayed["score"], &replayed["errored"]));
    assert_eq!(replayed["broken"], 0, "what was recorded is JSON still");
}

#[test]
fn missing_answers_prove_nothing_about_a_limit() {
    let vendor = MockVendor::start(&json!({}));
    let project = Project::with_vendor("openai", &vendor);
    let recorded = evaluated(&project, &["--record", "recorded", "--bounds", "never"]);
    let limit = format!("{}", recorded["score"]["estimate"].as_f64().unwrap() - 0.01);
    // The second repeats were never recorded.
    let arguments = ["eval", "--replay", "recorded", "--bounds", "never", "--repeats", "2", "--fail-under", &limit];
    let run = project.run_with(&arguments, WITH_KEY).exits(4).complains("answers are missing");
    run.says("Errors (").says("no recording in recorded fits");
}

#[test]
fn record_then_replay_gives_the_same_scores_without_a_vendor() {
    let project;
    let recorded;
    {
        let vendor = MockVendor::start(&json!({}));
        project = Project::with_vendor("openai", &vendor);
        recorded = evaluated(&project, &["--record", "recorded", "--repeats", "2"]);
        assert!(vendor.requests() > 0);
    }
    // The vendor is gone now: whatever would be asked would fail.
    let replayed = evaluated(&project, &["--replay", "recorded", "--repeats", "2"]);
    let scores = |report: &Value| {
        let keys = ["score", "graders", "tags", "passed", "results", "answerable", "unanswerable"];
        Value::from_iter(keys.map(|key| (key, report[key].clone()))).to_string()
    };
    assert_eq!(scores(&recorded), scores(&replayed));
    assert_eq!(replayed["details"]["replayed"], true);
    assert_eq!(recorded["cost"]["total_nanousd"], replayed["cost"]["total_nanousd"], "the cost is the original one");
    assert!(replayed["latency"]["p50_ms"].as_f64() > Some(0.0));

    let miss = project.run_with(&["eval", "--replay", "recorded", "--seed", "9", "--limit", "1"], WITH_KEY);
    let row = project
        .database()
        .query_row("SELECT error FROM results WHERE error IS NOT NULL", [], |row| row.get::<_, String>(0));
    let error = row.unwrap();
    assert!(error.contains("`seed` is"), "{error}\n{}", miss.transcript());
}

fn evaluated(project: &Project, options: &[&str]) -> Value {
    let arguments = [&["eval", "--format", "json"], options].concat();
    project.run_with(&arguments, WITH_KEY).exits(0).json()
}

#[test]
fn a_recorded_exchange_can_be_read_and_compared() {
    let vendor = MockVendor::start(&json!({}));
    let project = Project::with_vendor("openai", &vendor);
    for _ in 0..2 {
        project.run_with(&["ask", "Do you deliver to Norway?", "--no-cache", "--record", "r"], WITH_KEY).exits(0);
    }
    let files: Vec<_> = std::fs::read_dir(project.file("r/answer")).unwrap().map(|file| file.unwrap().path()).collect();
    let calls = project.count("SELECT count(*) FROM calls") / 2;
    assert_eq!(files.len() as u64, calls, "each exchange is there once");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.lines().count() > 20, "one field a line: {text}");
    let exchange: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exchange["format"].clone(), exchange["slot"].clone()), (1.into(), 0.into()));
    assert!(exchange["request"]["messages"][1]["content"].as_str().unwrap().contains("Norway"));
}

#[test]
fn calls_are_recorded_with_all_their_telemetry() {
    let vendor = MockVendor::start(&json!({"prompt_cache": true, "reasoning_tokens": 3}));
    let project = Project::with_vendor("openai", &vendor);
    project.run_with(&["eval", "--limit", "2", "--concurrency", "1"], WITH_KEY).exits(0);
    let full = "SELECT count(*) FROM calls WHERE operation = 'chat' AND retries = 0 AND breaker = 'closed' AND cache_path = 'bypassed'
                AND request_id IS NOT NULL AND response_model IN ('small', 'large') AND reasoning_tokens = 3
                AND (SELECT score FROM outcomes WHERE outcomes.ticket = calls.ticket) IS NOT NULL AND cost_nanousd > 0 AND prompt_text IS NULL";
    let all = project.count("SELECT count(*) FROM calls");
    assert!(all >= 2);
    assert_eq!(project.count(full), all);
    assert!(project.count("SELECT sum(cached_input_tokens) FROM calls") > 0);
}

/// What may stand nowhere after a run: a key, and personal data of each kind.
const CANARIES: &[&str] = &[
    "sk-canary",
    "0123456789abcdefghijklmnop",
    "canary.person@example.org",
    "4111 1111 1111 1111",
    "4111111111111111",
    "DE89 3704 0044 0532 0130 00",
    "DE89370400440532013000",
    "+49 30 901820",
    "203.0.113.77",
    "219-09-9999",
    "ghp_CanaryCanaryCanaryCanaryCanaryCana01",
];

fn question() -> String {
    format!(
        "I am canary.person@example.org, card 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00, phone +49 30 901820, \
         from 203.0.113.77, SSN 219-09-9999, token ghp_CanaryCanaryCanaryCanaryCanaryCana01 and {KEY}: do you deliver to Norway?"
    )
}

#[test]
fn neither_keys_nor_personal_data_stay_in_logs_store_recordings_telemetry_or_reports() {
    let vendor = MockVendor::start(&json!({"answers": {"mode": "echo"}, "api_key": KEY}));
    let project = Project::with_vendor("openai", &vendor);
    let collector = Collector::start();
    project
        .append("tollgate.toml", &format!("\n[telemetry]\npayloads = true\notlp_endpoint = \"{}\"\n", collector.url));
    let case = json!({"id": "canary", "question": question(), "expected": question()});
    project.write("canary.jsonl", format!("{case}\n"));
    let mut said = String::new();
    for arguments in [
        vec!["eval", "canary.jsonl", "-vvv", "--record", "recorded", "--format", "html", "-o", "report.html"],
        vec!["eval", "canary.jsonl", "-vvv", "--replay", "recorded", "--format", "json", "-o", "report.json"],
        vec!["ask", &question(), "-vvv", "--log-format", "json", "-o", "answer.json"],
    ] {
        let run = project.run_with(&arguments, WITH_KEY).exits(0);
        said.push_str(&run.stderr);
    }
    // A refusal before the call says nothing of the question either.
    let refused = project.run_with(&["eval", "canary.jsonl", "-vvv", "--max-request-cost", "0.000001"], WITH_KEY);
    said.push_str(&refused.stderr);
    said.push_str(&collector.received());
    let exported = collector.received();
    assert!(exported.contains("gen_ai.operation.name"), "the spans were exported");

    let kept = project
        .count("SELECT count(*) FROM calls WHERE prompt_text LIKE '%<EMAIL_ADDRESS>%' AND answer_text IS NOT NULL");
    assert!(kept > 0, "payloads were kept, redacted");
    let mut searched = 0;
    for directory in [".tollgate", "recorded"] {
        searched += search(&project.file(directory), &mut |name, bytes| refuse_canaries(name, bytes));
    }
    for file in ["report.html", "report.json"] {
        refuse_canaries(file, &std::fs::read(project.file(file)).unwrap());
    }
    assert!(searched >= 4, "{searched} files were searched");
    refuse_canaries("log lines and export", said.as_bytes());
}

fn refuse_canaries(name: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for canary in CANARIES {
        assert!(!text.contains(canary), "{name} holds {canary}");
    }
}

fn search(directory: &Path, look: &mut dyn FnMut(&str, &[u8])) -> usize {
    let mut searched = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            searched += search(&path, look);
        } else {
            look(&path.display().to_string(), &std::fs::read(&path).unwrap());
            searched += 1;
        }
    }
    searched
}

/// Takes whatever is sent to it, and answers 200.
struct Collector {
    url: String,
    received: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let keep = std::sync::Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keep = std::sync::Arc::clone(&keep);
                std::thread::spawn(move || take(stream, &keep));
            }
        });
        Self { url, received }
    }

    fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned()
    }
}

fn take(mut stream: std::net::TcpStream, keep: &std::sync::Mutex<Vec<u8>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 8_192];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some(head) = text.find("\r\n\r\n") else { continue };
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let start = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(head) + 4;
        if request.len() - start >= length.map_or(0, |length| length.parse::<usize>().unwrap()) {
            keep.lock().unwrap().append(&mut request);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
}

#[test]
fn a_vendors_embeddings_are_paid_for_once_and_find_passages() {
    let vendor = MockVendor::start(&json!({}));
    let project = Project::with_vendor("openai", &vendor);
    project.append(
        "tollgate.toml",
        "[providers.mock.models.embed]\ninput_usd_per_million = 0.02\noutput_usd_per_million = 0\n",
    );
    project.migrate(3, "\"retrieval.embedder\" = \"mock/embed\"\n");
    let ingested = project.run_with(&["kb", "ingest"], WITH_KEY).exits(0);
    let chunks = project.count("SELECT count(*) FROM chunks");
    ingested.complains(&format!("vectors brought up to date by mock/embed: {chunks} texts embedded"));
    let requests = vendor.requests();
    let again = project.run_with(&["kb", "ingest", "--rebuild"], WITH_KEY).exits(0);
    assert_eq!(vendor.requests(), requests, "{}", again.transcript());

    let run = project.run_with(&["ask", "Do you deliver to Norway?", "--trace", "--format", "json"], WITH_KEY).exits(0);
    let answer = run.json();
    assert!(answer["trace"].as_array().unwrap().iter().any(|step| step["name"] == "embed"), "{answer}");
    assert!(answer["text"].as_str().unwrap().contains("Norway"));
    let ticket = answer["ticket"].as_str().unwrap();
    let of_ticket = format!(
        "SELECT count(*) FROM calls WHERE operation = 'embeddings' AND ticket = '{ticket}' AND cost_nanousd > 0"
    );
    assert_eq!(project.count(&of_ticket), 1, "the question's vector is one of the ticket's calls");

    let offline = project.run(&["ask", "Do you deliver to Sweden?"]).exits(3);
    offline.complains("`MOCK_KEY`");
    project.run(&["doctor"]).exits(1).says("made by mock/embed").says("has no key in");
    project.migrate(3, "\"retrieval.embedder\" = \"extractive/small\"\n");
    project.run_with(&["kb", "ingest"], WITH_KEY).exits(2).complains("does not support embeddings");
}

#[test]
fn a_collector_that_is_not_there_changes_nothing_but_one_warning() {
    let project = Project::new();
    project.append("tollgate.toml", "\n[telemetry]\notlp_endpoint = \"http://127.0.0.1:1\"\n");
    let run = project.run(&["ask", "Do you deliver to Norway?"]).exits(0).says("Norway");
    assert_eq!(run.stderr.matches("WARN").count(), 1, "{}", run.stderr);
}
