//! Files that `migrate new` writes, and breaking changes.

use crate::common::{Project, schema_problems};
use crate::scenes::{NOW, calls, two_answers};
use crate::{answer, changed, migrated, states, with_two_applied};

#[test]
fn new_writes_the_next_file_which_can_be_applied() {
    let project = with_two_applied([10, 0, 6, 0]);
    let new = ["new", "Ask sooner", "--set", "stages.confidence_threshold=0.7", "--set", "stages.small=beta/any"];
    let written = migrated(&project, &new, 0);
    assert_eq!(schema_problems(project.path(), &written), [""; 0]);
    assert_eq!(
        (&written["number"], &written["slug"], &written["changes_behaviour"]),
        (&4.into(), &"ask_sooner".into(), &true.into())
    );
    insta::assert_snapshot!(project.read("prompts/migrations/0004_ask_sooner.toml"), @r#"
    description = "Ask sooner"

    [set]
    "stages.confidence_threshold" = 0.7
    "stages.small" = "beta/any"
    "#);
    project.run(&["prompts", "check"]).exits(0);
    assert_eq!(states(&project, 0)[3], (4, "pending".to_owned()));
    let outcome = migrated(&project, &["up"], 0);
    assert_eq!((&outcome["live"]["number"], &outcome["live"]["hash"]), (&4.into(), &written["release_hash"]));
}

#[test]
fn new_refuses_what_could_not_be_applied_and_writes_nothing() {
    let project = two_answers();
    let new = |arguments: &[&str]| project.run(&[&["migrate", "new"], arguments].concat()).exits(2);
    new(&["typo", "--set", "stages.smal=beta/any"]).complains("did you mean `stages.small`?");
    new(&["nothing"]).complains("a migration that sets nothing changes nothing");
    new(&["unknown", "--set", "prompts.answer=9"]);
    new(&["...", "--set", "retrieval.top_k=4"]).complains("no file can be named after");
    assert_eq!(std::fs::read_dir(project.file("prompts/migrations")).unwrap().count(), 3);
}

/// Makes `answer@v3`, which no longer takes the question, and migration 4, which uses it.
fn drop_an_input(project: &Project, declared: &str) {
    let prompt = project.read("prompts/answer/v2.toml");
    let prompt = prompt.replace("properties.question.type = \"string\"\n", "additionalProperties = true\n");
    project.write("prompts/answer/v3.toml", prompt.replace(": {{ question }}", ""));
    let text = format!("description = \"For a test\"\n{declared}\n[set]\n\"prompts.answer\" = 3\n");
    project.write("prompts/migrations/0004_test.toml", text);
}

#[test]
fn a_breaking_change_is_refused_unless_it_is_declared() {
    let project = with_two_applied([10, 0, 6, 0]);
    migrated(&project, &["up"], 0);
    drop_an_input(&project, "");
    let asked = calls(&project);
    for force in [&[][..], &["--force", "--reason", "now"]] {
        let run = project.run(&[&["migrate", "up"], force].concat()).exits(2);
        run.complains("0004_test.toml").complains("input `question` was removed").complains("breaking");
    }
    project.run(&["migrate", "status"]).exits(2).says("input `question` was removed");
    assert_eq!((calls(&project), answer(&project)), (asked, NOW.to_owned()));
    // What is live is not hindered by what is pending.
    drop_an_input(&project, "breaking = \"leave the question out\"\n");
    let outcome = migrated(&project, &["up"], 0);
    assert_eq!(
        (changed(&outcome), &outcome["changed"][0]["breaking"]),
        (vec![(4, "verdict")], &"leave the question out".into())
    );
    project.run(&["migrate", "status"]).exits(0).says("is a breaking change: leave the question out");
}

#[test]
fn new_refuses_an_undeclared_breaking_change() {
    let project = two_answers();
    drop_an_input(&project, "");
    std::fs::remove_file(project.file("prompts/migrations/0004_test.toml")).unwrap();
    let new = ["migrate", "new", "drop", "--set", "prompts.answer=3"];
    project.run(&new).exits(2).complains("input `question` was removed").complains("--breaking");
    project.run(&[&new[..], &["--breaking", "leave it out"]].concat()).exits(0);
    assert!(project.read("prompts/migrations/0004_drop.toml").contains("breaking = \"leave it out\""));
}
