use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span::SpanKind, status::StatusCode};
use prost::Message;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{fmt, registry};

use super::*;

/// What a collector got.
struct Got {
    head: String,
    export: ExportTraceServiceRequest,
    bytes: Vec<u8>,
}

/// A collector on a port of its own that answers every request with `status`.
fn collector(status: &'static str) -> (String, Receiver<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (got, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            loop {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
                if head.is_empty() {
                    break;
                }
                let length = |line: &str| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok();
                let mut bytes = vec![0; head.lines().find_map(length).unwrap()];
                reader.read_exact(&mut bytes).unwrap();
                write!(reader.get_mut(), "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
                let export = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
                let _ = got.send(Got { head, export, bytes });
            }
        }
    });
    (endpoint, receiver)
}

fn settings(endpoint: &str) -> OtlpSettings {
    OtlpSettings {
        endpoint: endpoint.to_owned(),
        headers: vec![("x-api-key".to_owned(), Secret::new("canary-key".to_owned()))],
        service_name: "helpdesk".to_owned(),
        timeout: Duration::from_secs(5),
    }
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Log and telemetry composed as the program does it; returns the log's lines.
fn with_log<S>(layer: impl Layer<registry::Registry> + Send + Sync, level: LevelFilter, work: S) -> Vec<String>
where
    S: FnOnce(),
{
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let shown = Targets::new().with_default(level).with_target(TARGET, LevelFilter::OFF);
    let log = fmt::layer().with_writer(move || writer.clone()).with_ansi(false).without_time().with_filter(shown);
    tracing::subscriber::with_default(registry().with(layer).with(log), work);
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The log's lines, with no telemetry.
pub(super) fn lines_of(work: impl FnOnce()) -> Vec<String> {
    with_log(None::<Box<dyn Layer<registry::Registry> + Send + Sync>>, LevelFilter::TRACE, work)
}

const TICKET: &str = "0198c0de-0000-7000-8000-000000000001";

fn start() -> CallStart<'static> {
    CallStart {
        operation: Operation::Chat,
        provider: "openai",
        model: "gpt-5-mini",
        server_address: Some("api.openai.com"),
        server_port: Some(443),
        max_tokens: Some(400),
        temperature: Some(0.2),
        stream: true,
        ticket: Some(&TICKET),
        tenant: "acme",
        endpoint: "ask",
        task: Some("answer"),
        prompt: Some("answer@v2"),
        release: Some("sha256:12"),
        attempt: 2,
        retries: 1,
        breaker: "closed",
        cache_path: Some("miss"),
    }
}

fn end() -> CallEnd<'static> {
    CallEnd {
        response_model: Some("gpt-5-mini-2025-08-07"),
        response_id: Some("chatcmpl-1"),
        finish_reason: Some("stop"),
        input_tokens: Some(1_200),
        output_tokens: Some(80),
        cached_input_tokens: Some(1_024),
        cache_write_tokens: Some(0),
        reasoning_tokens: Some(64),
        cost_nanousd: Some(460_000),
        time_to_first_token_ms: Some(250.0),
        error_type: None,
    }
}

fn spans(got: &Got) -> Vec<&Span> {
    got.export.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans).collect()
}

fn value<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?.value.as_ref()
}

/// Attributes as sorted lines `name = value`; a text is quoted, an array is bracketed.
fn shown(attributes: &[KeyValue]) -> Vec<String> {
    fn text(value: &Value) -> String {
        match value {
            Value::StringValue(text) => format!("{text:?}"),
            Value::BoolValue(flag) => flag.to_string(),
            Value::IntValue(number) => number.to_string(),
            Value::DoubleValue(number) => format!("{number:?}"),
            Value::ArrayValue(array) => {
                let texts = array.values.iter().filter_map(|v| v.value.as_ref()).map(text);
                format!("[{}]", texts.collect::<Vec<_>>().join(", "))
            }
            other => format!("{other:?}"),
        }
    }
    let mut lines: Vec<String> =
        attributes.iter().map(|a| format!("{} = {}", a.key, text(value(attributes, &a.key).unwrap()))).collect();
    lines.sort();
    lines
}

#[test]
fn a_collector_gets_a_call_under_the_names_of_the_conventions() {
    let (endpoint, got) = collector("200 OK");
    let (export, layer) = OtlpExport::start(settings(&endpoint)).unwrap();
    let log = with_log(layer, LevelFilter::WARN, || {
        let span = call_span(&start());
        record_call(&span, &end());
        record_evaluation(
            &span,
            &Evaluation { name: "token_f1", score: 0.75, response_id: None, ticket: Some(&TICKET) },
        );
        drop(span);
        assert_eq!(export.shutdown(), SpanCounts { ended: 1, delivered: 1 });
    });
    assert_eq!(log, Vec::<String>::new());
    let got = got.recv().unwrap();
    assert!(got.head.starts_with("POST /v1/traces HTTP/1.1"), "{}", got.head);
    assert!(got.head.contains("content-type: application/x-protobuf") && got.head.contains("x-api-key: canary-key"));

    let resource = &got.export.resource_spans[0];
    assert_eq!(resource.schema_url, "https://opentelemetry.io/schemas/1.41.0");
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    assert_eq!(value(attributes, "service.name"), Some(&Value::StringValue("helpdesk".into())));
    assert_eq!(value(attributes, "service.version"), Some(&Value::StringValue(env!("CARGO_PKG_VERSION").into())));
    let scope = &resource.scope_spans[0];
    assert_eq!(scope.schema_url, SCHEMA_URL);
    assert_eq!(scope.scope.as_ref().unwrap().name, env!("CARGO_PKG_NAME"));

    let span = spans(&got)[0];
    assert_eq!((span.name.as_str(), span.kind()), ("chat gpt-5-mini", SpanKind::Client));
    assert_eq!(span.status.as_ref().map_or(StatusCode::Unset, Status::code), StatusCode::Unset);
    assert!(span.start_time_unix_nano > 0 && span.end_time_unix_nano >= span.start_time_unix_nano);
    assert_eq!(
        shown(&span.attributes),
        [
            r#"gen_ai.operation.name = "chat""#,
            r#"gen_ai.provider.name = "openai""#,
            "gen_ai.request.max_tokens = 400",
            r#"gen_ai.request.model = "gpt-5-mini""#,
            "gen_ai.request.stream = true",
            "gen_ai.request.temperature = 0.2",
            r#"gen_ai.response.finish_reasons = ["stop"]"#,
            r#"gen_ai.response.id = "chatcmpl-1""#,
            r#"gen_ai.response.model = "gpt-5-mini-2025-08-07""#,
            "gen_ai.response.time_to_first_chunk = 0.25",
            "gen_ai.usage.cache_creation.input_tokens = 0",
            "gen_ai.usage.cache_read.input_tokens = 1024",
            "gen_ai.usage.input_tokens = 1200",
            "gen_ai.usage.output_tokens = 80",
            "gen_ai.usage.reasoning.output_tokens = 64",
            r#"server.address = "api.openai.com""#,
            "server.port = 443",
            "tollgate.attempt = 2",
            r#"tollgate.breaker = "closed""#,
            r#"tollgate.cache_path = "miss""#,
            "tollgate.cost_nanousd = 460000",
            r#"tollgate.endpoint = "ask""#,
            r#"tollgate.prompt = "answer@v2""#,
            r#"tollgate.release = "sha256:12""#,
            "tollgate.retries = 1",
            r#"tollgate.task = "answer""#,
            r#"tollgate.tenant = "acme""#,
            r#"tollgate.ticket = "0198c0de-0000-7000-8000-000000000001""#,
            "tollgate.time_to_first_token_ms = 250.0",
        ]
    );
    assert_eq!(span.events.len(), 1);
    assert_eq!(span.events[0].name, "gen_ai.evaluation.result");
    assert_eq!(
        shown(&span.events[0].attributes),
        [
            r#"gen_ai.evaluation.name = "token_f1""#,
            "gen_ai.evaluation.score.value = 0.75",
            r#"tollgate.ticket = "0198c0de-0000-7000-8000-000000000001""#,
        ]
    );
}

#[test]
fn a_failed_call_has_the_class_of_its_error_and_unknown_values_are_missing() {
    let (endpoint, got) = collector("200 OK");
    let (export, layer) = OtlpExport::start(settings(&endpoint)).unwrap();
    with_log(layer, LevelFilter::OFF, || {
        let ticket = tracing::info_span!(target: "tollgate::pipeline", "ticket").entered();
        let span = call_span(&CallStart { operation: Operation::Embeddings, ticket: None, task: None, ..start() });
        record_call(&span, &CallEnd { error_type: Some("timeout"), ..CallEnd::default() });
        drop(span);
        drop(ticket);
        record_evaluation(
            &tracing::Span::none(),
            &Evaluation { name: "rouge_l", score: 1.0, response_id: Some("chatcmpl-1"), ticket: None },
        );
        assert_eq!(export.shutdown().delivered, 3);
    });
    let got = got.recv().unwrap();
    let spans = spans(&got);
    let named = |name: &str| *spans.iter().find(|span| span.name == name).unwrap();
    let call = named("embeddings gpt-5-mini");
    assert_eq!(call.parent_span_id, named("ticket").span_id, "a call belongs to the trace of its ticket");
    let status = call.status.as_ref().unwrap();
    assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, ""));
    assert_eq!(value(&call.attributes, "error.type"), Some(&Value::StringValue("timeout".into())));
    for missing in ["tollgate.ticket", "gen_ai.usage.input_tokens", "gen_ai.response.finish_reasons"] {
        assert_eq!(value(&call.attributes, missing), None, "{missing}");
    }
    let score = named("gen_ai.evaluation.result");
    assert_eq!(value(&score.attributes, "gen_ai.response.id"), Some(&Value::StringValue("chatcmpl-1".into())));
}

#[test]
fn no_text_leaves_the_program() {
    let (endpoint, got) = collector("200 OK");
    let (export, layer) = OtlpExport::start(settings(&endpoint)).unwrap();
    let log = with_log(layer, LevelFilter::INFO, || {
        let outer = tracing::info_span!(target: "tollgate::pipeline", "ticket", question = "canary-question").entered();
        let span = call_span(&start());
        span.in_scope(|| {
            tracing::error!(target: "tollgate::proxy", error = "canary-error", "canary-message");
            tracing::info!(target: "tollgate::call", question = "canary-question", "canary-message");
            let _other = tracing::error_span!(target: "hyper::client", "canary-foreign").entered();
            let _fine = tracing::debug_span!(target: "tollgate::proxy", "canary-debug").entered();
        });
        span.record("otel.status_code", "error");
        record_call(&span, &end());
        drop((span, outer));
        export.shutdown();
    });
    let got = got.recv().unwrap();
    assert_eq!(spans(&got).len(), 2, "the ticket and the call");
    let sent = String::from_utf8_lossy(&got.bytes);
    assert!(sent.contains("chat gpt-5-mini"));
    assert!(!sent.contains("canary"), "{sent}");
    assert!(!sent.contains("code.") && !sent.contains("thread."), "{sent}");
    assert_eq!(log.len(), 1, "the log has its line, whatever is exported: {log:?}");
    assert!(!log[0].contains("gen_ai"), "a call's attributes are no part of log lines: {log:?}");
}

#[test]
fn a_dead_collector_costs_one_warning() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (export, layer) = OtlpExport::start(settings(&format!("http://{closed}"))).unwrap();
    let log = with_log(layer, LevelFilter::WARN, || {
        drop(call_span(&start()));
        drop(call_span(&start()));
        assert_eq!(export.shutdown(), SpanCounts { ended: 2, delivered: 0 });
    });
    assert_eq!(log.len(), 1, "{log:?}");
    for part in ["WARN", "lost=2", "of=2", "onnection refused", "/v1/traces"] {
        assert!(log[0].contains(part), "{part}: {log:?}");
    }
}

#[test]
fn a_collector_that_never_answers_is_waited_for_no_longer_than_the_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let (done, finished) = channel();
    thread::spawn(move || {
        let settings = OtlpSettings { timeout: Duration::from_millis(100), ..settings(&endpoint) };
        let (export, layer) = OtlpExport::start(settings).unwrap();
        let flood = QUEUE_SPANS as u64 * 2;
        let mut counts = None;
        let log = with_log(layer, LevelFilter::WARN, || {
            (0..flood).for_each(|_| drop(call_span(&start())));
            counts = Some(export.shutdown());
        });
        done.send((log, counts, flood)).unwrap();
    });
    let (log, counts, flood) = finished.recv_timeout(Duration::from_secs(20)).expect("it ends");
    assert_eq!(counts, Some(SpanCounts { ended: flood, delivered: 0 }));
    assert!(log.len() <= 1, "{log:?}");
}

#[test]
fn a_collector_that_refuses_is_named_with_its_status() {
    let (endpoint, _got) = collector("401 Unauthorized");
    let (export, layer) = OtlpExport::start(settings(&endpoint)).unwrap();
    let log = with_log(layer, LevelFilter::WARN, || {
        drop(call_span(&start()));
        drop(export);
    });
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("401") && !log[0].contains("canary-key"), "{log:?}");
}

#[test]
fn it_can_be_shut_down_within_a_runtime() {
    let (endpoint, got) = collector("200 OK");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (export, layer) = OtlpExport::start(settings(&endpoint)).unwrap();
        with_log(layer, LevelFilter::OFF, || {
            drop(call_span(&start()));
            assert_eq!(export.shutdown().delivered, 1);
        });
    });
    assert_eq!(spans(&got.recv().unwrap()).len(), 1);
}

#[test]
fn an_endpoint_is_completed_and_a_wrong_one_is_refused() {
    let url = |endpoint| traces_endpoint(endpoint).map(String::from).map_err(|error| error.to_string());
    for (endpoint, full) in [
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("https://otel.example/base/", "https://otel.example/base/v1/traces"),
        ("https://otel.example/v1/traces", "https://otel.example/v1/traces"),
    ] {
        assert_eq!(url(endpoint), Ok(full.to_owned()));
    }
    assert!(url("localhost:4318").unwrap_err().contains("neither http nor https"));
    assert!(url("").unwrap_err().contains("not a collector's endpoint"));
    let error = url("https://me:canary@otel.example").unwrap_err();
    assert!(error.contains("belongs in a header") && !error.contains("canary"), "{error}");
}

#[test]
fn a_header_that_cannot_be_sent_is_refused_without_its_value() {
    let headers = |name: &str, value: &str| header_map(&[(name.to_owned(), Secret::new(value.to_owned()))]);
    assert!(headers("authorization", "Bearer x").is_ok());
    assert!(matches!(headers("a b", "x"), Err(OtlpError::Header { part: "name", .. })));
    let error = headers("authorization", "canary\n").unwrap_err();
    assert!(matches!(&error, OtlpError::Header { part: "value", .. }));
    assert!(!format!("{error} {error:?}").contains("canary"));
}
