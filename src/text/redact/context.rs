//! What stands around a candidate: the words before it and the characters beside it.

/// How far back the words before a candidate are looked for, in bytes.
const WINDOW_BYTES: usize = 64;

/// The words directly before a place in a text, in lower case.
pub(super) struct Before(String);

impl Before {
    /// The words that end before the byte `at`.
    pub(super) fn new(text: &str, at: usize) -> Self {
        let from = text.floor_char_boundary(at.saturating_sub(WINDOW_BYTES));
        Self(text.get(from..at).unwrap_or_default().to_lowercase())
    }

    /// Whether one of `wanted`, which are sorted, is among the last `count` words.
    pub(super) fn has(&self, count: usize, wanted: &[&str]) -> bool {
        debug_assert!(wanted.is_sorted(), "{wanted:?}");
        let words = self.0.rsplit(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
        words.take(count).any(|word| wanted.binary_search(&word).is_ok())
    }

    /// Whether what follows is called an order, a ticket, a version or another thing's number.
    pub(super) fn names_a_thing(&self) -> bool {
        self.has(3, THINGS)
    }

    /// Whether what follows is called a telephone number.
    pub(super) fn names_a_phone(&self) -> bool {
        self.has(5, PHONES) || (self.has(3, CALLS) && !self.names_a_thing())
    }
}

/// The character that ends before the byte `at`.
pub(super) fn character_before(text: &str, at: usize) -> Option<char> {
    text.get(..at)?.chars().next_back()
}

/// The characters from the byte `at` on.
pub(super) fn characters_after(text: &str, at: usize) -> impl Iterator<Item = char> {
    text.get(at..).unwrap_or_default().chars()
}

/// Whether a character continues a word, so that a number beside it is a part of something longer.
///
/// Letters of scripts that put no spaces between words (as in 电话13812345678) do not count.
pub(super) fn joins(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || ('\u{c0}'..'\u{530}').contains(&character)
}

/// Things whose numbers are no one's personal data, in the languages of the phone words.
const THINGS: &[&str] = &[
    "article",
    "asin",
    "awb",
    "batch",
    "bestellnummer",
    "bestellung",
    "bill",
    "booking",
    "bug",
    "build",
    "case",
    "commande",
    "commit",
    "confirmation",
    "delivery",
    "ean",
    "epoch",
    "error",
    "facture",
    "id",
    "ids",
    "invoice",
    "isbn",
    "issn",
    "issue",
    "item",
    "job",
    "lot",
    "model",
    "order",
    "orders",
    "package",
    "parcel",
    "part",
    "pedido",
    "po",
    "pr",
    "product",
    "rechnung",
    "rechnungsnummer",
    "ref",
    "reference",
    "release",
    "request",
    "revision",
    "rma",
    "run",
    "seed",
    "sendungsnummer",
    "serial",
    "shipment",
    "sku",
    "ticket",
    "timestamp",
    "tracking",
    "transaction",
    "upc",
    "version",
];

/// Words that announce a telephone number.
const PHONES: &[&str] = &[
    "cell",
    "cellphone",
    "cellulare",
    "fax",
    "fon",
    "handy",
    "handynummer",
    "mobil",
    "mobile",
    "mobilnummer",
    "movil",
    "móvil",
    "phone",
    "phones",
    "rufnummer",
    "sms",
    "tel",
    "telefon",
    "telefone",
    "telefonnummer",
    "telefono",
    "telephone",
    "teléfono",
    "téléphone",
    "whatsapp",
    "手机",
    "电话",
    "電話",
];

/// Words that announce one when it follows directly.
const CALLS: &[&str] = &["anrufen", "appeler", "appelez", "call", "chiamare", "dial", "dialed", "llamar", "llame"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_before_are_found_across_punctuation_and_any_script() {
        let text = "Meine Telefonnummer (privat): 0171";
        let before = Before::new(text, text.find("0171").unwrap());
        assert!(before.names_a_phone());
        assert!(!before.names_a_thing());
        assert!(!before.has(1, &["telefonnummer"]));
        let long = format!("{}é order 12", "x".repeat(100));
        assert!(Before::new(&long, long.len() - 2).names_a_thing());
    }
}
