use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::failure::{Code, Failure};
use super::logging;
use super::output::Output;
use crate::config::LogFormat;
use crate::domain::SystemClock;
use crate::mock_provider::{self, AnswerMode, MockSettings, read_script};
use crate::report::{Cell, Document, Format, Render};

/// Run a vendor that answers like OpenAI, Anthropic and Gemini, with the latency and the faults you want
///
/// For load tests, failover drills and CI. Listens until Ctrl-C; `PATCH /admin/settings` changes everything meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate mock-provider
  tollgate mock-provider --port 9090 --settings vendor.toml
  tollgate mock-provider --port 0 --echo --format json

Then, in tollgate.toml:
  [providers.mock]
  kind = \"openai\"                      # or \"anthropic\", with base_url = \"http://127.0.0.1:9090\"
  base_url = \"http://127.0.0.1:9090/v1\"")]
pub(super) struct MockProviderArgs {
    /// The port; 0 takes a free one, which the output names
    #[arg(long, default_value_t = 9090)]
    port: u16,
    /// The address; whoever reaches it can change its settings
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// TOML or JSON: answers, latency, capacity, limits, faults, outages
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Answer with the question instead of from the passages
    #[arg(long, conflicts_with = "play")]
    echo: bool,
    /// Answer with the lines of a JSONL file: {"match": "…", "reply": "…"}
    #[arg(long, value_name = "FILE")]
    play: Option<PathBuf>,
    /// Makes faults and latencies repeatable
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) fn run(args: &MockProviderArgs, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json])?;
    logging::start(output, LogFormat::Text);
    let settings = settings(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::could_not_run(format!("cannot start threads: {error}")))?;
    runtime.block_on(serve(args, settings, output))
}

async fn serve(args: &MockProviderArgs, settings: MockSettings, output: &Output) -> Result<Code, Failure> {
    let address = SocketAddr::new(args.bind, args.port);
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        let hint = "another program may have the port: choose one with --port, or a free one with --port 0";
        Failure {
            hint: Some(hint.to_owned()),
            ..Failure::could_not_run(format!("cannot listen on {address}: {error}"))
        }
    })?;
    let server = mock_provider::start(settings, listener, Arc::new(SystemClock::new()), args.seed)
        .map_err(|error| Failure::usage(error.to_string(), "correct the file of --settings"))?;
    output.write(&Listening::on(server.addr()))?;
    super::signals::stopped().await;
    server.shutdown().await;
    Ok(Code::Pass)
}

fn settings(args: &MockProviderArgs) -> Result<MockSettings, Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display()), "name a readable file"))
    };
    let mut settings = match &args.settings {
        None => MockSettings::default(),
        Some(path) => {
            let text = read(path)?;
            let parsed = if path.extension().is_some_and(|ending| ending == "json") {
                serde_json::from_str(&text).map_err(|error| error.to_string())
            } else {
                toml::from_str(&text).map_err(|error| error.to_string())
            };
            parsed.map_err(|problem| {
                Failure::usage(
                    format!("{}: {}", path.display(), problem.trim_end()),
                    "docs/commands/mock-provider.md shows every setting",
                )
            })?
        }
    };
    if args.echo {
        settings.answers.mode = AnswerMode::Echo;
    }
    if let Some(path) = &args.play {
        settings.answers.mode = AnswerMode::File;
        settings.answers.lines = read_script(&read(path)?)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display()), "give one JSON object a line"))?;
    }
    Ok(settings)
}

/// Where the mock vendor listens.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Listening {
    /// Host and port.
    address: String,
    /// `base_url` of a provider of kind `openai`.
    openai_base_url: String,
    /// `base_url` of a provider of kind `anthropic` or `gemini`.
    base_url: String,
    /// Its settings, to read and to change.
    admin_url: String,
    /// Prometheus metrics.
    metrics_url: String,
}

impl Listening {
    fn on(address: SocketAddr) -> Self {
        Self {
            address: address.to_string(),
            openai_base_url: format!("http://{address}/v1"),
            base_url: format!("http://{address}"),
            admin_url: format!("http://{address}/admin/settings"),
            metrics_url: format!("http://{address}/metrics"),
        }
    }
}

impl Render for Listening {
    fn schema_name(&self) -> &'static str {
        "mock_provider"
    }

    fn document(&self) -> Document {
        Document::new("mock-provider").text(format!("Listening on {}. Ctrl-C stops it.", self.address)).facts([
            ("openai base_url", Cell::Code(self.openai_base_url.clone())),
            ("anthropic, gemini base_url", Cell::Code(self.base_url.clone())),
            ("settings", Cell::Code(self.admin_url.clone())),
            ("metrics", Cell::Code(self.metrics_url.clone())),
        ])
    }
}
