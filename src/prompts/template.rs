use std::collections::BTreeSet;
use std::sync::Arc;

use jsonschema::Validator;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

use super::error::PromptError;
use super::{Message, Params, Prompt, Role, fence};
use crate::providers::{OutputSchema, schema_validator, violations};

/// A prompt that is ready to be rendered many times: its schemas and templates are compiled.
#[derive(Debug)]
pub struct CompiledPrompt {
    prompt: Prompt,
    environment: Environment<'static>,
    templates: Vec<String>,
    inputs: Validator,
    output: Arc<OutputSchema>,
    /// What goes between its instructions and its question, the same for all renderings.
    pub(super) examples: Vec<Message>,
}

/// A template that cannot be parsed.
#[derive(Debug)]
pub(super) struct TemplateError {
    /// The line of the template, from 1.
    pub(super) line: usize,
    pub(super) reason: String,
}

impl TemplateError {
    fn from(error: &minijinja::Error) -> Self {
        let detail =
            error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
        Self { line: error.line().unwrap_or(1), reason: detail }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Whatever a template prints is data from outside unless it was marked safe: it is fenced without being asked to.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("fenced".into()));
    environment.set_formatter(|out, _, value| {
        if value.is_safe() {
            return Ok(write!(out, "{value}")?);
        }
        match value.as_str() {
            Some(text) => Ok(out.write_str(&fence::fenced(text))?),
            None => Ok(out.write_str(&fence::fenced(&value.to_string()))?),
        }
    });
    environment.set_debug(false);
    let safe = minijinja::Value::from_safe_string;
    environment.add_filter("fenced", move |text: &str| safe(fence::fenced(text).into_owned()));
    environment.add_filter("attribute", move |text: &str| safe(fence::attribute(text)));
    environment
}

/// The variables that a template takes from outside.
pub(super) fn variables(source: &str) -> Result<BTreeSet<String>, TemplateError> {
    let environment = environment();
    let template = environment.template_from_str(source).map_err(|error| TemplateError::from(&error))?;
    let globals: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
    let undeclared = template.undeclared_variables(false);
    Ok(undeclared.into_iter().filter(|name| !globals.contains(name.as_str())).collect())
}

impl Prompt {
    /// Compiles schemas and templates, once for all renderings.
    ///
    /// # Errors
    /// None for a prompt that was loaded from a file; otherwise what [`Prompt::load`] would say.
    pub fn compile(&self) -> Result<CompiledPrompt, PromptError> {
        let failed = |message, error: TemplateError| PromptError::Render {
            prompt: self.label(),
            message,
            line: error.line,
            reason: error.reason,
        };
        let not_a_schema =
            |reason| failed(0, TemplateError { line: 0, reason: format!("not a JSON Schema: {reason}") });
        let inputs = schema_validator(&self.inputs).map_err(not_a_schema)?;
        let output = Arc::new(OutputSchema::new(self.output.clone()).map_err(not_a_schema)?);
        let mut environment = environment();
        let mut templates = Vec::new();
        for (index, message) in self.messages.iter().enumerate() {
            let name = format!("message {}", index + 1);
            environment
                .add_template_owned(name.clone(), message.content.clone())
                .map_err(|error| failed(index + 1, TemplateError::from(&error)))?;
            templates.push(name);
        }
        Ok(CompiledPrompt { prompt: self.clone(), environment, templates, inputs, output, examples: Vec::new() })
    }
}

impl CompiledPrompt {
    /// The artifact it was compiled from.
    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// The prompt's name.
    pub fn name(&self) -> &str {
        &self.prompt.name
    }

    /// The prompt's version.
    pub fn version(&self) -> u32 {
        self.prompt.version
    }

    /// Which kind of call it is made for.
    pub fn task(&self) -> &str {
        &self.prompt.task
    }

    /// How the model is called.
    pub fn params(&self) -> &Params {
        &self.prompt.params
    }

    /// What the model's answer must satisfy.
    pub fn output_schema(&self) -> Arc<OutputSchema> {
        Arc::clone(&self.output)
    }

    /// The worked examples that it is shown with, pairs of what a user says and what the model should answer.
    pub fn examples(&self) -> &[Message] {
        &self.examples
    }

    /// The messages for these inputs, an object with a value for every variable. Examples follow the system messages
    /// that it begins with.
    ///
    /// # Errors
    /// [`PromptError::Inputs`] names what is missing or wrong; [`PromptError::Render`] when a template uses what the
    /// inputs do not have.
    pub fn render(&self, inputs: &Value) -> Result<Vec<Message>, PromptError> {
        if !self.inputs.is_valid(inputs) {
            let problems = violations(&self.inputs, inputs);
            return Err(PromptError::Inputs { prompt: self.prompt.label(), problems });
        }
        let variables = minijinja::Value::from(Serde(inputs));
        let mut messages = Vec::with_capacity(self.templates.len());
        for (index, (name, message)) in self.templates.iter().zip(&self.prompt.messages).enumerate() {
            let rendered = self.environment.get_template(name).and_then(|template| template.render(variables.clone()));
            let content = rendered.map_err(|error| {
                let TemplateError { line, reason } = TemplateError::from(&error);
                PromptError::Render { prompt: self.prompt.label(), message: index + 1, line, reason }
            })?;
            messages.push(Message { role: message.role, content });
        }
        let instructions = messages.iter().take_while(|message| message.role == Role::System).count();
        messages.splice(instructions..instructions, self.examples.iter().cloned());
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::ContentHash;
    use crate::prompts::Role;

    fn compiled(template: &str) -> CompiledPrompt {
        let prompt = Prompt {
            name: "answer".to_owned(),
            version: 1,
            description: "d".to_owned(),
            task: "answer".to_owned(),
            inputs: json!({"type": "object", "required": ["question"], "properties": {"question": {"type": "string"}, "more": {}}}),
            output: json!({"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}, "n": {"maximum": 1}}}),
            params: Params::default(),
            messages: vec![Message { role: Role::User, content: template.to_owned() }],
            hash: ContentHash::of(b""),
        };
        prompt.compile().unwrap()
    }

    #[test]
    fn inputs_are_checked_before_rendering() {
        let prompt = compiled("Q: {{ question | fenced }}");
        assert_eq!(prompt.render(&json!({"question": "</question>"})).unwrap()[0].content, "Q: &lt;/question>");
        let error = prompt.render(&json!({})).unwrap_err().to_string();
        assert_eq!(error, "the inputs do not fit prompt `answer@v1`: \"question\" is a required property");
        let error = prompt.render(&json!({"question": 1})).unwrap_err().to_string();
        assert!(error.contains("/question: 1 is not of type \"string\""), "{error}");
    }

    #[test]
    fn what_is_not_there_is_an_error_and_not_an_empty_text() {
        let error = compiled("a\n{{ more.gone.x }}").render(&json!({"question": "q", "more": {}})).unwrap_err();
        assert!(matches!(error, PromptError::Render { message: 1, line: 2, .. }), "{error}");
    }

    #[test]
    fn variables_are_those_from_outside() {
        let template =
            "{% for p in passages %}{{ p.id }}{{ loop.index }}{% endfor %}{{ range(3) }}{% set x = 1 %}{{ x }}{{ q }}";
        assert_eq!(variables(template).unwrap(), BTreeSet::from(["passages".to_owned(), "q".to_owned()]));
        assert_eq!(variables("a\n{% if %}").unwrap_err().line, 2);
    }
}
