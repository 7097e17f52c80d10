use crate::text;

/// Features are hashed into this many bits. Collisions cost little: of a chunk's 400 features they touch one or two.
const FEATURE_BITS: u32 = 20;

/// How many different features there are.
pub(super) const FEATURE_COUNT: usize = 1 << FEATURE_BITS;

/// Counts above this are all the same.
const HIGHEST_COUNT: u32 = 255;

/// The features of a text with their counts, in ascending order of feature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::kb) struct Features(pub(super) Vec<(u32, u32)>);

/// The features of a chunk; its heading counts like a part of its text.
pub(in crate::kb) fn features_of_chunk(heading: &str, body: &str) -> Features {
    let mut ids = Vec::with_capacity(body.len());
    for part in [heading, body] {
        push_features(part, &mut ids);
    }
    Features::count(ids)
}

impl Features {
    /// The features of a query.
    pub(super) fn of_query(query: &str) -> Self {
        let mut ids = Vec::new();
        push_features(query, &mut ids);
        Self::count(ids)
    }

    fn count(mut ids: Vec<u32>) -> Self {
        ids.sort_unstable();
        let mut counted: Vec<(u32, u32)> = Vec::with_capacity(ids.len());
        for id in ids {
            match counted.last_mut() {
                Some((last, count)) if *last == id => *count = (*count + 1).min(HIGHEST_COUNT),
                _ => counted.push((id, 1)),
            }
        }
        Self(counted)
    }

    /// Each feature as a variable-length integer: the distance from the one before, shifted left by one; the low bit says
    /// that a byte with the count follows, which is 1 otherwise. About two bytes a feature.
    pub(in crate::kb) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 2 + 16);
        let mut last = 0;
        for (id, count) in &self.0 {
            let several = u32::from(*count > 1);
            let mut rest = (id - last) << 1 | several;
            last = *id;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            if several == 1 {
                bytes.push(*count as u8);
            }
        }
        bytes
    }
}

/// The features and counts in an encoded vector; ends early where the bytes are not an encoding.
pub(super) fn decode(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let mut bytes = bytes.iter();
    let mut last = 0_u32;
    std::iter::from_fn(move || {
        let (mut value, mut shift) = (0_u32, 0);
        loop {
            let byte = *bytes.next()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        last = last.checked_add(value >> 1)?;
        let count = if value & 1 == 1 { u32::from(*bytes.next()?) } else { 1 };
        Some((last, count))
    })
}

/// Words, pairs of adjacent words, and 3-grams of words with both ends marked. Function words are left out.
fn push_features(text: &str, ids: &mut Vec<u32>) {
    let folded = text::fold(text);
    let mut before = None;
    for word in text::content_words(&folded) {
        let hash = hash_word(word);
        ids.push(feature(hash));
        if let Some(before) = before.replace(hash) {
            ids.push(feature(hash.rotate_left(1) ^ before));
        }
        ids.extend(grams(word).map(|gram| feature(gram.wrapping_mul(GRAM_SPREAD))));
    }
}

/// The character 3-grams of a word whose ends are marked: as many as the word has characters.
pub(super) fn grams(word: &str) -> impl Iterator<Item = u64> {
    const END: u64 = 1;
    let mut window = END;
    word.chars().skip(1).map(u64::from).chain([END]).scan(
        word.chars().next().map_or(END, u64::from),
        move |last, next| {
            let gram = window << 42 | *last << 21 | next;
            window = *last;
            *last = next;
            Some(gram)
        },
    )
}

const GRAM_SPREAD: u64 = 0xD6E8_FEB8_6659_FD93;

/// FNV-1a, 64 bits. Source: Fowler, Noll & Vo, IETF draft-eastlake-fnv.
fn hash_word(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The high bits of a multiplicative hash. Source: Knuth, The Art of Computer Programming 3, §6.4.
fn feature(hash: u64) -> u32 {
    ((hash ^ hash >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - FEATURE_BITS)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_1a_is_the_published_one() {
        assert_eq!(hash_word(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash_word("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_word_has_as_many_grams_as_characters() {
        let gram = |text: &str| text.chars().fold(0, |gram, c| gram << 21 | if c == '$' { 1 } else { u64::from(c) });
        assert_eq!(grams("größe").collect::<Vec<_>>(), ["$gr", "grö", "röß", "öße", "ße$"].map(gram));
        assert_eq!(grams("a").collect::<Vec<_>>(), [gram("$a$")]);
    }

    #[test]
    fn vectors_survive_encoding() {
        let features = features_of_chunk("Budgets", "A budget caps spend. The budget of a tenant caps the tenant.");
        assert!(features.0.iter().any(|(_, count)| *count > 1));
        assert!(features.0.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(decode(&features.encode()).collect::<Vec<_>>(), features.0);
        assert_eq!(features_of_chunk("", "").encode(), Vec::<u8>::new());
    }

    #[test]
    fn damaged_bytes_end_the_vector_early() {
        assert_eq!(decode(&[0xff; 9]).count(), 0);
        assert_eq!(decode(&[0x02, 0x03]).collect::<Vec<_>>(), [(1, 1)]);
    }

    #[test]
    fn order_of_words_counts_by_pairs_only() {
        let (one, other) = (Features::of_query("monthly budget cap"), Features::of_query("cap budget monthly"));
        let shared = one.0.iter().filter(|entry| other.0.contains(entry)).count();
        assert_eq!((one.0.len(), shared), (3 + 2 + 16, 3 + 16));
    }
}
