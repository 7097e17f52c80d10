//! Bitcoin addresses by their checksums.

use sha2::{Digest, Sha256};

/// An address of the older kinds: 25 bytes in base 58, the last four being the start of the double SHA-256 of the rest.
pub(super) fn base58(address: &str) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    if !(26..=35).contains(&address.len()) {
        return false;
    }
    let mut bytes = [0_u8; 25];
    for character in address.bytes() {
        let Some(mut carry) = ALPHABET.iter().position(|digit| *digit == character) else { return false };
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry % 256) as u8;
            carry /= 256;
        }
        if carry > 0 {
            return false;
        }
    }
    let (payload, checksum) = bytes.split_at(21);
    Sha256::digest(Sha256::digest(payload)).starts_with(checksum)
}

/// A segregated-witness address. Source: BIP 173 and BIP 350.
pub(super) fn bech32(address: &str) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let lower = address.to_ascii_lowercase();
    if (lower != address && address.to_ascii_uppercase() != address) || !(14..=90).contains(&address.len()) {
        return false;
    }
    let Some(data) = lower.strip_prefix("bc1") else { return false };
    // The expansion of the prefix "bc": high bits, zero, low bits.
    let mut values = vec![3, 3, 0, 2, 3];
    for character in data.bytes() {
        let Some(value) = ALPHABET.iter().position(|digit| *digit == character) else { return false };
        values.push(value as u32);
    }
    let checksum = values.iter().fold(1_u32, |checksum, value| {
        let top = checksum >> 25;
        let shifted = (checksum & 0x01ff_ffff) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .fold(shifted, |sum, (bit, term)| if top >> bit & 1 == 1 { sum ^ term } else { sum })
    });
    matches!(checksum, 1 | 0x2bc8_30a3)
}
