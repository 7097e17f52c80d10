use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Alert;
use super::send::Target;
use super::webhook::{SigningKey, body};
use crate::config::AlertSettings;
use crate::domain::Clock;

/// How long a receiver may take to accept an alert.
const LIMIT: Duration = Duration::from_secs(5);

/// Where alerts are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A signed webhook.
    Webhook,
    /// Slack, or what understands the same.
    Slack,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 2] = [Self::Webhook, Self::Slack];

    /// Its name in the store and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Webhook => "the webhook",
            Self::Slack => "Slack",
        })
    }
}

/// What is wrong with the settings of a channel. Never holds an address or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverySetupError {
    /// An address cannot be understood.
    #[error("the address of {channel} for alerts cannot be used: {reason}")]
    Address {
        /// Which channel.
        channel: Channel,
        /// Why.
        reason: String,
    },
    /// The key that signs cannot be used.
    #[error("the secret of the webhook for alerts cannot be used: {reason}")]
    Key {
        /// Why.
        reason: String,
    },
    /// HTTP itself cannot be set up.
    #[error("HTTP cannot be set up for {channel} for alerts: {reason}")]
    Client {
        /// Which channel.
        channel: Channel,
        /// Why.
        reason: String,
    },
}

/// Why an alert was not accepted. Never holds an address or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// There is no such channel in the settings.
    #[error("{channel} for alerts is not configured")]
    NotConfigured {
        /// Which channel.
        channel: Channel,
    },
    /// The receiver answered with another status than success.
    #[error("{channel} answered with status {status}{}", said.as_ref().map(|said| format!(" ({said})")).unwrap_or_default())]
    Refused {
        /// Which channel.
        channel: Channel,
        /// The status; redirects are not followed.
        status: u16,
        /// The code that it gave as the reason, if any.
        said: Option<String>,
    },
    /// The receiver did not answer in time.
    #[error("{channel} did not answer within {} ms", limit.as_millis())]
    TimedOut {
        /// Which channel.
        channel: Channel,
        /// How long it had.
        limit: Duration,
    },
    /// There was no connection, or it broke.
    #[error("{channel} cannot be reached: {reason}")]
    Connection {
        /// Which channel.
        channel: Channel,
        /// Why.
        reason: String,
    },
    /// What is to be sent cannot be: an alert that was stored by something else.
    #[error("the header `{header}` cannot be sent to {channel}")]
    Unsendable {
        /// Which channel.
        channel: Channel,
        /// The header.
        header: &'static str,
    },
}

impl DeliveryError {
    /// Whether another attempt may succeed. Requests that the receiver calls wrong or unwanted (4xx) stay so, unless it
    /// only had no time (408, 425, 429).
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused { status, .. } => !(400..=499).contains(status) || matches!(status, 408 | 425 | 429),
            Self::TimedOut { .. } | Self::Connection { .. } => true,
            Self::NotConfigured { .. } | Self::Unsendable { .. } => false,
        }
    }
}

/// Sends alerts. Each attempt is one request; who calls it repeats what [may pass](DeliveryError::may_pass).
pub struct Delivery {
    webhook: Option<(Target, SigningKey)>,
    slack: Option<Target>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("channels", &self.channels().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl Delivery {
    /// To where the settings say. A receiver has 5 seconds to accept an alert.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: &AlertSettings, clock: Arc<dyn Clock>) -> Result<Self, DeliverySetupError> {
        Self::within(LIMIT, settings, clock)
    }

    pub(super) fn within(
        limit: Duration,
        settings: &AlertSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DeliverySetupError> {
        let webhook = settings.webhook.as_ref().map(|webhook| {
            let key = SigningKey::read(&webhook.secret).map_err(|reason| DeliverySetupError::Key { reason })?;
            Ok((Target::new(Channel::Webhook, &webhook.url, limit)?, key))
        });
        let slack = settings.slack_url.as_ref().map(|url| Target::new(Channel::Slack, url.expose(), limit));
        Ok(Self { webhook: webhook.transpose()?, slack: slack.transpose()?, clock })
    }

    /// The channels that are configured.
    pub fn channels(&self) -> impl Iterator<Item = Channel> {
        Channel::ALL.into_iter().filter(|channel| match channel {
            Channel::Webhook => self.webhook.is_some(),
            Channel::Slack => self.slack.is_some(),
        })
    }

    /// Makes one attempt to send an alert.
    ///
    /// A webhook is a POST of `{"type", "timestamp", "data"}`, signed by the rules of Standard Webhooks; `data` is the
    /// alert, and its id the `webhook-id` of each attempt. Slack gets `{"text"}`.
    ///
    /// # Errors
    /// Why the receiver did not accept it; asking it again [may help](DeliveryError::may_pass).
    pub async fn deliver(&self, channel: Channel, alert: &Alert) -> Result<(), DeliveryError> {
        let missing = DeliveryError::NotConfigured { channel };
        match channel {
            Channel::Webhook => {
                let (target, key) = self.webhook.as_ref().ok_or(missing)?;
                let body = json(&body(alert));
                let now = self.clock.now().as_second();
                let headers = [
                    ("webhook-id", alert.id.clone()),
                    ("webhook-timestamp", now.to_string()),
                    ("webhook-signature", key.sign(&alert.id, now, &body)),
                ];
                target.post(headers, body).await
            }
            Channel::Slack => {
                let target = self.slack.as_ref().ok_or(missing)?;
                let text = format!("tollgate, {}: {}", alert.severity.as_str(), alert.text);
                target.post([], json(&serde_json::json!({ "text": for_slack(&text) }))).await
            }
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Alerts hold nothing that JSON cannot.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Text without the characters that Slack reads as links and mentions.
///
/// Source: Slack, "Formatting message text", "Escaping text".
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
