//! What is compared: what nobody names, revisions, and sides that cannot be compared.

use crate::scenes::{NOW, another_echo, commit, gated, git, gold_set, two_answers};

#[test]
fn in_a_pull_request_the_working_tree_is_compared_with_origin_main() {
    let project = two_answers();
    let three = project.read("prompts/migrations/0003_test.toml");
    std::fs::remove_file(project.file("prompts/migrations/0003_test.toml")).unwrap();
    commit(project.path());
    git(project.path(), &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    project.write("prompts/migrations/0003_test.toml", three);
    project.migrate(4, "\"stages.confidence_threshold\" = 0.5\n");
    gold_set(&project, [10, 0, 6, 0]);
    let report = gated(&project, &[], 0);
    let sides = ["baseline", "candidate"].map(|side| (report[side]["name"].clone(), report[side]["release"].clone()));
    // Two migrations at once: the release before the last is not what main has.
    assert_eq!(sides, [("git:origin/main".into(), 2.into()), ("work".into(), 4.into())]);
    assert_eq!(report["counts"]["improved"], 6);
}

#[test]
fn on_main_the_latest_migration_is_compared_with_the_one_before() {
    let project = two_answers();
    commit(project.path());
    git(project.path(), &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    let run = project
        .run(&["gate", "--format", "json"])
        .exits(4)
        .complains("prompts and migrations are those of origin/main");
    let report = run.json();
    assert_eq!((&report["baseline"]["name"], &report["candidate"]["name"]), (&"2".into(), &"3".into()));
}

#[test]
fn without_git_the_latest_migration_is_compared_with_the_one_before() {
    let project = two_answers();
    let run = project.run(&["gate", "--format", "json"]).exits(4).complains("there is no origin/main");
    let report = run.json();
    assert_eq!((&report["baseline"]["name"], &report["candidate"]["name"]), (&"2".into(), &"3".into()));
    for number in 1..=3 {
        let names = ["0001_initial", "0002_test", "0003_test"];
        let _ = std::fs::remove_file(project.file(&format!("prompts/migrations/{}.toml", names[number - 1])));
    }
    project.run(&["gate"]).exits(2).complains("hint: ");
}

#[test]
fn a_main_that_cannot_be_read_is_not_passed_over() {
    let project = two_answers();
    let three = project.read("prompts/migrations/0003_test.toml");
    project.write("prompts/migrations/0003_test.toml", "description = \"broken\"\n[set]\n\"stages.smal\" = 1\n");
    commit(project.path());
    git(project.path(), &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    project.write("prompts/migrations/0003_test.toml", three);
    project.run(&["gate"]).exits(2).complains("stages.smal");
}

#[test]
fn a_revision_is_compared_as_it_was() {
    let project = two_answers();
    let first = commit(project.path());
    // Later the file of migration 3 is another one; the commit still has the old.
    project.append("tollgate.toml", &another_echo("gamma", "gamma"));
    project.migrate(3, "\"stages.small\" = \"gamma/any\"\n");
    commit(project.path());
    gold_set(&project, [8, 0, 0, 0]);
    let side = format!("git:{first}");
    let report = gated(&project, &["--baseline", &side, "--candidate", "work"], 1);
    assert_eq!(
        (&report["baseline"]["name"], &report["fell"][0]["then"], &report["fell"][0]["now"]),
        (&side.as_str().into(), &NOW.into(), &"gamma".into())
    );
    gated(&project, &["--baseline", "git:HEAD~1", "--candidate", "git:HEAD"], 1);
    assert_eq!(git(project.path(), &["status", "--porcelain", "prompts"]), "", "the working tree was touched");
    project.run(&["gate", "--baseline", "git:nowhere"]).exits(2).complains("git knows no revision `nowhere`");
}

#[test]
fn sides_of_other_conditions_exit_2_and_name_the_field() {
    let project = two_answers();
    let run = |arguments: &[&str]| {
        let report = project.json(&[&["eval", "--bounds", "never"], arguments].concat());
        report["run"].as_str().unwrap().to_owned()
    };
    let plain = run(&["--release", "2"]);
    project.write("other.jsonl", "{\"id\": \"both-0\", \"question\": \"What?\", \"expected\": \"alpha\"}\n");
    let others = [
        ("gold set", run(&["other.jsonl"])),
        ("answer cache", run(&["--cache"])),
        ("filters", run(&["--filter", "id:both-0"])),
        ("limit", run(&["--limit", "1"])),
    ];
    for (field, other) in others {
        let run = project.run(&["gate", "--baseline", &plain, "--candidate", &other]).exits(2);
        run.complains(&format!("cannot be compared: {field} differs (baseline ")).complains("hint: evaluate");
    }
    project.edit("tollgate.toml", "output_usd_per_million = 2\n", "output_usd_per_million = 3\n");
    let run = project.run(&["gate", "--baseline", &plain, "--candidate", "3"]).exits(2);
    run.complains("price book differs");
    gold_set(&project, [4, 1, 2, 0]);
    let run = project.run(&["gate", "--baseline", &plain, "--candidate", "3"]).exits(2);
    run.complains("gold set differs (baseline starter ");
}

#[test]
fn an_unknown_side_exits_2() {
    let project = two_answers();
    let gate = |side: &str| project.run(&["gate", "--baseline", side]).exits(2);
    insta::assert_snapshot!(gate("nope").transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: `nope` names no release
    hint: name work, live, git:REF, or a migration's number, 0 to 3
    ");
    insta::assert_snapshot!(gate("live").transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: there is no live release: no migration was ever applied
    hint: `tollgate migrate up` applies the migrations; `work` names the release on disk
    ");
    gate("4").complains("`4` names no release");
    gate("run_ffff").complains("0 stored runs match `run_ffff`");
    gate("missing.json").complains("cannot read the baseline `missing.json`");
    gate("blessed").complains("no baseline of starter is in reports/baselines");
    gate("git:main").complains("is not in a git repository");
    let run = project.json(&["eval", "--bounds", "never"])["run"].as_str().unwrap().to_owned();
    project.run(&["gate", "--candidate", &run]).exits(2).complains("name it with --baseline");
}

#[test]
fn a_run_that_was_stopped_is_no_side() {
    let project = two_answers();
    let stop = ["eval", "--release", "2", "--max-cost", "0.00001", "--concurrency", "1", "--format", "json"];
    let stopped = project.run(&stop).exits(3).json()["run"].as_str().unwrap().to_owned();
    let run = project.run(&["gate", "--baseline", &stopped]).exits(2);
    // The very command that it gives.
    let hint = format!("tollgate eval --resume {stopped} --release 2");
    run.complains("only a complete run can be compared").complains(&hint);
    project.shell(&hint.replacen("tollgate", "\"$1\"", 1)).exits(0);
    gated(&project, &["--baseline", &stopped], 4);
}
