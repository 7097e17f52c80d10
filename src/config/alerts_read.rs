use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::budgets::{AlertSettings, WebhookSettings};
use super::budgets_read::read_percents;
use super::reader::Reader;
use super::secrets::read_secret;
use crate::domain::Secret;

/// Reads `[alerts]`.
pub(super) fn read_alerts(root: &Path, environment: &[(String, String)], alerts: Reader<'_>) -> AlertSettings {
    let defaults = AlertSettings::default();
    let settings = AlertSettings {
        soft_percent: read_percents(&alerts).unwrap_or(defaults.soft_percent),
        burn_rate: alerts.flag("burn_rate").unwrap_or(defaults.burn_rate),
        loop_questions: alerts
            .integer("loop_questions", 0..=10_000)
            .map_or(defaults.loop_questions, |questions| questions as u32),
        loop_window: alerts
            .integer("loop_window_s", 1..=86_400)
            .map_or(defaults.loop_window, |seconds| Duration::from_secs(seconds as u64)),
        webhook: read_webhook(root, environment, &alerts),
        slack_url: read_slack(root, environment, &alerts),
    };
    for (key, source) in [("webhook_secret", "webhook_secret_env"), ("slack_url", "slack_url_env")] {
        if alerts.has(key) {
            let hint = format!("put it into the environment, and name the variable with {source}");
            alerts.reject(key, "secrets do not stand in this file", Some(hint));
        }
    }
    alerts.finish();
    settings
}

fn read_webhook(root: &Path, environment: &[(String, String)], alerts: &Reader<'_>) -> Option<WebhookSettings> {
    let url = alerts.text("webhook_url");
    if let Some(Err(problem)) = url.as_deref().map(check_url) {
        alerts.reject("webhook_url", problem, None);
    }
    let keys = ("webhook_secret_env", "webhook_secret_file");
    let named = [keys.0, keys.1].into_iter().find(|key| alerts.has(key));
    let secret = read_secret(root, environment, alerts, keys.0, keys.1);
    match (&url, named) {
        (Some(_), None) => alerts.require(keys.0, "name the variable that holds the secret which signs the alerts"),
        (None, Some(named)) if !alerts.has("webhook_url") => {
            alerts.reject(named, "stands without webhook_url", Some("say where alerts are posted".into()));
        }
        _ => {}
    }
    if let (Some(secret), Some(named)) = (&secret, named)
        && !is_signing_key(secret)
    {
        let hint = "make one: echo \"whsec_$(openssl rand -base64 32)\"";
        alerts.reject(named, "its value is not `whsec_` and the base64 of 24 to 64 bytes", Some(hint.into()));
    }
    Some(WebhookSettings { url: url?, secret: secret? })
}

fn read_slack(root: &Path, environment: &[(String, String)], alerts: &Reader<'_>) -> Option<Secret> {
    let keys = ("slack_url_env", "slack_url_file");
    let named = [keys.0, keys.1].into_iter().find(|key| alerts.has(key));
    let secret = read_secret(root, environment, alerts, keys.0, keys.1);
    if let (Some(secret), Some(named)) = (&secret, named)
        && let Err(problem) = check_url(secret.expose())
    {
        alerts.reject(named, format!("its value {problem}"), None);
    }
    secret
}

/// What is wrong with an address, without repeating it: it may be a secret.
fn check_url(text: &str) -> Result<(), &'static str> {
    let wrong = "must be an address that starts with https:// or http://";
    let url = reqwest::Url::parse(text).map_err(|_| wrong)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold neither a user name nor a password");
    }
    Ok(())
}

/// Whether this is a signing secret as Standard Webhooks has them.
///
/// Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
fn is_signing_key(secret: &Secret) -> bool {
    let key = secret.expose().strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
    key.is_some_and(|key| (24..=64).contains(&key.len()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{load_text, problems};
    use super::*;

    const WEBHOOK: &str = "[alerts]\nwebhook_url = \"https://alerts.example.com/x\"\n\
                           webhook_secret_env = \"TOLLGATE_WEBHOOK_SECRET\"\n";
    /// 24 bytes.
    const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";

    #[test]
    fn alerts_have_defaults() {
        assert_eq!(load_text("", &[]).unwrap().alerts, AlertSettings::default());
        assert_eq!(load_text("[alerts]\n", &[]).unwrap().alerts, AlertSettings::default());
    }

    #[test]
    fn alerts_are_read_and_secrets_come_from_the_environment() {
        let text = format!(
            "{WEBHOOK}soft_percent = [90, 10]\nburn_rate = false\nloop_questions = 0\nloop_window_s = 5\n\
             slack_url_env = \"SLACK_WEBHOOK_URL\"\n"
        );
        let slack = "https://hooks.slack.com/services/canary";
        let environment = [("TOLLGATE_WEBHOOK_SECRET", SECRET), ("SLACK_WEBHOOK_URL", slack)];
        let alerts = load_text(&text, &environment).unwrap().alerts;
        let expected = AlertSettings {
            soft_percent: vec![10, 90],
            burn_rate: false,
            loop_questions: 0,
            loop_window: Duration::from_secs(5),
            webhook: Some(WebhookSettings {
                url: "https://alerts.example.com/x".into(),
                secret: Secret::new(SECRET.into()),
            }),
            slack_url: Some(Secret::new(slack.into())),
        };
        assert_eq!(alerts, expected);
        assert!(!format!("{alerts:?}").contains("canary"));
    }

    #[test]
    fn a_secret_may_come_from_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        let text = format!(
            "[alerts]\nwebhook_url = \"http://127.0.0.1:9000\"\nwebhook_secret_file = \"{}\"\n",
            file.display()
        );
        let webhook = load_text(&text, &[]).unwrap().alerts.webhook.unwrap();
        assert_eq!(webhook.secret.expose(), SECRET);
    }

    #[test]
    fn a_secret_that_is_missing_or_has_another_form_is_refused() {
        let short = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=";
        insta::assert_snapshot!(problems(WEBHOOK, &[]), @r"3:22 alerts.webhook_secret_env: the environment variable `TOLLGATE_WEBHOOK_SECRET` is not set, or empty");
        insta::assert_snapshot!(problems(WEBHOOK, &[("TOLLGATE_WEBHOOK_SECRET", short)]), @r#"3:22 alerts.webhook_secret_env: its value is not `whsec_` and the base64 of 24 to 64 bytes (make one: echo "whsec_$(openssl rand -base64 32)")"#);
        for bad in ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_", "whsec_not base64 at all, is it?..."] {
            assert!(
                problems(WEBHOOK, &[("TOLLGATE_WEBHOOK_SECRET", bad)]).contains("its value is not `whsec_`"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_webhook_needs_its_secret_and_a_secret_its_webhook() {
        insta::assert_snapshot!(problems("[alerts]\nwebhook_url = \"ftp://example.com\"\n", &[]), @r"
        1:2 alerts.webhook_secret_env: is missing (name the variable that holds the secret which signs the alerts)
        2:15 alerts.webhook_url: must be an address that starts with https:// or http://
        ");
        let text = "[alerts]\nwebhook_secret_env = \"S\"\nslack_url = \"https://x\"\nloop_window_s = 0\n";
        insta::assert_snapshot!(problems(text, &[("S", SECRET)]), @r"
        2:22 alerts.webhook_secret_env: stands without webhook_url (say where alerts are posted)
        3:13 alerts.slack_url: secrets do not stand in this file (put it into the environment, and name the variable with slack_url_env)
        4:17 alerts.loop_window_s: must be a whole number from 1 to 86400
        ");
    }

    #[test]
    fn the_slack_address_is_never_shown() {
        let text = "[alerts]\nslack_url_env = \"SLACK\"\n";
        for bad in ["canary", "ftp://canary", "https://canary:canary@example.com"] {
            let found = problems(text, &[("SLACK", bad)]);
            assert!(found.contains("alerts.slack_url_env") && !found.contains("canary"), "{found}");
        }
        // The address itself where the variable's name belongs.
        assert!(!problems("[alerts]\nslack_url_env = \"https://canary\"\n", &[]).contains("canary"));
    }
}
