//! Keys, tokens and passwords.

use std::ops::Range;

use regex::{Captures, Regex};

use super::{PiiKind, compiled};

/// Tokens that their issuer marks with a prefix. Source: the formats that vendors publish for secret scanning.
const TOKENS: &[&str] = &[
    r"sk-[A-Za-z0-9_-]{20,}", // OpenAI (sk-proj-, sk-svcacct-), Anthropic (sk-ant-), others
    r"(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,})", // Google
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?-u:\b)", // AWS
    r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})",
    r"gl(?:pat|dt|ptt|rt|cbt)-[A-Za-z0-9_.-]{20,}",       // GitLab
    r"xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}", // Slack
    r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,}", // Stripe
    r"hf_[A-Za-z0-9]{30,}",                                                   // Hugging Face
    r"tg_[A-Za-z0-9_-]{16,}",                                                 // tollgate
    r"(?:gsk|r8)_[A-Za-z0-9]{30,}|(?:xai|pplx)-[A-Za-z0-9]{30,}",             // Groq, Replicate, xAI, Perplexity
    r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|dop_v1_[a-f0-9]{64}|shp(?:at|ss|pa|ca)_[a-fA-F0-9]{32}",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", // SendGrid
];

const JSON_WEB_TOKEN: &str = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?";

/// Something called a password, key or token, and what it is set to. The value in quotes may hold spaces; the quotes may
/// be escaped, as they are in JSON inside of JSON.
const ASSIGNMENT: &str = r#"(?x)
    (?P<name> (?i: pass(?:word|wd|phrase|code) | pwd | secret | token
                 | (?:api|access|secret|private|account|signing|encryption) [_\ -]? key ) )
    \\{0,3}["'`]? \s{0,3} (?P<sign> :?=>? | : | (?-u:\b)(?i:is|was|lautet|ist|est|es)(?-u:\b) ) \s{0,3}
    (?: \\{0,3}"(?P<double>[^"\\\n]+) | '(?P<single>[^'\n]+) | (?P<bare>[^\s"'`<>,;\\]{4,}) )"#;

const AUTHORIZATION: &str = r#"(?xi)
    (?P<header> authorization ["']? \s{0,3} [:=] \s{0,3} ["']? )?
    (?-u:\b) (?: bearer | basic ) \s{1,3} (?P<token> [A-Za-z0-9._~+/=-]{8,} )"#;

const USER_INFO: &str = r"(?i)[a-z][a-z0-9+.-]{1,30}://[^\s/?#@:<]*:(?P<password>[^\s/@<]+)@";

/// Up to the end of the block, or of the text where it was cut off.
const PEM: &str = r"(?x)
    -----BEGIN\ [A-Z0-9\ ]{0,40}PRIVATE\ KEY(?:\ BLOCK)?-----
    [\s\S]*?
    (?: -----END\ [A-Z0-9\ ]{0,40}PRIVATE\ KEY(?:\ BLOCK)?----- | \z )";

/// What stands for a value in examples and code.
const STAND_INS: &[&str] = &[
    "changeme",
    "default",
    "empty",
    "env",
    "example",
    "false",
    "hidden",
    "key",
    "missing",
    "none",
    "null",
    "optional",
    "pass",
    "passwd",
    "password",
    "pwd",
    "redacted",
    "required",
    "secret",
    "str",
    "string",
    "token",
    "true",
    "undefined",
];

pub(super) struct Secrets {
    tokens: Regex,
    json_web_token: Regex,
    assignment: Regex,
    authorization: Regex,
    user_info: Regex,
    pem: Regex,
}

impl Secrets {
    pub(super) fn new() -> Self {
        Self {
            tokens: compiled(&format!(r"(?-u:\b)(?:{})", TOKENS.join("|"))),
            json_web_token: compiled(JSON_WEB_TOKEN),
            assignment: compiled(ASSIGNMENT),
            authorization: compiled(AUTHORIZATION),
            user_info: compiled(USER_INFO),
            pem: compiled(PEM),
        }
    }

    /// Blocks with a private key.
    pub(super) fn blocks(&self, text: &str, found: &mut impl FnMut(PiiKind, Range<usize>)) {
        if text.contains("-----BEGIN") {
            self.pem.find_iter(text).for_each(|block| found(PiiKind::PrivateKey, block.range()));
        }
    }

    /// Long tokens; worth looking for only where there is a long word.
    pub(super) fn tokens(&self, text: &str, found: &mut impl FnMut(PiiKind, Range<usize>)) {
        if text.contains("eyJ") {
            self.json_web_token.find_iter(text).for_each(|token| found(PiiKind::AuthToken, token.range()));
        }
        for token in self.tokens.find_iter(text) {
            let end = token.start() + token.as_str().trim_end_matches(['-', '_', '.']).len();
            if is_random(token.as_str()) {
                found(PiiKind::ApiKey, token.start()..end);
            }
        }
    }

    /// Values that their surroundings call secret: assignments, headers and URLs.
    pub(super) fn named(&self, text: &str, found: &mut impl FnMut(PiiKind, Range<usize>)) {
        if text.contains("://") && text.contains('@') {
            for url in self.user_info.captures_iter(text) {
                if let Some(password) = url.name("password").filter(|value| !is_stand_in(value.as_str())) {
                    found(PiiKind::Password, password.range());
                }
            }
        }
        let schemes = ["earer ", "asic ", "EARER ", "ASIC "];
        let headers =
            schemes.iter().any(|scheme| text.contains(scheme)).then(|| self.authorization.captures_iter(text));
        for header in headers.into_iter().flatten() {
            let announced = header.name("header").is_some();
            let token =
                header.name("token").filter(|token| announced || (token.len() > 15 && is_random(token.as_str())));
            if let Some(token) = token.filter(|token| !is_stand_in(token.as_str())) {
                found(PiiKind::AuthToken, token.range());
            }
        }
        let assignments = may_assign(text).then(|| self.assignment.captures_iter(text));
        for assignment in assignments.into_iter().flatten() {
            if let Some((kind, range)) = assigned(&assignment) {
                found(kind, range);
            }
        }
    }
}

/// Whether a search for assignments can find one: a secret's name stands before a sign, or a word for a password before
/// a space. The search costs ten times as much as this.
fn may_assign(text: &str) -> bool {
    const ENDINGS: [&str; 7] = ["key", "token", "secret", "word", "wd", "phrase", "code"];
    let named = |at: usize| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let end = before.iter().rposition(|byte| !b" \t\\\"'`".contains(byte)).map_or(0, |last| last + 1);
        let name = before.get(..end).unwrap_or_default();
        let ends = |ending: &&str| {
            let last = name.len().checked_sub(ending.len()).and_then(|from| name.get(from..));
            last.is_some_and(|last| last.eq_ignore_ascii_case(ending.as_bytes()))
        };
        ENDINGS.iter().any(ends)
    };
    text.match_indices(['=', ':']).any(|(at, _)| named(at))
        || ["assw", "assc", "assp"].iter().any(|pass| text.contains(pass))
}

/// The value of an assignment, if it is a value: not a word of a sentence, not code, not a place to fill in.
fn assigned(assignment: &Captures<'_>) -> Option<(PiiKind, Range<usize>)> {
    let name = assignment.name("name")?.as_str().to_ascii_lowercase();
    let sign = assignment.name("sign")?.as_str();
    let quoted = assignment.name("double").or(assignment.name("single"));
    let found = quoted.or(assignment.name("bare"))?;
    let value = match quoted {
        Some(quoted) => quoted.as_str(),
        None => found.as_str().trim_end_matches(['.', ')', ']', '}', '?', '!', ':', '*', '|', '\\']),
    };
    let range = found.start()..found.start() + value.len();
    let code = quoted.is_none() && (value.contains(['(', '[', '{']) || value.contains("::") || value.contains("//"));
    let lookup = ["os.", "self.", "process.", "env.", "settings.", "config.", "args.", "std:"];
    if value.len() < 4
        || code
        || is_stand_in(value)
        || (quoted.is_none() && lookup.iter().any(|head| value.starts_with(head)))
    {
        return None;
    }
    let password = name.starts_with("pass") || name == "pwd";
    let kind = if password { PiiKind::Password } else { PiiKind::ApiKey };
    let sentence = sign.starts_with(|first: char| first.is_ascii_alphabetic());
    let symbols = value.bytes().filter(|byte| b"!@#$%^&*~?".contains(byte) || byte.is_ascii_digit()).count();
    let set = match (password, sign.contains('=')) {
        _ if sentence => value.len() >= 6 && !value.contains(' ') && is_random(value),
        (true, true) => !name.eq_ignore_ascii_case(value),
        (true, false) => !value.contains(' ') && (symbols > 0 && value.len() >= 6),
        (false, _) => {
            let fewest = if name == "token" { 16 } else { 8 };
            value.len() >= fewest && !value.contains(' ') && is_random(value) && !is_code(&name, value)
        }
    };
    set.then_some((kind, range))
}

/// Whether a JSON member of this name holds a secret, so that its whole text goes. A plain `token` does not: answers
/// list the words of a model under that name.
pub(super) fn is_secret_name(name: &str) -> Option<PiiKind> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match plain.as_str() {
        "password" | "passwd" | "pwd" | "passphrase" => Some(PiiKind::Password),
        "apikey" | "xapikey" | "secret" | "secretkey" | "clientsecret" | "accesskey" | "secretaccesskey"
        | "privatekey" => Some(PiiKind::ApiKey),
        "accesstoken" | "authtoken" | "refreshtoken" | "bearertoken" | "authorization" | "cookie" | "setcookie" => {
            Some(PiiKind::AuthToken)
        }
        _ => None,
    }
}

/// Letters and digits both, and more than a repeated filler: what keys have and words have not.
fn is_random(value: &str) -> bool {
    let mut seen = [false; 128];
    value.bytes().for_each(|byte| seen.get_mut(usize::from(byte)).into_iter().for_each(|slot| *slot = true));
    value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && seen.iter().filter(|seen| **seen).count() >= 5
}

/// The name of a variable (`OPENAI_API_KEY_2`, `node.colon2_token`) or a number (`1.6e-06`).
fn is_code(name: &str, value: &str) -> bool {
    let variable = value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let named_alike = value.get(value.len().saturating_sub(name.len())..) == Some(name);
    (variable && value.contains('_')) || named_alike || value.parse::<f64>().is_ok()
}

/// A place to fill in (`$KEY`, `<key>`, `{{key}}`, `***`), or one of the words used as one.
pub(super) fn is_stand_in(value: &str) -> bool {
    value.starts_with(['$', '<', '{', '%'])
        || value.contains("${")
        || value.contains("...")
        || value.contains('…')
        || value.bytes().all(|byte| b"*xX.-_".contains(&byte))
        || value.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("your"))
        || STAND_INS.contains(&value.to_ascii_lowercase().as_str())
}
