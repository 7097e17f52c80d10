use std::path::Path;

use serde_json::{Value, json};
use toml::de::{DeTable, DeValue};

use super::error::{Problem, PromptError};
use super::toml_file::TomlFile;
use super::{CompiledPrompt, Message, Prompt, Role};

/// How the names of artifacts end that hold worked examples: those of the prompt `answer` are called `answer_examples`.
const SUFFIX: &str = "_examples";

/// The prompt that an artifact of this name holds examples of; `None` for a prompt of its own.
pub(super) fn prompt_of(name: &str) -> Option<&str> {
    name.strip_suffix(SUFFIX).filter(|prompt| !prompt.is_empty())
}

/// The name of the artifact that holds the examples of this prompt.
pub(super) fn examples_of(prompt: &str) -> String {
    format!("{prompt}{SUFFIX}")
}

/// The schemas of inputs and output of examples, which have neither: they are the same for every question, and what they
/// answer is checked with the prompt that they go with.
pub(super) fn schemas() -> (Value, Value) {
    (json!({"type": "object", "properties": {}, "additionalProperties": false}), json!({}))
}

/// Examples are pairs: what a user says, and what the model should have answered.
pub(super) fn check_pairs(file: &mut TomlFile<'_>, table: &DeTable<'_>, messages: &[Message]) {
    let Some(DeValue::Array(items)) = table.get("messages").map(toml::Spanned::get_ref) else { return };
    if items.len() != messages.len() {
        // What is wrong with one of them is reported already.
        return;
    }
    let hint = || Some("write each example as two [[messages]]: first the user's, then the assistant's".to_owned());
    let roles = [(Role::User, "user"), (Role::Assistant, "assistant")];
    for (index, ((item, message), (role, name))) in
        items.iter().zip(messages).zip(roles.into_iter().cycle()).enumerate()
    {
        if message.role != role {
            file.problem(item.span(), Some(&format!("messages[{index}].role")), format!("must be {name}"), hint());
            return;
        }
    }
    if let (Some(last), 1) = (items.last(), items.len() % 2) {
        file.problem(last.span(), Some("messages"), "the last example has no answer".to_owned(), hint());
    }
}

impl CompiledPrompt {
    /// The same prompt with `examples`, an artifact read from `path`.
    ///
    /// # Errors
    /// [`PromptError::Invalid`] lists what does not fit: another task, answers that break the prompt's output schema.
    pub(super) fn with_examples(mut self, examples: &Prompt, path: &Path) -> Result<Self, PromptError> {
        let messages = examples.compile()?.render(&json!({}))?;
        let mut problems = Vec::new();
        let mut misfit = |field: String, message: String, hint: &str| {
            problems.push(Problem { field: Some(field), ..Problem::about(path, message, hint) });
        };
        let label = self.prompt().label();
        if examples.task != self.task() {
            misfit("task".to_owned(), format!("must be `{}`, as in {label}", self.task()), "");
        }
        let schema = self.output_schema();
        for (index, message) in messages.iter().enumerate().filter(|(_, message)| message.role == Role::Assistant) {
            if let Err(problem) = schema.check(&message.content) {
                let message = format!("breaks the output schema of {label}: {problem}");
                let hint = "write it as the model should: a model that is shown a broken answer gives broken answers";
                misfit(format!("messages[{index}].content"), message, hint);
            }
        }
        if problems.is_empty() {
            self.examples = messages;
            Ok(self)
        } else {
            Err(PromptError::Invalid { problems })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::prompts::{Library, Release, read_migrations};

    const PROMPT: &str = r#"description = "d"
task = "answer"
[inputs]
properties.question.type = "string"
[output]
type = "object"
required = ["answer"]
[[messages]]
role = "system"
content = "Be brief."
[[messages]]
role = "user"
content = "Q: {{ question }}"
"#;
    const EXAMPLES: &str = r#"description = "d"
task = "answer"
[[messages]]
role = "user"
content = "Q: One?"
[[messages]]
role = "assistant"
content = '{"answer": "1"}'
"#;

    /// A project with these examples, and migrations that set these versions of them.
    fn library(examples: &str, versions: &[u32]) -> (tempfile::TempDir, Library) {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("answer/v1.toml", PROMPT);
        write("answer_examples/v1.toml", examples);
        for (number, version) in (1..).zip(versions) {
            let text = format!("description = \"d\"\n[set]\n\"prompts.answer_examples\" = {version}\n");
            write(&format!("migrations/{number:04}_x.toml"), &text);
        }
        let library = Library::open(directory.path()).unwrap();
        (directory, library)
    }

    fn release(library: &Library) -> Result<Release, PromptError> {
        Release::fold(&read_migrations(&library.directory().join("migrations")).unwrap(), library)
    }

    /// What `prompts check` says, each problem in its first line, without the directory.
    fn checked(examples: &str, versions: &[u32]) -> Vec<String> {
        let (directory, library) = library(examples, versions);
        let root = format!("{}/answer_examples/", directory.path().display());
        let problems = library.check().unwrap();
        problems.iter().map(|p| p.to_string().replace(&root, "").lines().next().unwrap().to_owned()).collect()
    }

    #[test]
    fn examples_stand_between_instructions_and_question_once_a_migration_says_so() {
        let inputs = json!({"question": "Two?"});
        let texts = |versions: &[u32]| {
            let (_directory, library) = library(EXAMPLES, versions);
            let prompt = release(&library).unwrap().compile("answer", &library).unwrap();
            let messages = prompt.render(&inputs).unwrap();
            messages.into_iter().map(|message| message.content).collect::<Vec<_>>()
        };
        assert_eq!(texts(&[1]), ["Be brief.", "Q: One?", "{\"answer\": \"1\"}", "Q: Two?"]);
        assert_eq!(texts(&[]), ["Be brief.", "Q: Two?"]);
        assert_eq!(texts(&[1, 0]), texts(&[]));
    }

    #[test]
    fn the_release_hash_depends_on_the_examples_in_use_and_on_no_others() {
        let hash = |examples: &str, versions: &[u32]| release(&library(examples, versions).1).unwrap().hash;
        let other = EXAMPLES.replace("\"1\"", "\"2\"");
        assert_ne!(hash(EXAMPLES, &[1]), hash(EXAMPLES, &[]));
        assert_ne!(hash(EXAMPLES, &[1]), hash(&other, &[1]));
        assert_eq!(hash(EXAMPLES, &[1, 0]), hash(&other, &[]));
    }

    #[test]
    fn an_example_that_breaks_the_output_schema_is_refused_whether_in_use_or_not() {
        let broken = EXAMPLES.replace("\"answer\":", "\"anser\":");
        for versions in [&[][..], &[1]] {
            let expected = "v1.toml: messages[1].content: breaks the output schema of answer@v1: \"answer\" is a required property";
            assert_eq!(checked(&broken, versions), [expected]);
        }
        assert!(release(&library(&broken, &[1]).1).is_err());
        let prose = EXAMPLES.replace("'{\"answer\": \"1\"}'", "\"One.\"");
        assert!(checked(&prose, &[1])[0].contains("breaks the output schema of answer@v1: not JSON"));
        assert_eq!(checked(EXAMPLES, &[1]), [""; 0]);
    }

    #[test]
    fn another_task_is_refused() {
        let other = EXAMPLES.replace("task = \"answer\"", "task = \"judge\"");
        assert_eq!(checked(&other, &[]), ["v1.toml: task: must be `answer`, as in answer@v1"]);
    }

    #[test]
    fn examples_are_pairs_without_variables() {
        let (pair, _) = EXAMPLES.split_once("[[messages]]").unwrap();
        let halved = EXAMPLES.rsplit_once("[[messages]]").unwrap().0;
        assert_eq!(checked(halved, &[]), ["v1.toml:3:1: messages: the last example has no answer"]);
        let turned = format!("{pair}[[messages]]\nrole = \"assistant\"\ncontent = \"x\"\n{}", &EXAMPLES[pair.len()..]);
        assert_eq!(checked(&turned, &[])[0], "v1.toml:3:1: messages[0].role: must be user");
        let variable = EXAMPLES.replace("One?", "{{ question }}");
        let expected = "v1.toml:5:11: messages[0].content: template: `question` is not among the inputs";
        assert_eq!(checked(&variable, &[]), [expected]);
        let typed = format!("{EXAMPLES}[output]\ntype = \"object\"\n");
        assert_eq!(checked(&typed, &[]), ["v1.toml:9:2: output: unknown key `output`"]);
    }

    #[test]
    fn only_examples_can_have_version_0_and_only_a_prompt_can_have_examples() {
        assert_eq!(["answer_examples", "answer", "_examples"].map(prompt_of), [Some("answer"), None, None]);
        let (_directory, library) = library(EXAMPLES, &[]);
        let write = |set: &str| {
            let text = format!("description = \"d\"\n[set]\n{set}\n");
            fs::create_dir_all(library.directory().join("migrations")).unwrap();
            fs::write(library.directory().join("migrations/0001_x.toml"), text).unwrap();
            release(&library).unwrap_err().to_string()
        };
        assert!(write("\"prompts.answer\" = 0").contains("must be a version number of at least 1"));
        assert!(write("\"prompts.answr_examples\" = 1").contains("there is no prompt `answr_examples`"));
    }
}
