use std::ops::Range;

/// The longest local part and domain, in characters. Source: RFC 5321 §4.5.3.1.
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;

/// Endings of files, not of domains: `icon@2x.png`.
const FILES: &[&str] = &["png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "pdf", "css", "js", "json", "html", "txt"];

/// E-mail addresses, with letters of any script; quoted local parts and domains without a dot are not looked for.
pub(super) fn find(text: &str, found: &mut impl FnMut(Range<usize>)) {
    for (at, _) in text.match_indices('@') {
        let start = at - local_len(text.get(..at).unwrap_or_default());
        let domain = domain(text.get(at + 1..).unwrap_or_default());
        let local = text.get(start..at).unwrap_or_default();
        // A forge's `git@` account is nobody's, and what stands before a URL's host is a password.
        let somebody = !local.is_empty() && !local.eq_ignore_ascii_case("git") && !is_password(text, start);
        if let Some(domain) = domain.filter(|_| somebody) {
            found(start..at + 1 + domain.len());
        }
    }
}

/// Whether `scheme://user:` stands before a place.
fn is_password(text: &str, at: usize) -> bool {
    let from = text.floor_char_boundary(at.saturating_sub(DOMAIN_MAX));
    let word = text.get(from..at).and_then(|before| before.rsplit(char::is_whitespace).next()).unwrap_or_default();
    word.rsplit_once("://").is_some_and(|(_, user)| user.contains(':') && !user.contains('/'))
}

/// How many bytes before an `@` are the local part. Source: RFC 5322 §3.2.3; of its punctuation, what rather encloses
/// or introduces an address is not taken (`?to=a@b.de`, `'a@b.de'`).
fn local_len(before: &str) -> usize {
    let allowed = |character: &char| character.is_alphanumeric() || "._%+-!$^~'".contains(*character);
    let bytes = before.chars().rev().take(LOCAL_MAX).take_while(allowed).map(char::len_utf8).sum::<usize>();
    let local = before.get(before.len() - bytes..).unwrap_or_default();
    local.trim_start_matches(|character: char| !character.is_alphanumeric() && character != '_').len()
}

/// The domain at the start of a text: labels and an ending of letters, but no version of a package (`ui@2.0.0-rc.beta`)
/// and no file.
fn domain(after: &str) -> Option<&str> {
    let allowed = |character: &char| character.is_alphanumeric() || matches!(character, '-' | '.');
    let bytes = after.chars().take(DOMAIN_MAX).take_while(allowed).map(char::len_utf8).sum();
    let mut domain = after.get(..bytes)?;
    loop {
        let (labels, ending) = domain.rsplit_once('.')?;
        let punycode = ending.starts_with("xn--");
        if ending.chars().nth(1).is_some() && (punycode || ending.chars().all(char::is_alphabetic)) {
            let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
            let mut parts = labels.split('.');
            let version = parts.next().is_some_and(is_number) && parts.next().is_some_and(is_number);
            let empty = labels.split('.').any(|label| label.trim_matches('-').is_empty());
            let file = FILES.contains(&ending.to_ascii_lowercase().as_str());
            return (!version && !empty && !file).then_some(domain);
        }
        domain = labels;
    }
}
