//! `tollgate ask`: answers with their sources, the exact cache, tenants, and questions that cannot be answered.

#![cfg(test)]

mod common;

use common::Project;
use serde_json::Value;

const NORWAY: &str = "Do you deliver to Norway?";

fn ask(project: &Project, options: &[&str]) -> Value {
    project.json(&[&["ask", NORWAY], options].concat())
}

fn is_cached(project: &Project, options: &[&str]) -> bool {
    ask(project, options)["path"] == "exact"
}

/// A project with documents of two tenants beside the shared ones.
fn two_tenants() -> Project {
    let project = Project::new();
    for tenant in ["acme", "globex"] {
        project
            .append("tollgate.toml", &format!("\n[kb.sources.{tenant}]\npath = \"{tenant}\"\ntenant = \"{tenant}\"\n"));
        project.write(
            &format!("{tenant}/terms.md"),
            format!("# Terms of {tenant}\n\nThe secret discount code of {tenant} is {tenant}77.\n"),
        );
    }
    project
}

#[test]
fn an_answer_names_its_sources_path_model_and_cost() {
    let project = Project::new();
    let run = project.run(&["ask", NORWAY]).exits(0).complains("knowledge base brought up to date: 2 added");
    let run = run.says("Norway").says("[1]  docs/shipping.md#where-we-deliver · Shipping > Where we deliver");
    assert!(run.transcript().contains("(extractive/"), "{}", run.transcript());
    assert!(run.stdout.trim_end().lines().last().unwrap().contains(" ms · $0.0000"), "{}", run.transcript());
}

#[test]
fn the_second_time_an_answer_comes_from_the_exact_cache() {
    let project = Project::new();
    let first = ask(&project, &[]);
    let second = project.json(&["ask", "  do you deliver to NORWAY "]);
    assert_eq!((&second["path"], &second["calls"], &second["cost_nanousd"]), (&"exact".into(), &0.into(), &0.into()));
    for same in ["text", "citations", "confidence"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_ne!(first["path"], "exact");
    assert_ne!(first["ticket"], second["ticket"]);
    assert_eq!(project.count("SELECT count(DISTINCT ticket) FROM calls"), 1, "a cached answer calls no model");
}

#[test]
fn no_cache_neither_reads_nor_fills_the_cache() {
    let project = Project::new();
    ask(&project, &["--no-cache"]);
    assert!(!is_cached(&project, &[]), "--no-cache filled the cache");
    assert!(is_cached(&project, &[]));
    assert!(!is_cached(&project, &["--no-cache"]), "--no-cache read the cache");
}

#[test]
fn a_changed_document_makes_cached_answers_stale() {
    let project = Project::new();
    ask(&project, &[]);
    project.edit("docs/returns.md", "30 days", "31 days");
    assert!(!is_cached(&project, &[]));
    assert!(is_cached(&project, &[]));
}

#[test]
fn another_release_does_not_use_the_cached_answers_of_the_first() {
    let project = Project::new();
    ask(&project, &[]);
    project.migrate(2, "\"retrieval.top_k\" = 4\n");
    assert!(!is_cached(&project, &[]));
}

#[test]
fn tenants_do_not_share_cached_answers() {
    let project = two_tenants();
    ask(&project, &["--tenant", "acme"]);
    assert!(!is_cached(&project, &["--tenant", "globex"]));
    assert!(!is_cached(&project, &[]));
    assert!(is_cached(&project, &["--tenant", "acme"]));
}

#[test]
fn a_tenant_sees_its_own_and_the_shared_documents_only() {
    let project = two_tenants();
    let question = "What is the secret discount code of globex?";
    let own = project.json(&["ask", question, "--tenant", "globex"]);
    assert!(own["text"].as_str().unwrap().contains("globex77"), "{own:#}");
    for tenant in ["acme", "shared", "nobody"] {
        let answer = project.run(&["ask", question, "--tenant", tenant, "--trace", "--format", "json"]).exits(0);
        assert!(!answer.stdout.contains("globex77"), "{}", answer.transcript());
        let passages = answer.json()["passages"].to_string();
        assert!(!passages.contains("globex/"), "{tenant} was shown {passages}");
    }
    project.run(&["ask", "When does the refund arrive?", "--tenant", "acme"]).exits(0).says("docs/returns.md");
}

#[test]
fn what_the_documents_do_not_say_is_refused() {
    let project = Project::new();
    let answer = project.json(&["ask", "Which colour has the moon of Jupiter called Ganymede?"]);
    assert_eq!(
        (&answer["refused"], &answer["path"], &answer["citations"]),
        (&true.into(), &"refused".into(), &Value::Array(vec![]))
    );
    assert!(answer["calls"].as_u64().unwrap() > 0);
}

#[test]
fn the_trace_shows_each_step() {
    let project = Project::new();
    let run = project.run(&["ask", NORWAY, "--trace"]).exits(0);
    for step in ["normalize", "exact_cache", "retrieve", "render", "small"] {
        assert!(run.stdout.lines().any(|line| line.trim_start().starts_with(step)), "{step}\n{}", run.transcript());
    }
    let steps: Vec<_> =
        ask(&project, &[])["trace"].as_array().unwrap().iter().map(|step| step["name"].clone()).collect();
    assert_eq!(steps, ["normalize", "exact_cache"]);
}

#[test]
fn a_question_may_come_from_stdin() {
    let project = Project::new();
    let run = project.shell(&format!("echo '{NORWAY}' | \"$1\" ask - --format json")).exits(0);
    assert_eq!(run.json()["question"], NORWAY);
    project.shell("printf 'caf\\351?' | \"$1\" ask -").exits(2).complains("the question on stdin cannot be read");
}

#[test]
fn empty_and_overlong_questions_exit_2() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["ask", " \t"]).transcript(), @r#"
    exit 2
    --- stdout

    --- stderr
    knowledge base brought up to date: 2 added, 0 changed, 0 removed, 7 chunks
    error: the question is empty
    hint: ask something: tollgate ask "how do I …?"
    "#);
    let long = "word ".repeat(1_000);
    insta::assert_snapshot!(project.run(&["ask", &long, "--quiet"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: the question has 5000 characters, and the release allows 4000 (`limits.max_question_chars`)
    hint: shorten it, or raise the limit in a migration
    ");
}

#[test]
fn the_echo_model_says_what_it_is_told_to() {
    let project = Project::echo("forty two", 0);
    insta::assert_snapshot!(project.run(&["ask", "What is six times seven?", "-q"]).transcript(), @r"
    exit 0
    --- stdout
    What is six times seven?

    forty two

    note: small (echo/any) · confidence 1.00 · N ms · $0.0000180
    --- stderr
    ");
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let project = Project::new();
    let ask = || ask(&project, &["--no-cache", "--seed", "7"]);
    let (first, second) = (ask(), ask());
    for same in ["text", "citations", "confidence", "path", "usage"] {
        assert_eq!(first[same], second[same], "{same}");
    }
}
