use super::InjectionMark;
use super::InjectionMark::{Exfiltration, IgnoreInstructions, NewIdentity, RevealPrompt, RevealSecrets, RoleMarkup};

/// Phrases over folded words with one space between: the words that one can begin with, and the pattern of what
/// follows. `_ ` stands for up to four words. In English, German, French and Spanish.
pub(super) const PHRASES: &[(InjectionMark, &str, &str)] = &[
    (
        IgnoreInstructions,
        "ignore disregard forget override bypass overrule",
        "_ (?:previous|prior|above|earlier|preceding|initial|original|system|all|any|your|these|those|the) _ \
         (?:instructions?|prompts?|rules|guidelines|directions|directives|guardrails|restrictions|\
         constraints|passages|manual|context|safety|training)",
    ),
    (
        IgnoreInstructions,
        "ignore disregard forget",
        "(?:everything|anything|all|what) _ (?:above|before|previous|previously|earlier|told)",
    ),
    (
        IgnoreInstructions,
        "ignorier ignoriere ignorieren ignorierst ignoriert vergiss vergesst missachte umgehe",
        "_ (?:anweisungen?|instruktionen|vorgaben|regeln|befehle|systemprompt)",
    ),
    (
        IgnoreInstructions,
        "ignore ignorez ignorer oublie oubliez contourne",
        "_ (?:instructions?|consignes|règles|regles|directives)",
    ),
    (
        IgnoreInstructions,
        "ignora ignore ignorad olvida olvide omite",
        "_ (?:instrucciones|reglas|indicaciones|órdenes)",
    ),
    (
        RevealPrompt,
        "reveal show print repeat output display tell give leak dump disclose expose recite quote summarize copy translate \
         what",
        "_ (?:your (?:[^ ]+ )?|this (?:[^ ]+ )?|(?:hidden|secret|internal) (?:system )?|(?:the|its) (?:[^ ]+ )?system )\
         (?:prompts?|instructions|directives|messages?)",
    ),
    (
        RevealPrompt,
        "repeat print output copy recite reproduce write return",
        "_ (?:everything|text|words|lines|messages?|all) _ (?:above|before this)",
    ),
    (
        RevealPrompt,
        "zeig zeige verrate nenne wiederhol wiederhole gib drucke",
        "_ (?:system ?prompt|system ?nachricht|\
         (?:deine|deinen|interne|internen|versteckten) _ (?:anweisungen|prompt|instruktionen))",
    ),
    (
        RevealPrompt,
        "montre affiche révèle revele répète repete donne imprime",
        "_ (?:prompt|instructions (?:système|systeme|cachées|internes|initiales))",
    ),
    (
        RevealPrompt,
        "muestra muéstrame revela repite imprime dime",
        "_ (?:prompt|instrucciones (?:del sistema|ocultas|internas|iniciales))",
    ),
    (
        RevealSecrets,
        "print dump reveal leak exfiltrate disclose",
        "_ (?:every|all|any|your|the|its) _ \
         (?:api keys?|secrets?|credentials|passwords|(?:api|access|auth) tokens|environment variables|env vars?)",
    ),
    (RevealSecrets, "etc", "(?:passwd|shadow)"),
    (
        RoleMarkup,
        "note message notice instruction instructions order command",
        "from (?:the |your )?(?:administrators?|admins?|system|developers?|operators?|openai|anthropic|google)",
    ),
    (
        NewIdentity,
        "you",
        "are (?:now|no longer|henceforth) (?:a|an|the|called|dan|bound|free|going|acting|under|[^ ]+bot|unrestricted)",
    ),
    (NewIdentity, "you", "are (?:dan|[^ ]+bot|(?:a|an) (?:unrestricted|uncensored|unfiltered|evil) [^ ]+)"),
    (NewIdentity, "from for", "(?:now on|the rest of this [^ ]+) (?:you|your) (?:are|will|must|shall|have|name)"),
    (
        NewIdentity,
        "act behave respond answer",
        "as (?:if you|though you|a|an|my|dan|the) (?:[^ ]+ )?(?:were|are|have|had|no|ai|assistant|bot|model|hacker|pirate|\
         character|persona|unrestricted|uncensored|developer|administrator|admin|root|evil|jailbroken)",
    ),
    (NewIdentity, "pretend imagine simulate roleplay", "(?:to be|as|that you|you are|you re|being)"),
    (NewIdentity, "do", "anything now"),
    (
        NewIdentity,
        "developer debug maintenance god dan sudo admin",
        "mode (?:is |now )?(?:on|enabled|activated|active|without|with|unlocked)",
    ),
    (
        NewIdentity,
        "without no",
        "(?:any |all |your )?(?:restrictions|censorship|content (?:policy|filters?)|safety (?:rules|filters?|guidelines)|\
         ethical guidelines)",
    ),
    (NewIdentity, "du", "bist (?:jetzt|nun|ab sofort|ab jetzt)"),
    (NewIdentity, "tu verhalte spiele", "(?:so als|dich (?:wie|als)|die rolle|es (?:maintenant|désormais))"),
    (NewIdentity, "agis fais", "(?:comme(?: si)?|semblant d)"),
    (NewIdentity, "ahora actúa actua finge", "(?:eres|como|ser|que eres)"),
];

/// Patterns over the visible text itself, each with something that every match contains.
pub(super) const MARKUP: &[(InjectionMark, &str, &str)] = &[
    (
        RoleMarkup,
        "<|",
        r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|begin_of_text|start_header_id|eot_id)",
    ),
    (RoleMarkup, "INST]", r"\[/?INST\]"),
    (RoleMarkup, "SYS>>", r"<</?SYS>>"),
    (RoleMarkup, "_of_turn>", r"<(?:start|end)_of_turn>"),
    (
        RoleMarkup,
        ":",
        r"(?imx) ^ [\ \t>*\#-]{0,8} (?:system|developer) [\ \t]* (?:
            (?: notice | message | prompt | override | instructions? | update | command ) [\ \t*]{0,4} :
            | [\ \t*]{0,4} : [\ \t*]{0,4} (?: you | your | ignore | disregard | forget | from\ now | always | never
                | do\ not | the\ (?:assistant|user|model) | new ) (?-u:\b) )",
    ),
    (RoleMarkup, ":", r"\n[ \t]*(?:Human|Assistant|User|ASSISTANT)[ \t]*:[ \t]*\S"),
    (RoleMarkup, "<", r"(?i)</?(?:system|assistant|system_prompt|instructions|developer)>"),
    (Exfiltration, "![", r"!\[[^\]\n]*\]\(\s{0,3}(?:(?i:https?):)?//[^\s()?]+\?[^\s()=]*="),
    (Exfiltration, "=", r"(?i)<img\s[^>\n]*src\s{0,3}=\s{0,3}.?https?://[^\s>?]+\?[^\s>=]*="),
    (
        Exfiltration,
        "](",
        r"(?ix) \]\( \s{0,3} https?://[^\s()?]+ \? [^\s()]*
            = (?:[^\s()&]*(?:\{|<|%7b|\[|%20)|[a-z0-9+/=_%]{40})",
    ),
];

/// A run long enough to hold a sentence.
pub(super) const BASE_64: &str = r"[A-Za-z0-9+/_-]{80,}";
