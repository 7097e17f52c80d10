//! IP addresses. Loopback and unspecified addresses (127.0.0.0/8, `::1`, 0.0.0.0, `::`) stay: they identify nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use regex::Regex;

use super::PiiKind;
use super::context::{character_before, characters_after, joins};
use super::numbers::{Gap, Numbers, Taken, ends_at};

/// What may be an address of version 6: two colons at least, and only the characters of one.
pub(super) const VERSION_6: &str = r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f.]{0,15}){2,8}";

/// Words that make an address of four bare numbers that might be a version.
const ADDRESSES: &[&str] = &[
    "addr",
    "address",
    "addresses",
    "dns",
    "from",
    "gateway",
    "host",
    "ip",
    "ips",
    "ipv4",
    "ping",
    "server",
    "subnet",
];
const VERSIONS: &[&str] = &[
    "build", "chrome", "driver", "firmware", "release", "sdk", "section", "update", "v", "ver", "version", "versions",
];

/// Four numbers with dots between, unless they look or are called like a version.
pub(super) fn version_4(numbers: &Numbers<'_>, at: usize) -> Option<Taken> {
    if numbers.len(at) > 3 || numbers.len(at + 1) > 3 || numbers.gap(at + 1) != Gap::Dot {
        return None;
    }
    let address = quad(numbers, at)?;
    let range = numbers.range(at, 4);
    let part_of_more = match numbers.gap(at) {
        Gap::Dot | Gap::Dash => true,
        _ => {
            character_before(numbers.text, range.start).is_some_and(|before| joins(before) || "^~.-+".contains(before))
        }
    };
    let head = numbers.text.get(..range.start).unwrap_or_default();
    let pinned = ["==", ">=", "<="].iter().any(|operator| head.ends_with(operator));
    let ends = match numbers.gap(at + 4) {
        Gap::Break => ends_at(numbers.text, range.end) || characters_after(numbers.text, range.end).next() == Some('@'),
        Gap::Dot => false,
        Gap::Dash => quad(numbers, at + 4).is_some(),
        _ => true,
    };
    // The second address of a range "10.0.0.1-10.0.0.9".
    let after_another = numbers.gap(at) == Gap::Dash && at >= 4 && quad(numbers, at - 4).is_some();
    if (part_of_more && !after_another) || pinned || !ends || says_nothing(IpAddr::V4(address)) {
        return None;
    }
    let before = numbers.before(at);
    let looks_like_version = address.octets().iter().all(|octet| *octet < 10) || before.has(3, VERSIONS);
    if looks_like_version && !before.has(4, ADDRESSES) {
        return None;
    }
    let suffix = numbers.gap(at + 4) == Gap::Slash && numbers.value(at + 4).is_some_and(|bits| bits <= 32);
    Some(numbers.take(PiiKind::IpAddress, at, if suffix { 5 } else { 4 }))
}

/// The four groups from `at` on as an address.
fn quad(numbers: &Numbers<'_>, at: usize) -> Option<Ipv4Addr> {
    let dotted = (1..4).all(|offset| numbers.gap(at + offset) == Gap::Dot);
    let octet = |offset| (numbers.len(at + offset) <= 3).then(|| numbers.value(at + offset)).flatten();
    let octets = [octet(0)?, octet(1)?, octet(2)?, octet(3)?].map(u8::try_from);
    match octets {
        [Ok(a), Ok(b), Ok(c), Ok(d)] if dotted => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

/// Addresses of version 6, with zone and network suffix.
pub(super) fn version_6(candidates: &Regex, text: &str, found: &mut impl FnMut(Range<usize>)) {
    for candidate in candidates.find_iter(text) {
        let address = candidate.as_str().trim_end_matches('.');
        // "Server: fe80::1:" ends a clause with its last colon.
        let address = if address.ends_with("::") { address } else { address.trim_end_matches(':') };
        let mut end = candidate.start() + address.len();
        if !address.bytes().any(|byte| byte.is_ascii_digit())
            || character_before(text, candidate.start()).is_some_and(|before| joins(before) || before == ':')
        {
            continue;
        }
        let Ok(parsed) = address.parse::<Ipv6Addr>() else { continue };
        let rest = text.get(end..).unwrap_or_default();
        let zone =
            rest.strip_prefix('%').map_or(0, |zone| 1 + zone.chars().take_while(char::is_ascii_alphanumeric).count());
        end += zone;
        end += network_suffix(text.get(end..).unwrap_or_default());
        let mut after = characters_after(text, end);
        let continues = match after.next() {
            Some('.') => after.next().is_some_and(|next| next.is_ascii_digit()),
            Some(next) => joins(next) || (next == ':' && after.next().is_some_and(joins)),
            None => false,
        };
        if !continues && !says_nothing(IpAddr::V6(parsed)) {
            found(candidate.start()..end);
        }
    }
}

/// How long `/0` to `/128` is at the start of the text.
fn network_suffix(text: &str) -> usize {
    let Some(digits) = text.strip_prefix('/') else { return 0 };
    let len = digits.bytes().take_while(u8::is_ascii_digit).count();
    let bits = digits.get(..len).and_then(|bits| bits.parse::<u8>().ok());
    if bits.is_some_and(|bits| bits <= 128) { 1 + len } else { 0 }
}

fn says_nothing(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}
