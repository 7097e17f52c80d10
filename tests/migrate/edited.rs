//! Files behind applied migrations that are not what they were.

use crate::common::Project;
use crate::scenes::THEN;
use crate::{answer, states, with_two_applied};

/// Every command that would use the applied migrations refuses them, naming `what`.
fn is_refused_everywhere(project: &Project, what: &str) {
    let refusing: [&[&str]; 6] = [
        &["migrate", "up"],
        &["ask", "What is it?"],
        &["eval"],
        &["eval", "--release", "live"],
        &["gate"],
        &["gate", "--baseline", "1", "--candidate", "2"],
    ];
    for arguments in refusing {
        project.run(arguments).exits(2).complains(what).complains("changed");
    }
    project.run(&["migrate", "status"]).exits(2).says(what);
}

#[test]
fn an_applied_migration_that_was_edited_is_refused() {
    let project = with_two_applied([10, 0, 6, 0]);
    let text = project.read("prompts/migrations/0002_test.toml");
    project.write("prompts/migrations/0002_test.toml", text.replace("For a test", "Another"));
    is_refused_everywhere(&project, "0002_test.toml");
    assert_eq!(states(&project, 2)[1], (2, "changed".to_owned()));
    // It is not broken behaviour that is refused, but a change: of a comment too.
    project.write("prompts/migrations/0002_test.toml", format!("{text}# a comment\n"));
    project.run(&["ask", "What is it?"]).exits(2);
    project.write("prompts/migrations/0002_test.toml", &text);
    assert_eq!(answer(&project), THEN);
    std::fs::remove_file(project.file("prompts/migrations/0002_test.toml")).unwrap();
    std::fs::remove_file(project.file("prompts/migrations/0003_test.toml")).unwrap();
    assert_eq!(states(&project, 2)[1], (2, "missing".to_owned()));
    project.run(&["ask", "What is it?"]).exits(2).complains("0002_test.toml");
    // A pending one may be edited as one likes.
    project.write("prompts/migrations/0002_test.toml", text);
    project.migrate(3, "\"stages.small\" = \"beta/any\"\n");
    assert_eq!(states(&project, 0)[2], (3, "pending".to_owned()));
}

#[test]
fn an_edited_prompt_of_an_applied_release_is_refused() {
    let project = with_two_applied([10, 0, 6, 0]);
    let text = project.read("prompts/answer/v2.toml");
    project.edit("prompts/answer/v2.toml", "Say what you were told", "Say whatever");
    is_refused_everywhere(&project, "answer/v2.toml");
    project.write("prompts/answer/v2.toml", text);
    project.run(&["migrate", "up"]).exits(0);
}

#[test]
fn a_migration_that_was_edited_can_be_taken_back() {
    let project = with_two_applied([10, 0, 6, 0]);
    project.run(&["migrate", "up"]).exits(0);
    project.migrate(3, "\"stages.small\" = \"beta/any\"\n\"retrieval.top_k\" = 4\n");
    project.run(&["ask", "What is it?"]).exits(2);
    project.run(&["migrate", "down"]).exits(0);
    assert_eq!(answer(&project), THEN);
    // What would be live again is held to what it was.
    project.edit("prompts/migrations/0001_initial.toml", "description", "# edited\ndescription");
    project.run(&["migrate", "down"]).exits(2).complains("0001_initial.toml");
}
