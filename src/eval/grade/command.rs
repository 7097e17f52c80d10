use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::domain::Answer;
use crate::gold::Case;

use super::judgement::Judgement;

/// A grader says one number and a sentence; more than this on its stdout is a mistake.
const MAX_STDOUT_BYTES: u64 = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("the command is empty")]
    Empty,
    #[error("cannot start `{program}`: {source}")]
    CannotStart { program: String, source: io::Error },
    #[error("`{program}` took longer than {timeout_ms} ms")]
    TimedOut { program: String, timeout_ms: u64 },
    #[error("`{program}` failed ({status}){}", shown(last_line))]
    Failed { program: String, status: ExitStatus, last_line: String },
    #[error("cannot talk to `{program}`: {source}")]
    Pipe { program: String, source: io::Error },
    #[error("`{program}` wrote more than {MAX_STDOUT_BYTES} bytes to stdout")]
    TooMuch { program: String },
    #[error("`{program}` did not print {{\"score\": …, \"reason\": …}}: {source}")]
    Unreadable { program: String, source: serde_json::Error },
    #[error("`{program}` gave the score {score}; it must be between 0 and 1")]
    OutOfRange { program: String, score: f64 },
}

fn shown(last_line: &str) -> String {
    if last_line.is_empty() { String::new() } else { format!(": {last_line}") }
}

#[derive(Serialize)]
struct Input<'a> {
    case: &'a Case,
    answer: &'a Answer,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Output {
    score: f64,
    #[serde(default)]
    reason: Option<String>,
}

/// Runs a command on the case and its answer; whatever goes wrong means that it could not judge.
pub(super) async fn judge(
    command: &[String],
    directory: &Path,
    timeout_ms: u64,
    case: &Case,
    answer: &Answer,
) -> Judgement {
    let input = match serde_json::to_vec(&Input { case, answer }) {
        Ok(input) => input,
        Err(error) => return Judgement::Unjudged(format!("cannot write the case as JSON: {error}")),
    };
    match run(command, directory, timeout_ms, &input).await {
        Ok(Output { score, reason }) => Judgement::Score { score, reason },
        Err(error) => Judgement::Unjudged(error.to_string()),
    }
}

async fn run(command: &[String], directory: &Path, timeout_ms: u64, input: &[u8]) -> Result<Output, CommandError> {
    let (program, arguments) = command.split_first().ok_or(CommandError::Empty)?;
    let mut child = Command::new(located(program, directory))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| CommandError::CannotStart { program: program.clone(), source })?;
    let talked = tokio::time::timeout(Duration::from_millis(timeout_ms), talk(&mut child, input)).await;
    let program = program.clone();
    let (status, stdout, last_line) = match talked {
        Ok(Ok(said)) => said,
        Ok(Err(source)) => return Err(CommandError::Pipe { program, source }),
        Err(_) => {
            // Waits for its end too; a program that cannot be killed has already gone.
            let _ = child.kill().await;
            return Err(CommandError::TimedOut { program, timeout_ms });
        }
    };
    if stdout.len() as u64 > MAX_STDOUT_BYTES {
        return Err(CommandError::TooMuch { program });
    }
    if !status.success() {
        return Err(CommandError::Failed { program, status, last_line });
    }
    let output: Output = match serde_json::from_slice(&stdout) {
        Ok(output) => output,
        Err(source) => return Err(CommandError::Unreadable { program, source }),
    };
    if !(0.0..=1.0).contains(&output.score) {
        return Err(CommandError::OutOfRange { program, score: output.score });
    }
    Ok(output)
}

/// A program named by a relative path lies in the project's directory; whether the system looks for it there or in the
/// caller's differs.
fn located(program: &str, directory: &Path) -> PathBuf {
    if Path::new(program).components().count() < 2 {
        return PathBuf::from(program);
    }
    let joined = directory.join(program);
    std::path::absolute(&joined).unwrap_or(joined)
}

/// Writes the input while reading both outputs, so that neither side waits for the other for ever.
async fn talk(child: &mut Child, input: &[u8]) -> io::Result<(ExitStatus, Vec<u8>, String)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        let Some(mut stdin) = stdin else { return Ok(()) };
        match stdin.write_all(input).await {
            // It need not read what it does not want to know.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    };
    let read = async {
        let mut said = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MAX_STDOUT_BYTES + 1).read_to_end(&mut said).await?;
        }
        Ok::<_, io::Error>(said)
    };
    let ((), said, last_line) = tokio::try_join!(write, read, last_line(stderr))?;
    Ok((child.wait().await?, said, last_line))
}

/// The last line that is not blank, of at most a few thousand bytes.
async fn last_line(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    const KEPT: usize = 4096;
    let Some(mut stream) = stream else { return Ok(String::new()) };
    let mut tail: Vec<u8> = Vec::new();
    let mut buffer = [0; KEPT];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        tail.extend(buffer.iter().take(count));
        tail.drain(..tail.len().saturating_sub(KEPT));
    }
    let text = String::from_utf8_lossy(&tail);
    Ok(text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("").to_owned())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    async fn sh(script: &str) -> Result<Output, String> {
        let directory = tempfile::tempdir().unwrap();
        sh_in(directory.path(), script, 10_000).await
    }

    async fn sh_in(directory: &Path, script: &str, timeout_ms: u64) -> Result<Output, String> {
        let command = ["sh", "-c", script].map(str::to_owned);
        run(&command, directory, timeout_ms, b"{\"case\":1}").await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_score_and_its_reason_are_read() {
        let found = sh(r#"grep -q case && echo '{"score": 0.5, "reason": "half", "more": 1}'"#).await;
        assert_eq!(found, Ok(Output { score: 0.5, reason: Some("half".into()) }));
    }

    #[tokio::test]
    async fn input_that_is_not_read_is_no_failure() {
        let command = ["sh", "-c", r#"echo '{"score":1}'"#].map(str::to_owned);
        let large = vec![b' '; 4 * 1024 * 1024];
        let found = run(&command, Path::new("."), 10_000, &large).await.unwrap();
        assert_eq!(found, Output { score: 1.0, reason: None });
    }

    #[tokio::test]
    async fn failures_say_what_happened() {
        assert_eq!(
            sh("echo first >&2; echo last >&2; exit 3").await.unwrap_err(),
            "`sh` failed (exit status: 3): last"
        );
        assert_eq!(sh("exit 4").await.unwrap_err(), "`sh` failed (exit status: 4)");
        assert!(sh("echo nonsense").await.unwrap_err().starts_with("`sh` did not print {\"score\""));
        let range = "`sh` gave the score 1.5; it must be between 0 and 1";
        assert_eq!(sh(r#"echo '{"score":1.5}'"#).await.unwrap_err(), range);
        assert!(sh("yes | head -c 3000000").await.unwrap_err().contains("more than 1048576 bytes"));
        let missing = run(&["no-such-program".to_owned()], Path::new("."), 1000, b"").await.unwrap_err();
        assert!(missing.to_string().starts_with("cannot start `no-such-program`: "), "{missing}");
    }

    #[tokio::test]
    async fn a_program_over_its_time_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let error = sh_in(directory.path(), "echo $$ > pid; exec sleep 60", 1000).await.unwrap_err();
        assert_eq!(error, "`sh` took longer than 1000 ms");
        let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap();
        let alive = Command::new("kill").args(["-0", pid.trim()]).stderr(Stdio::null()).status().await.unwrap();
        assert!(!alive.success(), "process {pid} is still there");
    }

    #[tokio::test]
    async fn a_relative_program_lies_in_the_directory_and_runs_there() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("ci/judge.sh");
        std::fs::create_dir(directory.path().join("ci")).unwrap();
        std::fs::write(&program, "#!/bin/sh\ncat ci/score\n").unwrap();
        std::fs::write(directory.path().join("ci/score"), "{\"score\": 0.25}").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let found = run(&["ci/judge.sh".to_owned()], directory.path(), 10_000, b"{}").await.unwrap();
        assert_eq!(found, Output { score: 0.25, reason: None });
    }
}
