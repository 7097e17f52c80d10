//! What the tests of the command line share: temporary projects, runs of the real binary, and transcripts without
//! whatever differs from run to run.

#![allow(dead_code, reason = "every test binary uses its own part of this")]

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const TOLLGATE: &str = env!("CARGO_BIN_EXE_tollgate");

/// A prompt of nine words and the question, so that what an echo costs does not depend on the wording of `init`'s.
const PROMPT: &str = r#"description = "For a test"
task = "answer"

[inputs]
type = "object"
properties.question.type = "string"

[output]
type = "object"
required = ["answer", "citations", "confidence", "refused"]
additionalProperties = false
properties.answer.type = "string"
properties.citations = { type = "array", items = { type = "string" } }
properties.confidence.type = "number"
properties.refused.type = "boolean"

[[messages]]
role = "user"
content = "Say what you were told to say, whatever follows: {{ question }}"
"#;

/// A project in a temporary directory, which goes away with it.
pub(crate) struct Project {
    directory: TempDir,
}

/// How one run of the program ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What a transcript calls `PROJECT`.
    directory: PathBuf,
}

/// The program in `directory`, without any setting of this process's environment.
pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(TOLLGATE);
    command.current_dir(directory).args(arguments).stdin(Stdio::null());
    cleared(command)
}

/// `sh -c script` with `$1` as the program, without any setting of this process's environment.
pub(crate) fn shell(directory: &Path, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(directory).args(["-c", script, "sh", TOLLGATE]).stdin(Stdio::null());
    cleared(command)
}

#[expect(clippy::disallowed_methods, reason = "a test must not depend on the settings of whoever runs it")]
fn cleared(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TOLLGATE_") {
            command.env_remove(name);
        }
    }
    let proxies = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG", "COLUMNS"].into_iter().chain(proxies) {
        command.env_remove(name);
    }
    command
}

/// Runs the program in `directory` and waits for its end.
pub(crate) fn run_in(directory: &Path, arguments: &[&str]) -> Run {
    finish(directory, command(directory, arguments).output().unwrap())
}

/// A running `tollgate mock-provider`, which ends with this.
pub(crate) struct MockVendor {
    process: std::process::Child,
    /// What it said about itself.
    pub(crate) said: Value,
}

impl MockVendor {
    /// Starts one with `settings` (JSON) in its own directory.
    pub(crate) fn start(settings: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("settings.json");
        std::fs::write(&file, settings.to_string()).unwrap();
        let arguments = ["mock-provider", "--port", "0", "--format", "json", "--settings", file.to_str().unwrap()];
        let mut process = command(directory.path(), &arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = std::io::BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The object is printed over several lines, the last of which is its brace.
        let mut text = String::new();
        for line in lines {
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let said = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { process, said }
    }

    /// `base_url` for a provider of kind `openai`.
    pub(crate) fn openai_url(&self) -> &str {
        self.said["openai_base_url"].as_str().unwrap()
    }

    /// `base_url` for a provider of another kind.
    pub(crate) fn url(&self) -> &str {
        self.said["base_url"].as_str().unwrap()
    }

    /// The answer to a GET request without TLS.
    pub(crate) fn get(&self, path: &str) -> String {
        use std::io::Read;
        let mut stream = std::net::TcpStream::connect(self.said["address"].as_str().unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// How many requests for models it has had so far.
    pub(crate) fn requests(&self) -> u64 {
        let metrics = self.get("/metrics");
        let counted = metrics.lines().filter(|line| line.starts_with("mock_provider_requests_total{"));
        counted.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }
}

impl Drop for MockVendor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What became of a finished process.
pub(crate) fn finish(directory: &Path, output: Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        directory: directory.to_owned(),
    }
}

impl Project {
    /// What `tollgate init` makes.
    pub(crate) fn scaffolded() -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        project.run(&["init"]).exits(0);
        project
    }

    /// The same with two documents only, and the questions about them.
    pub(crate) fn new() -> Self {
        let project = Self::scaffolded();
        let mut cases = project.read("gold_sets/starter.jsonl");
        for document in ["docs/account.md", "docs/payment.md", "docs/products.md"] {
            std::fs::remove_file(project.path().join(document)).unwrap();
            cases = cases.split_inclusive('\n').filter(|case| !case.contains(document)).collect();
        }
        project.write("gold_sets/starter.jsonl", cases);
        project
    }

    /// An empty directory.
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A project whose only model always says `reply`, after `latency_ms`, for $1 a million tokens in and $2 out.
    pub(crate) fn echo(reply: &str, latency_ms: u32) -> Self {
        let project = Self::new();
        project.append(
            "tollgate.toml",
            &format!(
                "\n[providers.echo]\nkind = \"echo\"\nlatency_ms = {latency_ms}\nreply = {reply:?}\n\
                 [providers.echo.models.any]\ninput_usd_per_million = 1\noutput_usd_per_million = 2\n"
            ),
        );
        project.write("prompts/answer/v2.toml", PROMPT);
        // Its prompt promises less than the first version.
        project.write(
            "prompts/migrations/0002_test.toml",
            "description = \"For a test\"\nbreaking = \"only an answer is promised\"\n\n[set]\n\"prompts.answer\" = 2\n\
             \"stages.small\" = \"echo/any\"\n\"stages.large\" = \"\"\n\"retrieval.mode\" = \"off\"\n",
        );
        project
    }

    /// A project whose stages are the models `small` and `large` of a mock vendor that speaks `kind`'s API.
    pub(crate) fn with_vendor(kind: &str, vendor: &MockVendor) -> Self {
        let project = Self::new();
        let url = if kind == "openai" { vendor.openai_url() } else { vendor.url() };
        let mut settings =
            format!("\n[providers.mock]\nkind = \"{kind}\"\nbase_url = \"{url}\"\napi_key_env = \"MOCK_KEY\"\n");
        for model in ["small", "large"] {
            let prices = "input_usd_per_million = 1\noutput_usd_per_million = 2\n";
            settings.extend(["[providers.mock.models.", model, "]\n", prices]);
        }
        project.append("tollgate.toml", &settings);
        project.migrate(2, "\"stages.small\" = \"mock/small\"\n\"stages.large\" = \"mock/large\"\n");
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).open(self.file(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// Replaces text that must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, text.replace(from, to));
    }

    /// Adds a migration that sets `settings`.
    pub(crate) fn migrate(&self, number: u32, settings: &str) {
        let text = format!("description = \"For a test\"\n\n[set]\n{settings}");
        self.write(&format!("prompts/migrations/{number:04}_test.toml"), text);
    }

    /// A gold set of `count` cases, of which every third expects what `reply` says in full.
    pub(crate) fn generate_cases(&self, name: &str, count: usize, reply: &str) {
        let case = |number| {
            let expected = if number % 3 == 0 { reply.to_owned() } else { format!("{reply} or number {number}") };
            let case = serde_json::json!({
                "id": format!("case-{number:04}"), "question": format!("What is number {number}?"),
                "expected": expected, "tags": [if number % 2 == 0 { "even" } else { "odd" }],
            });
            format!("{case}\n")
        };
        self.write(name, (0..count).map(case).collect::<String>());
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(self.path(), arguments)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        run_in(self.path(), arguments)
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        finish(self.path(), command.output().unwrap())
    }

    pub(crate) fn shell(&self, script: &str) -> Run {
        finish(self.path(), shell(self.path(), script).output().unwrap())
    }

    /// What a command that succeeds writes as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--format", "json"]].concat()).exits(0).json()
    }

    /// The project's main database.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file(".tollgate/tollgate.db")).unwrap()
    }

    /// The first column of the first row of a query over the main database.
    pub(crate) fn count(&self, sql: &str) -> u64 {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

impl Run {
    /// Fails the test with the whole transcript when the program ended otherwise.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.transcript());
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "stdout lacks {text:?}\n{}", self.transcript());
        self
    }

    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr lacks {text:?}\n{}", self.transcript());
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}", self.transcript()))
    }

    /// Exit code, stdout and stderr, without what differs from run to run.
    pub(crate) fn transcript(&self) -> String {
        let text = format!("exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout.trim_end(), self.stderr);
        let directory = regex::escape(&self.directory.display().to_string());
        let patterns = [
            (directory.as_str(), "PROJECT"),
            (r"\b(run|ticket|call)_[0-9a-f]{32}\b", "${1}_ID"),
            (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
            (r"\b[0-9a-f]{64}\b", "SHA256"),
            (r"\b[0-9a-f]{12}\b", "HASH"),
            (r"\b[0-9.]+ ms\b", "N ms"),
            (r"(?m) +$", ""),
        ];
        patterns
            .iter()
            .fold(text, |text, (pattern, with)| Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned())
    }
}

/// Runs `tollgate schema NAME` for the schema that `output` names, and says what in it breaks that schema.
pub(crate) fn schema_problems(directory: &Path, output: &Value) -> Vec<String> {
    let name = output["schema"].as_str().unwrap().split('/').next().unwrap();
    let schema = run_in(directory, &["schema", name]).exits(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(output).map(|error| format!("{}: {error}", error.instance_path())).collect()
}
