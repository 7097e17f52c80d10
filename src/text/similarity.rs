use super::{fold, words};

/// The most bits in which the fingerprints of near-identical texts differ.
///
/// Chosen on the 13,023 different questions of PolyAI's banking set (77 intents, about eleven words each): of 83.7
/// million pairs with different intents 144 are that near (one in 580,000), of 1.1 million pairs with the same intent 991.
/// Of the questions, 64 % stay that near with one word misspelt, 58 % with one left out, 72 % with two swapped.
const NEAR_BITS: u32 = 7;

/// What stands for a number, so that questions that differ in an order's number alone are the same.
const NUMBER: char = '#';

/// A fingerprint of which similar texts differ in few bits: a 64-bit `SimHash` of the runs of three characters.
///
/// Case, spacing and punctuation do not count, and numbers are all alike: runs of digits, and whole words of ASCII
/// letters and digits such as `A17-03b`. A text without any word has the fingerprint 0. Fingerprints may be stored: they
/// are the same on every machine and in every version.
///
/// Source: Charikar (2002), Similarity estimation techniques from rounding algorithms, §3; for telling near-duplicates
/// Manku, Jain & Das Sarma (2007), who allow 3 bits between whole pages. Questions are so short that a word is many bits.
pub fn fingerprint(text: &str) -> u64 {
    let folded = fold(text);
    let mut ones = Ones::default();
    let (mut gram, mut before) = (0_u64, ' ');
    for character in words(&folded).flat_map(masked).chain([' ']) {
        // A number of several parts is one number.
        if (before, character) == (NUMBER, NUMBER) {
            continue;
        }
        before = character;
        // 21 bits hold any character, so that three fit without loss.
        gram = (gram << 21 | u64::from(character)) & ((1 << 63) - 1);
        ones.add(mix(gram));
    }
    if folded.contains(char::is_alphanumeric) { ones.majority() } else { 0 }
}

/// Whether two [`fingerprint`]s are those of near-identical texts.
pub fn is_near(a: u64, b: u64) -> bool {
    (a ^ b).count_ones() <= NEAR_BITS
}

/// A word after a space, its numbers replaced. A number gets no space, so that those that follow each other can be seen.
fn masked(word: &str) -> impl Iterator<Item = char> {
    let is_number = word.is_ascii() && word.bytes().any(|byte| byte.is_ascii_digit());
    let (text, space) = if is_number { ("0", None) } else { (word, Some(' ')) };
    let of_number = |character: char| if character.is_numeric() { NUMBER } else { character };
    space.into_iter().chain(text.chars().map(of_number))
}

/// Spreads every bit over all others. Source: `MurmurHash3`'s `fmix64` (Appleby).
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash = (hash ^ hash >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ hash >> 33
}

/// How many of the hashes have a one, for each of their 64 bits.
#[derive(Default)]
struct Ones {
    hashes: u32,
    /// Byte b of lane l counts bit 8 b + l, so that eight bits are counted by one addition.
    lanes: [u64; 8],
    /// What the lanes held when they were full.
    bits: [[u32; 8]; 8],
}

impl Ones {
    fn add(&mut self, hash: u64) {
        for (shift, lane) in self.lanes.iter_mut().enumerate() {
            *lane += hash >> shift & 0x0101_0101_0101_0101;
        }
        self.hashes += 1;
        if self.hashes.is_multiple_of(255) {
            self.empty_lanes();
        }
    }

    fn empty_lanes(&mut self) {
        for (lane, bits) in self.lanes.iter_mut().zip(&mut self.bits) {
            for (count, bits) in std::mem::take(lane).to_le_bytes().into_iter().zip(bits) {
                *bits += u32::from(count);
            }
        }
    }

    /// The bits that more than half of the hashes have.
    fn majority(mut self) -> u64 {
        self.empty_lanes();
        let mut majority = 0;
        for (shift, bits) in self.bits.iter().enumerate() {
            for (byte, ones) in bits.iter().enumerate() {
                majority |= u64::from(2 * ones > self.hashes) << (8 * byte + shift);
            }
        }
        majority
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(a: &str, b: &str) -> u32 {
        (fingerprint(a) ^ fingerprint(b)).count_ones()
    }

    #[test]
    fn numbers_spacing_case_and_punctuation_change_nothing() {
        let asked = "Where is my order 1234-77? It was due on 3 May.";
        for same in [
            "where is my order 98? it was due on 28 may",
            "  Where is my order A17-03b-9f,\tit was due on 3   May!!",
            "WHERE IS MY ORDER ５６７？ IT WAS DUE ON 03 MAY",
        ] {
            assert_eq!(distance(asked, same), 0, "{same}");
        }
        assert_eq!(distance("注文12の状態を教えて", "注文345の状態を教えて"), 0);
    }

    #[test]
    fn a_slip_of_the_pen_is_near_and_another_question_is_not() {
        let asked = "How can I change the card that is charged for our subscription every month?";
        for near in [
            "How can I change the card that is charged for our subcription every month?",
            "Hi, how can I change the card that is charged for our subscription every month?",
            "How can I change the card that charged is for our subscription every month?",
        ] {
            assert!(is_near(fingerprint(asked), fingerprint(near)), "{near}: {}", distance(asked, near));
        }
        for other in [
            "How can I see the invoices of our subscription for last month?",
            "How can I cancel our subscription?",
            "Which cards do you accept for a subscription?",
            "注文12の状態を教えて",
            "",
        ] {
            assert!(!is_near(fingerprint(asked), fingerprint(other)), "{other}: {}", distance(asked, other));
        }
    }

    #[test]
    fn texts_without_words_are_all_alike() {
        for empty in ["", " \n", "?!…"] {
            assert_eq!(fingerprint(empty), 0, "{empty}");
        }
        assert_ne!(fingerprint("a"), 0);
        assert_eq!(fingerprint("7"), fingerprint("12 34"));
    }

    #[test]
    fn long_texts_are_counted_bit_by_bit() {
        let hashes: Vec<u64> = (0..1_000).map(mix).collect();
        let mut ones = Ones::default();
        for hash in &hashes {
            ones.add(*hash);
        }
        let expected = (0..64).filter(|bit| hashes.iter().filter(|hash| *hash >> bit & 1 == 1).count() > 500);
        assert_eq!(ones.majority(), expected.map(|bit| 1_u64 << bit).sum::<u64>());
    }

    #[test]
    fn stored_fingerprints_keep_their_meaning() {
        assert_eq!(fingerprint("Where is my order 1234?"), 14_130_215_851_127_627_719);
    }
}
