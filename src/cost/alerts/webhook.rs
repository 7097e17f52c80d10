use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use serde::Serialize;

use super::Alert;
use crate::domain::{Secret, rfc3339};

/// What a key begins with that is written as text.
const KEY_PREFIX: &str = "whsec_";
/// How long a key may be.
const KEY_BYTES: RangeInclusive<usize> = 24..=64;

/// The key that signs webhooks with HMAC-SHA256.
///
/// Source: Standard Webhooks 1.0.0, "Signature scheme".
#[derive(Debug)]
pub(super) struct SigningKey(hmac::Key);

impl SigningKey {
    /// Reads `whsec_` and base64; says what is wrong without repeating it.
    pub(super) fn read(secret: &Secret) -> Result<Self, String> {
        let text = secret.expose().trim();
        let encoded = text.strip_prefix(KEY_PREFIX).ok_or_else(|| format!("it does not begin with `{KEY_PREFIX}`"))?;
        let key = BASE64_STANDARD.decode(encoded);
        let key = key.map_err(|_| format!("what follows `{KEY_PREFIX}` is not base64"))?;
        if !KEY_BYTES.contains(&key.len()) {
            let (least, most) = (KEY_BYTES.start(), KEY_BYTES.end());
            return Err(format!("it has {} bytes, and {least} to {most} are wanted", key.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The header `webhook-signature` of a message that is sent `at_seconds` after 1970.
    pub(super) fn sign(&self, id: &str, at_seconds: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{at_seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
    }
}

/// The body of a webhook: the same at each attempt.
pub(super) fn body(alert: &Alert) -> impl Serialize {
    #[derive(Serialize)]
    struct Event<'a> {
        r#type: String,
        timestamp: String,
        data: &'a Alert,
    }
    Event { r#type: alert.rule.event_type(), timestamp: rfc3339(alert.fired_at), data: alert }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_message_gets_the_published_signature() {
        // Of the reference implementations of Standard Webhooks and Svix (`testSignFunctionWorks`).
        let key = SigningKey::read(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_repeated() {
        let long = format!("whsec_{}", BASE64_STANDARD.encode([7; 65]));
        for (text, reason) in [
            ("c2VjcmV0LWNhbmFyeS1zZWNyZXQtY2FuYXJ5", "it does not begin with `whsec_`"),
            ("whsec_canary!", "what follows `whsec_` is not base64"),
            ("whsec_Y2FuYXJ5", "it has 6 bytes, and 24 to 64 are wanted"),
            (&long, "it has 65 bytes, and 24 to 64 are wanted"),
        ] {
            assert_eq!(SigningKey::read(&Secret::new(text.into())).unwrap_err(), reason);
        }
    }
}
