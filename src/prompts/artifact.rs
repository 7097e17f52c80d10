use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::error::{Problem, PromptError};
use super::toml_file::{TomlFile, decode, read_bytes, to_json, to_json_map};
use super::{examples, template};
use crate::domain::{ContentHash, nearest};
use crate::providers::schema_validator;

/// One version of a prompt: an immutable file `prompts/<name>/v<N>.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Prompt {
    /// The directory it is in.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
    /// What it is for, in a sentence.
    pub description: String,
    /// Which kind of call it is made for; models are chosen and calls counted by it.
    pub task: String,
    /// JSON Schema of the variables that the templates may use: none in examples.
    pub inputs: Value,
    /// JSON Schema that the model's answer must satisfy; of examples, the prompt that they go with has it.
    pub output: Value,
    /// How the model is called.
    pub params: Params,
    /// The messages, as templates.
    pub messages: Vec<Message>,
    /// SHA-256 of the file.
    pub hash: ContentHash,
}

/// How a model is called.
#[derive(Debug, Clone, PartialEq, Default, Serialize, schemars::JsonSchema)]
pub struct Params {
    /// Sampling temperature, 0..=2; the vendor's default when `None`.
    pub temperature: Option<f64>,
    /// Most tokens of the answer; the release's limit when `None`.
    pub max_output_tokens: Option<u64>,
    /// Texts at which the model stops.
    pub stop: Vec<String>,
    /// Makes sampling repeatable; the question's seed when `None`.
    pub seed: Option<u64>,
    /// Parameters that one provider alone knows, by its name: the tables `[params.NAME]`.
    pub extensions: Map<String, Value>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The customer.
    User,
    /// The model.
    Assistant,
}

/// One message; its content is a template in an artifact, and plain text once rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Prompt {
    /// Reads `<name>/v<N>.toml` and checks all of it: keys, types, both schemas, the syntax of the templates and the
    /// variables they use.
    ///
    /// # Errors
    /// [`PromptError::Invalid`] lists everything that is wrong, each with its line.
    pub fn load(path: &Path) -> Result<Self, PromptError> {
        let (name, version) = name_and_version(path).ok_or_else(|| PromptError::Invalid {
            problems: vec![Problem::about(
                path,
                "not the name of a prompt's version",
                "call it prompts/<name>/v<N>.toml",
            )],
        })?;
        let bytes = read_bytes(path)?;
        let mut file = TomlFile::new(path, decode(path, &bytes)?);
        let table = file.parse();
        let prompt = table.map(|table| Self::read(&mut file, table.get_ref(), name, version, ContentHash::of(&bytes)));
        match prompt {
            Some(prompt) if file.problems.is_empty() => Ok(prompt),
            _ => {
                file.problems.sort_by_key(|problem| (problem.line, problem.column));
                Err(PromptError::Invalid { problems: file.problems })
            }
        }
    }

    fn read(file: &mut TomlFile<'_>, table: &DeTable<'_>, name: String, version: u32, hash: ContentHash) -> Self {
        let is_examples = examples::prompt_of(&name).is_some();
        let known = ["description", "task", "messages", "inputs", "output", "params"];
        file.unknown_keys(table, "", if is_examples { &known[..3] } else { &known });
        let description = file.required_text(table, "description");
        let task = file.required_text(table, "task");
        let (inputs, output, params) = if is_examples {
            let (inputs, output) = examples::schemas();
            (inputs, output, Params::default())
        } else {
            (schema(file, table, "inputs"), schema(file, table, "output"), params(file, table))
        };
        let messages = messages(file, table, &inputs, is_examples);
        if is_examples {
            examples::check_pairs(file, table, &messages);
        }
        Self { name, version, description, task, inputs, output, params, messages, hash }
    }

    /// Its name and version as people write them: `answer@v1`.
    pub fn label(&self) -> String {
        format!("{}@v{}", self.name, self.version)
    }

    /// Example inputs, made from the schema of its inputs.
    pub fn sample_inputs(&self) -> Value {
        super::sample::sample(&self.inputs)
    }
}

/// What the path `…/<name>/v<N>.toml` says.
fn name_and_version(path: &Path) -> Option<(String, u32)> {
    let name = path.parent()?.file_name()?.to_str()?.to_owned();
    Some((name, version_of_file(path.file_name()?.to_str()?)?))
}

/// The version that the file name `v<N>.toml` says, from 1, without leading zeros.
pub(super) fn version_of_file(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('v')?.strip_suffix(".toml")?;
    let plain = !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| plain)
}

fn schema(file: &mut TomlFile<'_>, table: &DeTable<'_>, key: &str) -> Value {
    let Some(value) = table.get(key) else {
        let hint = format!("describe the {key} with a JSON Schema in a table [{key}]");
        file.problem(0..0, Some(key), "is missing".to_owned(), Some(hint));
        return Value::Bool(true);
    };
    let schema = to_json(value.get_ref());
    if !schema.is_object() {
        file.problem(value.span(), Some(key), "must be a table: a JSON Schema".to_owned(), None);
    } else if let Err(error) = schema_validator(&schema) {
        file.problem(value.span(), Some(key), format!("not a JSON Schema: {error}"), None);
    } else if schema.get("type").is_some_and(|kind| kind != "object") {
        file.problem(value.span(), Some(key), "must describe an object: type = \"object\"".to_owned(), None);
    }
    schema
}

const EXTRACTIVE: &str = "extractive";

fn params(file: &mut TomlFile<'_>, table: &DeTable<'_>) -> Params {
    let mut params = Params::default();
    let Some(value) = table.get("params") else { return params };
    let DeValue::Table(table) = value.get_ref() else {
        file.problem(value.span(), Some("params"), "must be a table".to_owned(), None);
        return params;
    };
    let known = ["temperature", "max_output_tokens", "stop", "seed"];
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if let DeValue::Table(extension) = value.get_ref() {
            if name == EXTRACTIVE {
                check_extractive(file, extension);
            }
            params.extensions.insert(name.to_owned(), Value::Object(to_json_map(extension)));
        } else if !known.contains(&name) {
            let hint = nearest(name, known).map_or_else(
                || "what only one provider knows goes into a table of its own: [params.NAME]".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            file.problem(key.span(), Some(&format!("params.{name}")), format!("unknown key `{name}`"), Some(hint));
        }
    }
    let temperature = |value: &Value| value.as_f64().filter(|temperature| (0.0..=2.0).contains(temperature));
    params.temperature = file.optional(table, "params.", "temperature", "a number between 0 and 2", temperature);
    let at_least_one = |value: &Value| value.as_u64().filter(|number| *number > 0);
    params.max_output_tokens =
        file.optional(table, "params.", "max_output_tokens", "a whole number of at least 1", at_least_one);
    params.seed = file.optional(table, "params.", "seed", "a whole number of at least 0", Value::as_u64);
    params.stop = file
        .optional(table, "params.", "stop", "a list of texts", |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
        .unwrap_or_default();
    params
}

/// The parameters of the built-in provider, so that a misspelt one is found before it is called.
fn check_extractive(file: &mut TomlFile<'_>, table: &DeTable<'_>) {
    let prefix = "params.extractive.";
    file.unknown_keys(table, prefix, &["max_sentences", "passages", "must_cite"]);
    for key in ["max_sentences", "passages"] {
        let at_least_one = |value: &Value| value.as_u64().filter(|number| *number > 0);
        file.optional(table, prefix, key, "a whole number of at least 1", at_least_one);
    }
    file.optional(table, prefix, "must_cite", "true or false", Value::as_bool);
}

fn messages(file: &mut TomlFile<'_>, table: &DeTable<'_>, inputs: &Value, is_examples: bool) -> Vec<Message> {
    let Some(value) = table.get("messages") else {
        let hint = Some("write at least one table [[messages]] with role and content".to_owned());
        file.problem(0..0, Some("messages"), "is missing".to_owned(), hint);
        return Vec::new();
    };
    let DeValue::Array(items) = value.get_ref() else {
        file.problem(value.span(), Some("messages"), "must be a list of tables: [[messages]]".to_owned(), None);
        return Vec::new();
    };
    let mut messages = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let prefix = format!("messages[{index}].");
        let DeValue::Table(table) = item.get_ref() else {
            file.problem(item.span(), Some("messages"), "must be a table with role and content".to_owned(), None);
            continue;
        };
        file.unknown_keys(table, &prefix, &["role", "content"]);
        for key in ["role", "content"] {
            if !table.contains_key(key) {
                file.problem(item.span(), Some(&format!("{prefix}{key}")), "is missing".to_owned(), None);
            }
        }
        let role =
            file.optional(table, &prefix, "role", "system, user or assistant", |value| Role::deserialize(value).ok());
        let content = file.optional(table, &prefix, "content", "a text", |value| value.as_str().map(str::to_owned));
        if let (Some(content), Some(value)) = (&content, table.get("content")) {
            check_template(file, content, value.span(), &format!("{prefix}content"), inputs, is_examples);
        }
        messages.extend(role.zip(content).map(|(role, content)| Message { role, content }));
    }
    if messages.len() == items.len() && messages.iter().all(|message| message.role != Role::User) {
        file.problem(value.span(), Some("messages"), "none of them has the role user".to_owned(), None);
    }
    messages
}

fn check_template(
    file: &mut TomlFile<'_>,
    content: &str,
    span: std::ops::Range<usize>,
    field: &str,
    inputs: &Value,
    is_examples: bool,
) {
    match template::variables(content) {
        Err(error) => {
            let line = line_in_file(file, content, span.clone(), error.line);
            file.problem(span, Some(field), format!("template: {}", error.reason), None);
            if let (Some(line), Some(problem)) = (line, file.problems.last_mut()) {
                (problem.line, problem.column) = (Some(line), None);
            }
        }
        Ok(used) => {
            let Some(declared) = inputs.get("properties").and_then(Value::as_object) else { return };
            for variable in used.iter().filter(|variable| !declared.contains_key(*variable)) {
                let hint = nearest(variable, declared.keys().map(String::as_str)).map_or_else(
                    || format!("declare it in [inputs.properties.{variable}]"),
                    |near| format!("did you mean `{near}`?"),
                );
                let hint =
                    if is_examples { "examples have no inputs: write out what is said".to_owned() } else { hint };
                let message = format!("template: `{variable}` is not among the inputs");
                file.problem(span.clone(), Some(field), message, Some(hint));
            }
        }
    }
}

/// The line of the file at which a line of a template stands; `None` when the two do not run in step, because the text
/// continues lines with backslashes or writes them as `\n`.
fn line_in_file(file: &TomlFile<'_>, content: &str, span: std::ops::Range<usize>, line: usize) -> Option<usize> {
    let source = file.source(span.clone());
    let quoted = source.strip_prefix("\"\"\"").or_else(|| source.strip_prefix("'''")).unwrap_or(source);
    let leading = usize::from(quoted.starts_with('\n') || quoted.starts_with("\r\n"));
    let in_step = content.matches('\n').count() + leading == source.matches('\n').count();
    in_step.then(|| file.position(span.start).0 + leading + line - 1)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    const GOOD: &str = r#"description = "d"
task = "answer"
[inputs]
type = "object"
required = ["question"]
[inputs.properties.question]
type = "string"
[output]
type = "object"
[params]
temperature = 0
stop = ["END"]
[params.extractive]
max_sentences = 2
[[messages]]
role = "user"
content = """
{{ question }}
"""
"#;

    fn load(text: &str) -> Result<Prompt, Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        let path: PathBuf = directory.path().join("answer/v2.toml");
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let root = format!("{}/answer/", directory.path().display());
        Prompt::load(&path).map_err(|error| {
            let problems = error.into_problems().unwrap();
            problems.iter().map(|problem| problem.to_string().replace(&root, "")).collect()
        })
    }

    #[test]
    fn an_artifact_is_read() {
        let prompt = load(GOOD).unwrap();
        assert_eq!(prompt.label(), "answer@v2");
        assert_eq!(prompt.hash, ContentHash::of(GOOD.as_bytes()));
        assert_eq!(prompt.params.temperature, Some(0.0));
        assert_eq!(prompt.params.stop, ["END"]);
        assert_eq!(prompt.params.extensions["extractive"]["max_sentences"], 2);
        assert_eq!(prompt.messages[0].content, "{{ question }}\n");
    }

    #[test]
    fn every_problem_is_listed_with_its_place() {
        let text = GOOD
            .replace("description = \"d\"", "descripton = \"d\"")
            .replace("temperature = 0", "temprature = 0\nseed = -1")
            .replace("max_sentences = 2", "max_sentences = 0")
            .replace("\"user\"", "\"usr\"");
        assert_eq!(
            load(&text).unwrap_err(),
            [
                "v2.toml:1:1: descripton: unknown key `descripton`\n  hint: did you mean `description`?",
                "v2.toml:1:1: description: is missing",
                "v2.toml:11:1: params.temprature: unknown key `temprature`\n  hint: did you mean `temperature`?",
                "v2.toml:12:8: params.seed: must be a whole number of at least 0",
                "v2.toml:15:17: params.extractive.max_sentences: must be a whole number of at least 1",
                "v2.toml:17:8: messages[0].role: must be system, user or assistant",
            ]
        );
    }

    #[test]
    fn template_errors_name_the_line_of_the_file() {
        let broken = load(&GOOD.replace("{{ question }}", "one\n{% for x in %}")).unwrap_err();
        assert_eq!(broken.len(), 1);
        assert!(broken[0].starts_with("v2.toml:19: messages[0].content: template: "), "{}", broken[0]);
        let undeclared = load(&GOOD.replace("{{ question }}", "{{ qestion }}")).unwrap_err();
        assert_eq!(
            undeclared,
            [
                "v2.toml:17:11: messages[0].content: template: `qestion` is not among the inputs\n  hint: did you mean `question`?"
            ]
        );
    }

    #[test]
    fn schemas_are_checked() {
        let wrong = load(&GOOD.replace("type = \"string\"", "type = \"strin\"")).unwrap_err();
        assert!(wrong[0].starts_with("v2.toml:3:1: inputs: not a JSON Schema"), "{}", wrong[0]);
        let remote = load(&GOOD.replace("type = \"string\"", "\"$ref\" = \"https://example.com/x.json\"")).unwrap_err();
        assert!(remote[0].contains("not a JSON Schema"), "{}", remote[0]);
    }

    #[test]
    fn broken_toml_is_located() {
        let problems = load("description = \"d\"\ntask = \n").unwrap_err();
        assert!(problems[0].starts_with("v2.toml:2:"), "{}", problems[0]);
    }

    #[test]
    fn only_plain_version_numbers_are_versions() {
        let versions = ["v1.toml", "v12.toml", "v0.toml", "v01.toml", "v+1.toml", "1.toml", "v1.toml.bak"];
        assert_eq!(versions.map(version_of_file), [Some(1), Some(12), None, None, None, None, None]);
    }
}
