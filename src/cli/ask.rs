use std::io::Read;

use clap::Args;
use serde::Serialize;

use super::app::App;
use super::failure::{Code, Failure};
use super::model_args::ModelArgs;
use super::output::Output;
use crate::domain::{Answer, PassageChoice, Question, TENANT_SHARED, TicketId};
use crate::pipeline::{Assistant, AssistantError};
use crate::proxy::ProxyError;
use crate::report::{Cell, Document, Format, Render, Status};

/// Ask one question through the whole pipeline
///
/// The knowledge base is brought up to date first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate ask \"how do I continue an interrupted run?\"
  tollgate ask --trace \"what does exit code 3 mean?\"
  echo \"how is money counted?\" | tollgate ask - --format json")]
pub(super) struct AskArgs {
    /// The question; `-` reads it from stdin
    question: String,
    /// Who asks: documents and caches are confined to this tenant and the shared ones
    #[arg(long, value_name = "NAME", default_value = TENANT_SHARED, value_parser = super::tenant_name)]
    tenant: String,
    /// Show each step with its duration
    #[arg(long)]
    trace: bool,
    /// Neither read nor fill the answer cache
    #[arg(long)]
    no_cache: bool,
    /// Which release answers: live, work, a migration's number, or git:REF [default: live, or work before any migration is
    /// applied]
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// Makes sampling repeatable where the model supports it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    models: ModelArgs,
}

pub(super) async fn run(args: &AskArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html])?;
    let text = if args.question == "-" { read_stdin()? } else { args.question.clone() };
    let pinned = match &args.release {
        Some(choice) => app.pinned(choice)?,
        None => app.answering()?,
    };
    let ready = app.ready(&pinned, "ask", &args.models, output).await?;
    let question = Question {
        ticket: app.ids.next::<TicketId>(&*app.clock),
        tenant: args.tenant.clone(),
        text,
        use_cache: !args.no_cache,
        passages: PassageChoice::Release,
        seed: args.seed,
    };
    let answer = match ready.assistant.answer(&question).await {
        Ok(answer) => answer,
        Err(error) => {
            if let (AssistantError::Proxy(ProxyError::Budget(breach)), Format::Json) = (&error, output.format()) {
                // For the program that reads stdout: which cap, and when it begins anew.
                let problem = serde_json::to_string_pretty(&breach.problem()).unwrap_or_default();
                output.write_raw(format!("{problem}\n").as_bytes())?;
            }
            return Err(error.into());
        }
    };
    app.store.flush().await?;
    output.write(&AskOutcome { question: question.text, answer, shows_trace: args.trace })?;
    Ok(Code::Pass)
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().lock().take(1 << 20).read_to_string(&mut text).map_err(|error| {
        Failure::usage(format!("the question on stdin cannot be read: {error}"), "give it as UTF-8 text")
    })?;
    Ok(text.trim().to_owned())
}

/// A question and its answer.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct AskOutcome {
    question: String,
    #[serde(flatten)]
    answer: Answer,
    #[serde(skip)]
    shows_trace: bool,
}

impl Render for AskOutcome {
    fn schema_name(&self) -> &'static str {
        "answer"
    }

    fn document(&self) -> Document {
        let answer = &self.answer;
        let mut document = Document::new(self.question.clone());
        document = if answer.refused {
            document.verdict(Status::Warn, answer.text.clone())
        } else {
            document.text(answer.text.clone())
        };
        let sources = answer.citations.iter().enumerate().map(|(index, cited)| {
            let heading =
                answer.passages.iter().find(|passage| passage.chunk == *cited).map_or("", |passage| &passage.heading);
            (format!("[{}]", index + 1), Cell::Text(format!("{cited} · {heading}")))
        });
        let sources: Vec<_> = sources.collect();
        if !sources.is_empty() {
            document = document.facts(sources);
        }
        if self.shows_trace {
            document = document.heading(2, "Trace").steps(answer.trace.clone());
            let passages = answer.passages.iter().map(|passage| {
                let score = passage.score.map_or_else(|| "–".to_owned(), |score| format!("{score:.3}"));
                (score, Cell::Text(passage.chunk.clone()))
            });
            document = document.heading(2, "Passages").facts(passages.collect::<Vec<_>>());
        }
        let model = answer.model.as_deref().map(|model| format!(" ({model})")).unwrap_or_default();
        let confidence =
            answer.confidence.map(|confidence| format!(" · confidence {confidence:.2}")).unwrap_or_default();
        let cost = answer.cost_nanousd.map_or_else(|| "cost unknown".to_owned(), |cost| cost.to_string());
        let (path, latency_ms) = (answer.path.as_str(), answer.latency_ms);
        document.note(format!("{path}{model}{confidence} · {latency_ms:.1} ms · {cost}"))
    }
}
