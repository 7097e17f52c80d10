//! What happens while the gate of a migration runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use serde_json::json;

use crate::common::{self, Project, Run};
use crate::scenes::{NOW, THEN};
use crate::{changed, states, with_two_applied};

/// A `tollgate migrate up` in the midst of the gate of migration 3.
struct Halfway {
    process: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Halfway {
    fn begin(project: &Project) -> Self {
        // Whoever makes the directory first waits until somebody writes into the pipe.
        let script = "mkdir held 2>/dev/null && cat gate.fifo; echo '{\"score\": 1}'";
        let grader = json!({"type": "command", "command": ["sh", "-c", script], "timeout_ms": 60_000});
        let case = json!({"id": "slow", "question": "Slow?", "expected": [THEN, NOW], "graders": [grader]});
        project.append("gold_sets/starter.jsonl", &format!("{case}\n"));
        project.shell("mkfifo gate.fifo").exits(0);
        let mut command = project.command(&["migrate", "up", "--format", "json"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("evaluating live") {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "it ended: {said}");
        }
        Self { process, stderr }
    }

    /// Lets it go on, and waits for its end.
    fn end(mut self, project: &Project) -> Run {
        std::fs::write(project.file("gate.fifo"), "").unwrap();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        let mut output = self.process.wait_with_output().unwrap();
        output.stderr = said.into_bytes();
        common::finish(project.path(), output)
    }
}

#[test]
fn of_two_that_migrate_at_once_exactly_one_does() {
    let project = with_two_applied([6, 0, 0, 0]);
    let first = Halfway::begin(&project);
    let second = project.run(&["migrate", "up"]).exits(3);
    second.complains("another process is migrating").complains("hint: wait for it to end");
    project.run(&["migrate", "up", "--force", "--reason", "now"]).exits(3).complains("another process is migrating");
    assert_eq!(states(&project, 0)[2], (3, "pending".to_owned()));
    assert_eq!(changed(&first.end(&project).exits(0).json()), [(3, "verdict")]);
    assert_eq!(project.count("SELECT count(*) FROM migration_changes WHERE number = 3"), 1);
    project.run(&["migrate", "up"]).exits(0).says("nothing is pending");
}

#[test]
fn what_is_taken_back_while_a_gate_runs_is_not_built_upon() {
    let project = with_two_applied([6, 0, 0, 0]);
    let up = Halfway::begin(&project);
    project.run(&["migrate", "down"]).exits(0);
    up.end(&project).exits(3);
    assert_eq!(states(&project, 0).iter().filter(|(_, state)| state == "applied").count(), 1);
}

#[test]
fn what_is_edited_while_its_gate_runs_is_not_applied() {
    let project = with_two_applied([6, 0, 0, 0]);
    let up = Halfway::begin(&project);
    project.migrate(3, "\"stages.small\" = \"beta/any\"\n\"retrieval.top_k\" = 4\n");
    up.end(&project).exits(3).complains("was edited while it was being applied");
    assert_eq!(states(&project, 0)[2], (3, "pending".to_owned()));
}
