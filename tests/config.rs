//! `tollgate.toml` and the environment: every problem at once, with its place; who overrides whom.

#![cfg(test)]

mod common;

use common::Project;

fn concurrency(project: &Project, flags: &[&str], environment: &[(&str, &str)]) -> u64 {
    let arguments = [&["eval", "--limit", "1", "--format", "json"], flags].concat();
    let report = project.run_with(&arguments, environment).exits(0).json();
    report["details"]["concurrency"].as_u64().unwrap()
}

#[test]
fn every_problem_is_listed_with_its_place() {
    let project = Project::new();
    project.write(
        "tollgate.toml",
        "[project]\nname = 1\n\n[kb]\nchunk_words = 3\n\n[kb.sources.a]\npaht = \"docs\"\n\n[providers.p]\nkind = \"extractiv\"\n\n\
         [eval]\nconcurrency = \"many\"\nbounds = \"alway\"\n\n[evals]\n",
    );
    insta::assert_snapshot!(project.run(&["eval"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: PROJECT/tollgate.toml:2:8: `project.name`: must be text
    error: PROJECT/tollgate.toml:5:15: `kb.chunk_words`: must be a whole number from 20 to 2000
    error: PROJECT/tollgate.toml:7:13: `kb.sources.a.path`: is missing
    hint: name the file or directory to read
    error: PROJECT/tollgate.toml:8:8: `kb.sources.a.paht`: is not a known setting
    hint: did you mean `path`?
    error: PROJECT/tollgate.toml:11:8: `providers.p.kind`: `extractiv` is not one of openai, anthropic, gemini, extractive, local, echo
    hint: did you mean `extractive`?
    error: PROJECT/tollgate.toml:14:15: `eval.concurrency`: must be a whole number from 1 to 1024
    error: PROJECT/tollgate.toml:15:10: `eval.bounds`: `alway` is not one of auto, always, never
    hint: did you mean `always`?
    error: PROJECT/tollgate.toml:17:2: `evals`: is not a known setting
    hint: did you mean `eval`?
    ");
    project.write("tollgate.toml", "[project\n");
    insta::assert_snapshot!(project.run(&["eval"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: PROJECT/tollgate.toml:1:9: unclosed table, expected `]`
    ");
}

#[test]
fn a_missing_price_is_an_error_and_never_zero() {
    let project = Project::new();
    project.edit("tollgate.toml", "output_usd_per_million = 0.08\n", "");
    insta::assert_snapshot!(project.run(&["ask", "Anything?"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: PROJECT/tollgate.toml:11:30: `providers.extractive.models.small.output_usd_per_million`: is missing
    hint: a price is never assumed: write 0 for a model that costs nothing
    ");
}

#[test]
fn a_release_whose_model_has_no_price_is_refused() {
    let project = Project::new();
    project.edit("tollgate.toml", "[providers.extractive.models.large]", "[providers.extractive.models.larger]");
    insta::assert_snapshot!(project.run(&["eval"]).transcript(), @r#"
    exit 2
    --- stdout

    --- stderr
    error: provider `extractive` has no priced model `large`; did you mean `larger`?
    hint: write both prices into `[providers.extractive.models."large"]`, or say with `vendor` in `[providers.extractive]` whose prices of `tollgate prices list` it has
    "#);
    project.migrate(2, "\"stages.small\" = \"extractve/small\"\n");
    project
        .run(&["ask", "Anything?"])
        .exits(2)
        .complains("no provider `extractve` is configured; did you mean `extractive`?");
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let project = Project::new();
    let environment = [("TOLLGATE_EVAL__CONCURRENCY", "6")];
    assert_eq!(concurrency(&project, &[], &[]), 8);
    project.append("tollgate.toml", "concurrency = 4\n");
    assert_eq!(concurrency(&project, &[], &[]), 4);
    assert_eq!(concurrency(&project, &[], &environment), 6);
    assert_eq!(concurrency(&project, &["--concurrency", "2"], &environment), 2);
}

#[test]
fn the_environment_may_move_the_store() {
    let project = Project::new();
    let path = project.file("elsewhere/x.db").display().to_string();
    project.run_with(&["eval", "--limit", "1"], &[("TOLLGATE_STORE__PATH", &path)]).exits(0);
    assert!(project.file("elsewhere/x.db").exists() && !project.file(".tollgate").exists());
}

#[test]
fn variables_that_no_setting_has_are_errors() {
    let project = Project::new();
    let run = |name: &str, value: &str| project.run_with(&["eval", "--limit", "1"], &[(name, value)]);
    insta::assert_snapshot!(run("TOLLGATE_EVAL__CONCURENCY", "4").transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: environment variable TOLLGATE_EVAL__CONCURENCY: `eval.concurency`: is not a known setting
    hint: did you mean `concurrency`?
    ");
    insta::assert_snapshot!(run("TOLLGATE_CONCURRENCY", "4").transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: environment variable TOLLGATE_CONCURRENCY: no setting has this name
    hint: write the setting's path with two underscores, as in TOLLGATE_EVAL__CONCURRENCY
    ");
    insta::assert_snapshot!(run("TOLLGATE_EVAL__CONCURRENCY", "many").transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: environment variable TOLLGATE_EVAL__CONCURRENCY: `eval.concurrency`: must be a whole number from 1 to 1024
    ");
}

#[test]
fn a_project_is_found_above_or_named() {
    let project = Project::new();
    let elsewhere = Project::empty();
    let outside = elsewhere.run(&["kb", "status"]).exits(2);
    assert!(outside.transcript().contains("no tollgate.toml in PROJECT or above it"), "{}", outside.transcript());
    common::run_in(&project.file("docs"), &["kb", "status"]).exits(0);
    let path = project.path().display().to_string();
    elsewhere.run(&["-C", &path, "kb", "status"]).exits(0);
    elsewhere.run_with(&["kb", "status"], &[("TOLLGATE_PROJECT", &path)]).exits(0);
    elsewhere
        .run_with(&["-C", "nowhere", "kb", "status"], &[("TOLLGATE_PROJECT", &path)])
        .exits(2)
        .complains("cannot read nowhere/tollgate.toml");
}
