use std::collections::HashSet;

use serde_json::Value;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};
use unicode_normalization::UnicodeNormalization;

use super::{ChatMessage, Tool};

/// What a vendor's framing adds to the texts of a prompt, in tokens.
struct Framing {
    /// To every request: the chat template's own system prompt, and the start of the answer.
    request: u64,
    /// To every message and every tool call in it: who speaks, and where it ends.
    message: u64,
    /// To a request with tools or an output schema: the instructions that explain them.
    tools: u64,
    /// To every tool.
    tool: u64,
    /// Times the JSON of tools, schemas and arguments, which vendors write out in other ways.
    json_factor: u64,
}

/// OpenAI's cookbook ("How to count tokens with tiktoken", sections 6 and 7) counts 4 tokens a message, 3 for the answer,
/// and about 20 a tool beside its texts. Doubled, since models differ.
const OPENAI: Framing = Framing { request: 16, message: 8, tools: 64, tool: 32, json_factor: 2 };

/// More than is known of any vendor. Chat templates of open-weight models bring system prompts of some hundred tokens;
/// Anthropic's instructions for tools have 159 to 530 ("Tool use: pricing and tokens"). JSON that is indented, or whose
/// letters are escaped (`\u00e9` for the two bytes of é), grows up to threefold.
const ANY: Framing = Framing { request: 512, message: 32, tools: 1024, tool: 64, json_factor: 3 };

impl Framing {
    /// The tokens of a prompt whose texts are weighed by `tokens`.
    fn count(
        &self,
        messages: &[ChatMessage],
        tools: &[Tool],
        output_schema: Option<&Value>,
        tokens: impl Fn(&str) -> u64,
    ) -> u64 {
        let json = |text: &str| tokens(text).saturating_mul(self.json_factor);
        let message = |message: &ChatMessage| {
            let calls = message.tool_calls.iter();
            let calls = calls.map(|call| self.message + tokens(&call.id) + tokens(&call.name) + json(&call.arguments));
            let answers = message.tool_call_id.as_deref().map_or(0, &tokens);
            self.message + tokens(&message.content) + answers + calls.sum::<u64>()
        };
        let tool = |tool: &Tool| {
            self.tool + tokens(&tool.name) + tokens(&tool.description) + json(&tool.parameters.to_string())
        };
        let explained = if tools.is_empty() && output_schema.is_none() { 0 } else { self.tools };
        let schema = output_schema.map_or(0, |schema| self.tool + json(&schema.to_string()));
        let parts = messages.iter().map(message).chain(tools.iter().map(tool));
        parts.chain([self.request, explained, schema]).fold(0, u64::saturating_add)
    }
}

/// A number of tokens that the prompt does not exceed at any vendor, from its bytes alone: of English text, about four
/// times the real number.
///
/// Every token stands for at least one byte of the text: byte-level BPE (Radford et al. 2019) and SentencePiece with byte
/// fallback (Kudo & Richardson 2018) both end at single bytes. Some tokenizers bring the text into Unicode's form NFKC
/// first, which can make it longer; so the longer of the two forms counts. Images and sounds are not counted: messages
/// are text.
pub fn quick_token_bound(messages: &[ChatMessage], tools: &[Tool], output_schema: Option<&Value>) -> u64 {
    ANY.count(messages, tools, output_schema, byte_bound)
}

/// A number of tokens that the prompt does not exceed: a count by the vendor's tokenizer where it is published (OpenAI's
/// models up to GPT-5.x), else [`quick_token_bound`].
///
/// `vendor` is who runs the model, as a price book names it. The first count with an encoding loads it (some 0.25 s and
/// 45 MB), and a count takes some 0.07 ms per kilobyte: ask it only where the quick bound does not fit.
pub fn input_token_bound(
    model: &str,
    vendor: Option<&str>,
    messages: &[ChatMessage],
    tools: &[Tool],
    output_schema: Option<&Value>,
) -> u64 {
    let quick = quick_token_bound(messages, tools, output_schema);
    let counted = encoding(model, vendor)
        .map(|encoding| OPENAI.count(messages, tools, output_schema, |text| counted(encoding, text)));
    counted.map_or(quick, |counted| counted.min(quick))
}

/// A number of tokens that these texts together do not exceed when vectors are made of them, at any vendor.
pub fn embedding_token_bound<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    // A start, an end and a space in front.
    texts.into_iter().map(|text| byte_bound(text).saturating_add(3)).fold(0, u64::saturating_add)
}

/// Whether [`input_token_bound`] counts by this model's own tokenizer.
pub fn has_published_tokenizer(model: &str, vendor: Option<&str>) -> bool {
    vendor == Some("openai") && matches!(get_tokenizer(model), Some(Tokenizer::O200kBase | Tokenizer::Cl100kBase))
}

/// How many tokens a text that a model wrote has: at least, and about so many, rather too high than too low. Both are
/// the same where the vendor's tokenizer is published.
///
/// Elsewhere the first reckons with six characters a token, which is more than prose has in any tokenizer that is known,
/// and the second with two bytes.
pub fn answer_tokens(model: &str, vendor: Option<&str>, text: &str) -> (u64, u64) {
    if let Some(encoding) = encoding(model, vendor) {
        let tokens = counted(encoding, text);
        return (tokens, tokens);
    }
    ((text.chars().count() / 6) as u64, text.len().div_ceil(2) as u64)
}

/// The model's encoding where OpenAI has published it and its own service runs the model: elsewhere, also at Azure,
/// another model may go by the name.
fn encoding(model: &str, vendor: Option<&str>) -> Option<&'static CoreBPE> {
    if vendor != Some("openai") {
        return None;
    }
    match get_tokenizer(model)? {
        Tokenizer::O200kBase => Some(tiktoken_rs::o200k_base_singleton()),
        Tokenizer::Cl100kBase => Some(tiktoken_rs::cl100k_base_singleton()),
        _ => None,
    }
}

/// The tokens of a text; its bytes where the tokenizer gives up, as it does on a million spaces.
fn counted(encoding: &CoreBPE, text: &str) -> u64 {
    encoding.count(text, &HashSet::new()).map_or_else(|_| text.len() as u64, |tokens| tokens as u64)
}

/// Bytes of the longer of the text and its NFKC form, or a little more: each character counts as the longer of itself and
/// its full decomposition, since recomposing never lengthens it. Normalizing whole prompts would take longer than calls do.
fn byte_bound(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    let bytes = |character: char| {
        let own = character.len_utf8();
        if own == 1 { own } else { own.max(std::iter::once(character).nfkd().map(char::len_utf8).sum()) }
    };
    text.chars().map(bytes).sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Role, ToolCall};
    use super::*;

    fn message(role: Role, content: &str) -> ChatMessage {
        ChatMessage::new(role, content)
    }

    fn bound(model: &str, messages: &[ChatMessage], tools: &[Tool]) -> u64 {
        input_token_bound(model, Some("openai"), messages, tools, None)
    }

    #[test]
    fn texts_are_counted_as_openai_publishes() {
        // OpenAI cookbook, "How to count tokens with tiktoken", section 5.
        let counts = [("antidisestablishmentarianism", 6, 6), ("2 + 2 = 4", 7, 7), ("お誕生日おめでとう", 9, 8)];
        for (text, cl100k, o200k) in counts {
            let count = |model| counted(encoding(model, Some("openai")).unwrap(), text);
            assert_eq!((count("gpt-4"), count("gpt-4o")), (cl100k, o200k), "{text}");
        }
    }

    #[test]
    fn the_bound_covers_openais_own_count_of_a_conversation() {
        // The same, section 6: 129 tokens (gpt-4) and 124 (gpt-4o), by the API itself. The example's messages have names.
        let conversation = [
            "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
            "New synergies will help drive top-line growth.",
            "Things working well together will increase revenue.",
            "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
            "Let's talk later when we're less busy about how to do better.",
            "This late pivot means we don't have time to boil the ocean for the client deliverable.",
        ]
        .map(|content| message(Role::System, content));
        assert!((129..165).contains(&bound("gpt-4", &conversation, &[])));
        assert!((124..160).contains(&bound("gpt-4o", &conversation, &[])));
    }

    #[test]
    fn the_bound_covers_openais_own_count_of_tools() {
        // The same, section 7: 105 tokens (gpt-4) and 101 (gpt-4o), by the API itself.
        let tool = Tool {
            name: "get_current_weather".to_owned(),
            description: "Get the current weather in a given location".to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                    "unit": {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["location"],
            }),
        };
        let conversation = [
            message(Role::System, "You are a helpful assistant that can answer to questions about the weather."),
            message(Role::User, "What's the weather like in San Francisco?"),
        ];
        let tools = [tool];
        assert!((105..350).contains(&bound("gpt-4", &conversation, &tools)));
        assert!((101..350).contains(&bound("gpt-4o", &conversation, &tools)));
        // Anthropic adds up to 530 tokens of instructions for them.
        let bytes: usize = conversation.iter().map(|message| message.content.len()).sum();
        assert!(quick_token_bound(&conversation, &tools, None) > bytes as u64 + 530);
    }

    #[test]
    fn only_openais_published_tokenizers_count_and_all_else_is_bytes() {
        let messages = [message(Role::User, &"word ".repeat(1_000))];
        let quick = quick_token_bound(&messages, &[], None);
        let of = |model, vendor| input_token_bound(model, vendor, &messages, &[], None);
        assert!((1_000..1_100).contains(&of("gpt-4o-mini", Some("openai"))));
        assert!((1_000..1_100).contains(&of("gpt-5.4", Some("openai"))));
        for (model, vendor) in [
            ("gpt-4o", None),
            ("gpt-4o", Some("azure")),
            ("gpt-6-sol", Some("openai")),
            ("gpt-oss-120b", Some("openai")),
            ("claude-opus-5", Some("anthropic")),
            ("extractive-small", Some("offline")),
        ] {
            assert_eq!(of(model, vendor), quick, "{model}");
            assert!(encoding(model, vendor).is_none());
        }
        assert!(encoding("gpt-4.1-mini", Some("openai")).is_some());
    }

    #[test]
    fn calls_results_and_schemas_count_too() {
        let plain = [message(Role::Assistant, "a")];
        let mut call = plain.clone();
        call[0].tool_calls =
            vec![ToolCall { id: "call_1".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() }];
        let mut result = plain.clone();
        result[0].tool_call_id = Some("call_1".to_owned());
        let quick = |messages: &[ChatMessage], schema: Option<&Value>| quick_token_bound(messages, &[], schema);
        assert_eq!(quick(&plain, None), 512 + 32 + 1);
        assert_eq!(quick(&call, None), quick(&plain, None) + 32 + 6 + 1 + 3 * 2);
        assert_eq!(quick(&result, None), quick(&plain, None) + 6);
        assert_eq!(quick(&plain, Some(&json!({}))), quick(&plain, None) + 1024 + 64 + 3 * 2);
        assert!(bound("gpt-4o", &call, &[]) > bound("gpt-4o", &plain, &[]));
        // The é counts as its letter and its accent.
        assert_eq!(embedding_token_bound(["a", "née"]), 1 + 3 + 5 + 3);
        // NFKC writes U+FDFA as 18 letters.
        assert_eq!(embedding_token_bound(["\u{FDFA}"]), 33 + 3);
    }

    #[test]
    fn a_text_on_which_the_tokenizer_gives_up_is_bounded_by_its_bytes() {
        let spaces = format!("{}x", " ".repeat(2_000_000));
        let tokenizer = encoding("gpt-4o", Some("openai")).unwrap();
        assert_eq!(counted(tokenizer, &spaces), 2_000_001);
    }

    proptest! {
        #[test]
        fn no_text_has_more_tokens_than_its_bound(text in ".{0,200}|\\PC{0,100}|[ \\n\\t<|>a-zäß漢字🙂\u{301}\u{FDFA}]{0,200}|(<\\|endoftext\\|>){0,3}") {
            for model in ["gpt-4", "gpt-4o"] {
                let encoding = encoding(model, Some("openai")).unwrap();
                let exact = encoding.encode_ordinary(&text).len() as u64;
                prop_assert!(exact <= byte_bound(&text));
                prop_assert!(encoding.encode_with_special_tokens(&text).len() as u64 <= byte_bound(&text));
                let messages = [message(Role::User, &text)];
                prop_assert!(bound(model, &messages, &[]) >= exact + 7);
                prop_assert!(quick_token_bound(&messages, &[], None) >= bound(model, &messages, &[]));
            }
        }
    }
}
