//! `tollgate kb`: incremental ingest, search, what cannot be read, and two processes at once.

#![cfg(test)]

mod common;

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, UNIX_EPOCH};

use common::Project;
use serde_json::{Value, json};

fn ingest(project: &Project) -> Value {
    project.json(&["kb", "ingest"])
}

/// Documents added, changed, removed, unchanged.
fn counts(report: &Value) -> [u64; 4] {
    let many = |key: &str| report[key].as_array().unwrap().len() as u64;
    [many("added"), many("changed"), many("removed"), report["unchanged"].as_u64().unwrap()]
}

fn found(project: &Project, arguments: &[&str]) -> Vec<String> {
    let hits = project.json(&[&["kb", "search"], arguments].concat());
    hits["hits"].as_array().unwrap().iter().map(|hit| hit["chunk"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn ingest_says_what_it_read() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["kb", "ingest"]).transcript(), @r"
    exit 0
    --- stdout
    kb ingest

    ✓ 7 chunks are searchable, 7 of them written now

      added      2
      changed    0
      unchanged  0
      removed    0
      skipped    0
      index      built from scratch
    --- stderr
    ");
    insta::assert_snapshot!(project.run(&["kb", "ingest"]).transcript(), @r"
    exit 0
    --- stdout
    kb ingest

    ✓ 7 chunks are searchable, 0 of them written now

      added      0
      changed    0
      unchanged  2
      removed    0
      skipped    0
      index      up to date
    --- stderr
    ");
}

#[test]
fn ingest_reads_only_what_has_changed() {
    let project = Project::new();
    assert_eq!(counts(&ingest(&project)), [2, 0, 0, 0]);
    project.write("docs/new.txt", "Gift wrapping costs two euros.");
    project.edit("docs/returns.md", "30 days", "31 days");
    let report = ingest(&project);
    assert_eq!(counts(&report), [1, 1, 0, 1]);
    assert_eq!((&report["added"], &report["changed"]), (&json!(["docs/new.txt"]), &json!(["docs/returns.md"])));
    assert_eq!(found(&project, &["gift wrapping", "--limit", "1"]), ["docs/new.txt#top"]);

    std::fs::remove_file(project.file("docs/new.txt")).unwrap();
    let report = ingest(&project);
    assert_eq!((counts(&report), &report["removed"]), ([0, 0, 1, 2], &json!(["docs/new.txt"])));
    assert_eq!(found(&project, &["gift wrapping"]), [""; 0]);
}

#[test]
fn a_file_that_was_only_touched_is_unchanged() {
    let project = Project::new();
    ingest(&project);
    let version = project.json(&["kb", "status"])["knowledge_version"].clone();
    let file = File::options().append(true).open(project.file("docs/returns.md")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    let report = ingest(&project);
    assert_eq!((counts(&report), &report["chunks_written"]), ([0, 0, 0, 2], &0.into()));
    assert_eq!(project.json(&["kb", "status"])["knowledge_version"], version);
}

#[test]
fn a_removed_document_stays_out_until_it_changes() {
    let project = Project::new();
    ingest(&project);
    insta::assert_snapshot!(project.run(&["kb", "remove", "docs/shipping.md"]).transcript(), @r"
    exit 0
    --- stdout
    kb remove

    1 documents removed until their content changes
    --- stderr
    ");
    assert_eq!(counts(&ingest(&project)), [0, 0, 0, 2]);
    assert_eq!(found(&project, &["norway"]), [""; 0]);
    project.append("docs/shipping.md", "\nWe deliver to Iceland too.\n");
    assert_eq!(counts(&ingest(&project)), [0, 1, 0, 1]);
    assert_eq!(found(&project, &["norway"]), ["docs/shipping.md#where-we-deliver"]);
    insta::assert_snapshot!(project.run(&["kb", "remove", "docs/nix.md"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: no document `docs/nix.md` is in the knowledge base
    hint: `tollgate kb status --documents` lists them
    ");
}

#[test]
fn a_missing_source_is_an_error_and_removes_nothing() {
    let project = Project::new();
    ingest(&project);
    std::fs::rename(project.file("docs"), project.file("moved")).unwrap();
    insta::assert_snapshot!(project.run(&["kb", "ingest"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: source `docs`: PROJECT/docs does not exist
    hint: restore it, or correct its `path` in tollgate.toml; nothing was removed
    ");
    assert_eq!(project.json(&["kb", "status"])["sources"][0]["documents"], 2);
    project.run(&["ask", "Do you deliver to Norway?"]).exits(2).complains("does not exist");
    std::fs::rename(project.file("moved"), project.file("docs")).unwrap();
    assert_eq!(counts(&ingest(&project)), [0, 0, 0, 2]);
    project.run(&["kb", "ingest", "dcos"]).exits(2).complains("did you mean `docs`?");
}

#[test]
fn a_deleted_index_is_built_again_from_the_store() {
    let project = Project::new();
    let before = ingest(&project)["chunks"].clone();
    std::fs::remove_dir_all(project.file(".tollgate/index")).unwrap();
    assert_eq!(project.json(&["kb", "status"])["index_is_current"], false);
    let report = ingest(&project);
    assert_eq!((&report["rebuilt"], &report["chunks"], counts(&report)), (&true.into(), &before, [0, 0, 0, 2]));
    assert_eq!(found(&project, &["norway"]), ["docs/shipping.md#where-we-deliver"]);
}

#[test]
fn a_damaged_index_is_built_again_from_the_store() {
    let project = Project::new();
    ingest(&project);
    project.write(".tollgate/index/meta.json", "{");
    let run = project
        .run(&["kb", "search", "norway", "--format", "json"])
        .exits(0)
        .complains("the search index is made anew");
    assert_eq!(run.json()["hits"][0]["chunk"], "docs/shipping.md#where-we-deliver");
    project.write(".tollgate/index/meta.json", "{");
    let run = project.run(&["kb", "search", "norway", "--log-format", "json"]).exits(0).says("docs/shipping.md");
    let line: Value = serde_json::from_str(run.stderr.lines().next().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["fields"]["message"]), (&"WARN".into(), &"the search index is made anew".into()));
}

#[test]
fn rebuild_reads_everything_again() {
    let project = Project::new();
    ingest(&project);
    let report = project.json(&["kb", "ingest", "--rebuild"]);
    assert_eq!((&report["rebuilt"], counts(&report)), (&true.into(), [0, 2, 0, 0]));
    assert_eq!(ingest(&project)["rebuilt"], false);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_read() {
    let project = Project::new();
    project.write("docs/binary.txt", b"PK\x03\x04\x00\x00");
    project.write("docs/latin1.txt", b"caf\xe9 au lait");
    project.write("docs/utf16.txt", b"\xff\xfea\x00");
    project.write("docs/empty.md", "");
    project.write("docs/rows.jsonl", "{\"q\": \"How much is gift wrapping?\"}\n{oops\n");
    File::create(project.file("docs/huge.txt")).unwrap().set_len(50_000_000).unwrap();
    std::os::unix::fs::symlink("nowhere", project.file("docs/broken.md")).unwrap();
    insta::assert_snapshot!(project.run(&["kb", "ingest"]).transcript(), @r"
    exit 0
    --- stdout
    kb ingest

    ! 8 chunks are searchable, 8 of them written now

      added      3
      changed    0
      unchanged  0
      removed    0
      skipped    5
      index      built from scratch

    ── Skipped ─────────────────────────────────────────────────────────────────────────────────────────

      document         why
      ────────────────────────────────────────────────────────────────────────────────
      docs/binary.txt  it is binary: there is a zero byte at offset 4
      docs/empty.md    it is empty
      docs/huge.txt    50000000 bytes are more than `kb.max_document_bytes` = 20000000
      docs/latin1.txt  it is not UTF-8: byte 3 begins no character; save it as UTF-8
      docs/utf16.txt   it is UTF-16; save it as UTF-8

    ── Read in part ────────────────────────────────────────────────────────────────────────────────────

      document         why
      ────────────────────────────────────────────────────────────────
      docs/rows.jsonl  line 2: key must be a string at line 1 column 2
    --- stderr
    ");
    assert_eq!(found(&project, &["gift wrapping"]).len(), 1);
}

#[test]
fn a_document_that_became_unreadable_keeps_its_old_content() {
    let project = Project::new();
    ingest(&project);
    project.write("docs/shipping.md", b"\xff\xff\xff");
    let report = ingest(&project);
    assert_eq!((counts(&report), &report["skipped"][0]["document"]), ([0, 0, 0, 1], &"docs/shipping.md".into()));
    assert_eq!(found(&project, &["norway"]), ["docs/shipping.md#where-we-deliver"]);
}

#[test]
fn a_line_of_fifty_megabytes_in_a_document_is_passed_over() {
    let project = Project::new();
    project.edit(
        "tollgate.toml",
        "[providers.extractive] ",
        "[kb]\nmax_document_bytes = 100_000_000\n\n[providers.extractive] ",
    );
    let mut rows = "x".repeat(50_000_000);
    rows += "\n{\"q\": \"How much is gift wrapping?\"}\n";
    project.write("docs/rows.jsonl", rows);
    let report = ingest(&project);
    assert_eq!(report["warnings"][0]["document"], "docs/rows.jsonl", "{report:#}");
    assert_eq!(found(&project, &["gift wrapping"]).len(), 1);
}

#[test]
fn search_explains_how_a_score_came_about() {
    let project = Project::new();
    ingest(&project);
    let run = project.run(&["kb", "search", "norway", "--explain"]).exits(0);
    for column in [
        "bm25",
        "bm25 scaled",
        "vector",
        "vector scaled",
        "matched",
        "score = 0.50 × bm25 scaled + 0.50 × vector scaled",
    ] {
        assert!(run.stdout.contains(column), "{column}\n{}", run.transcript());
    }
    let hit = &project.json(&["kb", "search", "refund faulty", "--mode", "hybrid"])["hits"][0];
    let scaled = |key: &str| hit["explain"][key].as_f64().unwrap_or(0.0);
    let fused = 0.5 * scaled("bm25_scaled") + 0.5 * scaled("vector_scaled");
    assert!((hit["score"].as_f64().unwrap() - fused).abs() < 1e-6, "{hit:#}");
}

#[test]
fn each_mode_ranks_by_its_own_scores() {
    let project = Project::new();
    ingest(&project);
    assert_eq!(found(&project, &["exchnage", "--mode", "keyword"]), [""; 0], "a misspelt word matches no keyword");
    for mode in ["vector", "hybrid"] {
        let hits = found(&project, &["exchnages", "--mode", mode, "--limit", "1"]);
        assert_eq!(hits, ["docs/returns.md#exchanges"], "{mode}");
    }
    insta::assert_snapshot!(project.run(&["kb", "search", "zzzzqqqq", "--mode", "keyword"]).transcript(), @r"
    exit 0
    --- stdout
    zzzzqqqq

    Nothing matches.
    --- stderr
    ");
}

#[test]
fn search_keeps_tenants_apart() {
    let project = Project::new();
    project.append("tollgate.toml", "\n[kb.sources.acme]\npath = \"acme\"\ntenant = \"acme\"\n");
    project.write("acme/prices.md", "# Prices of Acme\n\nAcme pays seven euros for express delivery.\n");
    for mode in ["keyword", "vector", "hybrid"] {
        let search = |tenant: &str| found(&project, &["acme express delivery", "--mode", mode, "--tenant", tenant]);
        assert!(search("acme").iter().any(|chunk| chunk.starts_with("acme/")), "{mode}");
        assert!(search("acme").iter().any(|chunk| chunk.starts_with("docs/")), "{mode}");
        for other in ["shared", "globex", "acme2"] {
            assert!(!search(other).iter().any(|chunk| chunk.starts_with("acme/")), "{mode} as {other:?}");
        }
    }
    project.run(&["kb", "search", "acme", "--tenant", ""]).exits(2).complains("use letters, digits, `-` and `_`");
}

#[test]
fn two_ingests_at_once_both_complete() {
    let project = Project::new();
    for number in 0..200 {
        project.write(
            &format!("docs/page-{number}.md"),
            format!("# Page {number}\n\nThe word of page {number} is w{number}w.\n"),
        );
    }
    let start = || {
        project
            .command(&["kb", "ingest", "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let runs =
        [start(), start(), start()].map(|child| common::finish(project.path(), child.wait_with_output().unwrap()));
    let added: u64 = runs.into_iter().map(|run| counts(&run.exits(0).json())[0]).sum();
    assert_eq!(added, 202, "each document is added once");
    assert_eq!(found(&project, &["w150w", "--mode", "keyword"]), ["docs/page-150.md#page-150"]);
}

#[test]
fn status_says_what_is_there() {
    let project = Project::new();
    ingest(&project);
    insta::assert_snapshot!(project.run(&["kb", "status", "--documents"]).transcript(), @r"
    exit 0
    --- stdout
    kb status

      source  tenant  documents  chunks  words  last ingest
      ──────────────────────────────────────────────────────────────────
      docs    shared          2       7    179  TIME

      index              7 chunks, current
      knowledge version  SHA256

    ── Documents ───────────────────────────────────────────────────────────────────────────────────────

      document          tenant  words  title
      ────────────────────────────────────────────────────
      docs/returns.md   shared     92  Returns and refunds
      docs/shipping.md  shared     87  Shipping
    --- stderr
    ");
}
