//! What stands around a run: stores that cannot be used, full disks, readers that go away.

#![cfg(test)]

mod common;

use std::process::Stdio;

use common::Project;
use serde_json::Value;

#[test]
fn a_reader_that_went_away_is_no_failure_and_the_run_is_complete() {
    let project = Project::echo("forty two", 1);
    project.run(&["kb", "ingest"]).exits(0);
    let mut child =
        project.command(&["eval", "--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = common::finish(project.path(), child.wait_with_output().unwrap()).exits(0);
    assert_eq!(run.stderr, "");
    assert_eq!(project.json(&["runs", "list"])["runs"][0]["status"], "complete");
    project.shell("{ \"$1\" schema eval_report; echo $? >code; } | head -c 1").exits(0);
    assert_eq!(project.read("code"), "0\n");
}

#[test]
fn a_store_of_a_newer_version_is_not_touched() {
    let project = Project::new();
    project.run(&["kb", "ingest"]).exits(0);
    project.database().pragma_update(None, "user_version", 99).unwrap();
    for arguments in [&["eval"][..], &["ask", "x?"], &["runs", "list"]] {
        let run = project.run(arguments).exits(3);
        insta::allow_duplicates! { insta::assert_snapshot!(run.transcript(), @r"
        exit 3
        --- stdout

        --- stderr
        error: the store PROJECT/.tollgate/tollgate.db has schema 99, but this tollgate knows only up to 4
        hint: use the tollgate that wrote it, or set `store.path` to another file
        "); }
    }
    project.write("other.db", "this is no database, and long enough to be none");
    let run = project.run_with(&["runs", "list"], &[("TOLLGATE_STORE__PATH", "other.db")]).exits(3);
    run.complains("other.db: file is not a database\nhint: check `store.path`");
}

#[test]
fn a_full_disk_is_said_and_what_was_stored_stays() {
    let project = Project::echo("forty two", 0);
    project.generate_cases("many.jsonl", 3_000, "forty two");
    project.run(&["kb", "ingest"]).exits(0);
    std::fs::create_dir(project.file("small")).unwrap();
    // A disk of its own, in a name space of its own; where that is not allowed, files that may not grow.
    let full = project.shell(
        "export TOLLGATE_STORE__PATH=small/tollgate.db; eval='\"$0\" eval many.jsonl --format json'
         if unshare -rm mount -t tmpfs tmpfs small 2>/dev/null; then
             unshare -rm sh -c \"mount -t tmpfs -o size=6m tmpfs small; $eval; echo \\$? >full.code
                 mount -o remount,size=100m small; \\\"\\$0\\\" eval --resume latest --format json >resumed.json; echo \\$? >resumed.code\" \"$1\"
         else
             \"$1\" kb ingest -q >ingested; trap '' XFSZ
             (ulimit -f 2000; \"$1\" eval many.jsonl; echo $? >full.code)
             \"$1\" eval --resume latest --format json >resumed.json; echo $? >resumed.code
         fi",
    );
    assert_eq!(project.read("full.code"), "3\n", "{}", full.transcript());
    assert!(
        full.stderr.contains("error: the disk that holds the store is full\nhint: ")
            || full.stderr.contains("error: the store failed"),
        "{}",
        full.transcript()
    );
    assert_eq!(project.read("resumed.code"), "0\n", "{}", full.transcript());
    let report: Value = serde_json::from_str(&project.read("resumed.json")).unwrap();
    assert_eq!(
        (&report["status"], &report["results"], &report["errored"]),
        (&"complete".into(), &3_000.into(), &0.into())
    );
}
