//! `tollgate init` and `tollgate doctor`.

#![cfg(test)]

mod common;

use common::Project;

/// The level of what the doctor says about `about`; the worst of several.
fn level(project: &Project, about: &str) -> String {
    let diagnosis = project.run(&["doctor", "--format", "json"]).json();
    let findings = diagnosis["findings"].as_array().unwrap().iter();
    let levels: Vec<&str> = findings
        .filter(|finding| finding["about"] == about)
        .map(|finding| finding["level"].as_str().unwrap())
        .collect();
    ["error", "warning", "note", "ok"].into_iter().find(|level| levels.contains(level)).unwrap_or("silent").to_owned()
}

#[test]
fn init_says_what_it_made_and_what_comes_next() {
    let project = Project::empty();
    insta::assert_snapshot!(project.run(&["init", "shop"]).transcript(), @r"
    exit 0
    --- stdout
    init

    ✓ a project in `shop`

        tollgate.toml
        docs/account.md
        docs/payment.md
        docs/products.md
        docs/returns.md
        docs/shipping.md
        prompts/answer/v1.toml
        prompts/judge/v1.toml
        prompts/migrations/0001_initial.toml
        gold_sets/starter.jsonl
        .gitignore

    note: next: `cd shop && tollgate eval`
    --- stderr
    ");
    insta::assert_snapshot!(project.run(&["init", "shop"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: shop already has tollgate.toml, docs/account.md, docs/payment.md, docs/products.md, docs/returns.md, docs/shipping.md, prompts/answer/v1.toml, prompts/judge/v1.toml, prompts/migrations/0001_initial.toml, gold_sets/starter.jsonl, .gitignore
    hint: choose another directory, or overwrite with `--force`
    ");
    project.write("shop/docs/returns.md", "mine");
    project.run(&["init", "shop", "--force"]).exits(0);
    assert_ne!(project.read("shop/docs/returns.md"), "mine");
}

#[test]
fn a_new_project_is_in_order() {
    let project = Project::new();
    project.run(&["doctor"]).exits(0).says("everything that is needed is in place");
    assert_eq!(level(&project, "store"), "note");
    project.run(&["eval"]).exits(0);
    for (about, expected) in [
        ("store", "ok"),
        ("index", "ok"),
        ("release", "ok"),
        ("models", "ok"),
        ("gold set", "note"),
        ("vectors", "note"),
    ] {
        assert_eq!(level(&project, about), expected, "{about}");
    }
    project.run(&["doctor"]).exits(0).says("compare spelling, not meaning");
}

#[test]
fn the_doctor_changes_nothing() {
    let project = Project::new();
    project.run(&["doctor"]).exits(0);
    assert!(!project.file(".tollgate").exists());
    project.run(&["kb", "ingest"]).exits(0);
    std::fs::remove_dir_all(project.file(".tollgate/index")).unwrap();
    project.run(&["doctor"]);
    assert!(!project.file(".tollgate/index").exists(), "it made an index");
}

#[test]
fn what_is_broken_is_found_and_exits_1() {
    type Break = fn(&Project);
    let cases: [(&str, Break); 7] = [
        ("prompts", |project| project.edit("prompts/answer/v1.toml", "task = \"answer\"", "taks = \"answer\"")),
        ("release", |project| project.migrate(2, "\"prompts.answer\" = 7\n")),
        ("models", |project| project.migrate(2, "\"stages.large\" = \"openai/gpt\"\n")),
        ("documents", |project| std::fs::rename(project.file("docs"), project.file("moved")).unwrap()),
        ("gold set", |project| project.append("gold_sets/starter.jsonl", "{\n")),
        ("store", |project| project.database().pragma_update(None, "user_version", 99).unwrap()),
        ("index", |project| project.write(".tollgate/index/meta.json", "{")),
    ];
    for (about, damage) in cases {
        let project = Project::new();
        project.run(&["kb", "ingest"]).exits(0);
        damage(&project);
        project.run(&["doctor"]).exits(1).says("to mend");
        assert_eq!(level(&project, about), "error", "{about}");
    }
}

#[test]
fn a_changed_frozen_gold_set_is_found() {
    let project = Project::new();
    project.run(&["gold", "lock", "gold_sets/starter.jsonl"]).exits(0);
    assert_eq!(level(&project, "gold set"), "ok");
    project.edit("gold_sets/starter.jsonl", "30 days", "31 days");
    project.run(&["doctor"]).exits(1).says("it has changed since it was frozen");
}

#[test]
fn a_broken_configuration_exits_2() {
    let project = Project::new();
    project.append("tollgate.toml", "\n[stroe]\n");
    project.run(&["doctor"]).exits(2).complains("did you mean `store`?");
}
