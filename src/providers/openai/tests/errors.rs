use super::*;

#[test]
fn statuses_and_codes_mean_what_the_vendor_documents() {
    for (status, body, kind) in [
        (401, fixture!("error_invalid_key.json"), "unauthorized"),
        (403, "{\"error\":{\"message\":\"Country not supported\"}}", "unauthorized"),
        (404, fixture!("error_model_not_found.json"), "no_such_model"),
        (
            400,
            "{\"object\":\"error\",\"message\":\"Invalid model: x\",\"type\":\"invalid_model\",\"code\":\"1500\"}",
            "no_such_model",
        ),
        (404, "{\"error\":{\"message\":\"model 'x' not found, try pulling it first\"}}", "no_such_model"),
        (
            404,
            "{\"object\":\"error\",\"message\":\"The model `x` does not exist.\",\"type\":\"NotFoundError\",\"code\":404}",
            "no_such_model",
        ),
        (
            404,
            "{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"The API deployment for this resource does not exist.\"}}",
            "no_such_model",
        ),
        (404, "{\"detail\":\"Not Found\"}", "bad_request"),
        (429, fixture!("error_rate_limit.json"), "rate_limited"),
        (429, fixture!("error_insufficient_quota.json"), "quota_spent"),
        (429, "{\"error\":{\"message\":\"x\",\"code\":\"billing_not_active\"}}", "quota_spent"),
        (
            429,
            "[{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota\",\"status\":\"RESOURCE_EXHAUSTED\"}}]",
            "rate_limited",
        ),
        (402, "Insufficient Balance", "quota_spent"),
        (400, fixture!("error_context_length.json"), "bad_request"),
        (422, "{\"detail\":[{\"msg\":\"Extra inputs are not permitted\"}]}", "bad_request"),
        (408, "", "unavailable"),
        (500, fixture!("error_server.json"), "unavailable"),
        (503, "overloaded", "unavailable"),
        (529, "\u{0}\u{1}", "unavailable"),
    ] {
        assert_eq!(error(status, body).kind(), kind, "{status} {body}");
    }
}

#[test]
fn what_the_vendor_says_is_passed_on_with_what_to_check() {
    let wait = Some(Duration::from_secs(2));
    assert_eq!(error(404, fixture!("error_model_not_found.json")).to_string(), "the provider has no model `gpt-9`");
    assert_eq!(error(503, "").to_string(), "the vendor is failing (status 503): no reason given");
    assert_eq!(error(503, "").retry_after(), wait);
    assert_eq!(error(429, "slow down").retry_after(), wait);
    assert!(error(404, "{\"detail\":\"Not Found\"}").to_string().contains("check base_url: Not Found"));
    let said = error(401, "{\"error\":\"no\"}").to_string();
    assert_eq!(said, "the vendor did not accept the key from `K` (status 401): no");
}
