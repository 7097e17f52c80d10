use proptest::prelude::*;
use serde_json::json;

use super::{PiiKind, Redactor};

fn redact(text: &str) -> String {
    Redactor::new(&[]).redact(text).into_owned()
}

/// Pieces of text that make findings, and pieces that stand between or beside them.
const PIECES: &str = concat!(
    r"([ \-.@:/=(]|[0-9]{1,5}|[a-zé@]{1,3}|\+|password|phone |ssn |415-555-0132|a@b\.de|4111 1111 1111 1111",
    r"|DE89370400440532013000|10\.0\.0\.1|fe80::1|sk-a1b2c3d4e5f6g7h8i9j0|://|Bearer ){0,24}",
);

/// A token as its vendor writes it, put together here so that no scanner takes this file for a leak.
fn token(prefix: &str) -> String {
    format!("{prefix}{}", "4fK9aB2cD7eF1gH6iJ0kL5mN8oP3qR")
}

#[test]
fn support_texts_without_personal_data_stay_as_they_are() {
    for text in [
        "I still have not received my new card, I ordered over a week ago.",
        "It costs $1,299.00 (or 1 299,00 €, 1.299,00 EUR), minus 12.5% from 2026-01-31 on.",
        "We pay USD 1 250 000 a year for 3 000 000 000 tokens, that is 876,543,210 calls or 1234567890 bytes.",
        "Upgrade from 1.2.3.4-rc to 1.2.3.4-rc.2, v10.20.30.40, version 12.4.1.0 or Chrome 120.0.6099.109.",
        "numpy==1.26.4.1 pins four parts; tollgate 0.1.0+build.20260114 and 2.0.0-beta.3 do not.",
        "Order 4155550132 and order number 0032698674 are late, as is #876543210 and invoice 2026-000123.",
        "Where is order 112-3456789-1234567? My ticket is 20260114-0042, tracking 1Z999AA10123456784.",
        "Tracking number 00340434161094042557, ISBN 978-3-16-148410-0, EAN 4006381333931, SKU 8820-4410-77.",
        "It failed at 2026-01-14T09:30:00.123+02:00, 14.01.2026 09:30, 01/14/2026 9:30 and 1768383000123.",
        "From 09:00 to 17:00, 01-02-2024 1015 and 31.12.2024 2359; epoch 1768383000.",
        "gpt-5-mini-2026-01-01, claude-haiku-4-5, claude-3-5-sonnet-20241022, text-embedding-3-small, o3-2025-04-16",
        "tkt_0190f3b2c4d57e8f9a0b1c2d3e4f5a6b in run_0190f3b2c4d57e8f9a0b1c2d3e4f5a6b, call_0190f3b2",
        "5d41402abc4b2a76b9719d911017c592 and 8f953371d3e85eddb89b05ed6b9e680791055315c73e1025ab5dba7bb2aee189",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479 or 00000000-0000-0000-0000-000000000000",
        "See /var/log/2026/01/14/app-20260114.log:120:33, src/main.rs:42:7 and C:\\temp\\4155550132\\a.txt",
        "git clone git@github.com:acme/app.git, then npm i lodash@4.17.21 @acme/ui@2.0.0-rc.beta and icon@2x.png",
        "It listens on 127.0.0.1:8080, 0.0.0.0:80, [::1]:8080 and localhost; std::net and a::b are paths.",
        "The API key is read from OPENAI_API_KEY; set api_key_env = \"OPENAI_API_KEY\" or api_key = \"$KEY\".",
        "My password is wrong. The password: reset it. token: a word piece. secret = null, password=password",
        "Authorization: Bearer <token>, Authorization: Bearer $TOKEN; bearer authentication is required",
        "client = Client(api_key=os.environ[\"KEY\"], token=get_token(), password=args.password)",
        "{\"input_cost_per_token\": 1.6000000000000001e-06}, Bearer YOUR_KEY_1234567890, token: node.colon2_token",
        "max_tokens: 4096, tokens: 128000, temperature=0.2, top_p=0.95, seed=1234567890",
        "Ratio 3:1, chapter 4.2.1.3, 16:9, 1080x1920, 10-20 %, room 12-34-56, 5 x 100 000, A4, MP3, H264",
        "the risk-free-trial-of-the-year2026 and task-specific-instructions-number-12345",
        "Between 100 000 000 and 200 000 000 rows; 12 345 678 users, +20 000 000 a year, +15 %.",
        "postgres://app:password@db.internal/app and https://$USER:$PASSWORD@example.com are to be filled in",
        "Sample text 1 [0.01429677, 0.03077182], phone 0.5555555",
        "I lost my phone on 2026-01-14 and the call took 1200 seconds.",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn personal_data_in_support_texts_is_replaced_and_nothing_else() {
    for (text, expected) in [
        (
            "Write to „maria.lindqvist@example.com“ or <jürgen@müller.de>.",
            "Write to „<EMAIL_ADDRESS>“ or <<EMAIL_ADDRESS>>.",
        ),
        ("?to=a.b+c@mail.example.co.uk&x=1", "?to=<EMAIL_ADDRESS>&x=1"),
        ("mailto:jo_e@163.com, 12@qq.com", "mailto:<EMAIL_ADDRESS>, <EMAIL_ADDRESS>"),
        ("(me@example.com, +46 70 123 45 67), hi", "(<EMAIL_ADDRESS>, <PHONE_NUMBER>), hi"),
        (
            "Call 415.555.0132 or 1-800-555-0199 or 4155550132.",
            "Call <PHONE_NUMBER> or <PHONE_NUMBER> or <PHONE_NUMBER>.",
        ),
        (
            "ruf an: 0171/1234567, 030 1234567, 0049 30 1234567",
            "ruf an: <PHONE_NUMBER>, <PHONE_NUMBER>, <PHONE_NUMBER>",
        ),
        ("mon portable 06 12 34 56 78 ou 0612345678", "mon portable <PHONE_NUMBER> ou <PHONE_NUMBER>"),
        ("Mobile: 98765 43210; tel. 612 345 678", "Mobile: <PHONE_NUMBER>; tel. <PHONE_NUMBER>"),
        ("call me at 4155550132 2 times", "call me at <PHONE_NUMBER> 2 times"),
        ("电话13812345678", "电话<PHONE_NUMBER>"),
        ("هاتف: +٩٦٦ ٥٠ ١٢٣ ٤٥٦٧", "هاتف: <PHONE_NUMBER>"),
        ("My card is 4111 1111 1111 1111, exp 09/27 CVV 123", "My card is <CREDIT_CARD>, exp 09/27 CVV 123"),
        ("card 4111 1111 1111 1111 09/27 and 3714-496353-98431", "card <CREDIT_CARD> 09/27 and <CREDIT_CARD>"),
        ("SSN 078-05-1120, ssn: 078051121", "SSN <US_SSN>, ssn: <US_SSN>"),
        ("NHS number 0032698674; my TFN is 876543210", "NHS number <UK_NHS>; my TFN is <AU_TFN>"),
        ("CPF 529.982.247-25, pesel 44051401359", "CPF <BR_CPF>, pesel <PL_PESEL>"),
        (
            "log 203.0.113.7 -> 203.0.113.8:443/x, 10.1.0.1-10.1.0.9",
            "log <IP_ADDRESS> -> <IP_ADDRESS>:443/x, <IP_ADDRESS>-<IP_ADDRESS>",
        ),
        ("ip 8.8.8.8 is a resolver", "ip <IP_ADDRESS> is a resolver"),
        (
            "redis://:s3cr3t@cache:6379 https://bob:hunter2@example.com/",
            "redis://:<PASSWORD>@cache:6379 https://bob:<PASSWORD>@example.com/",
        ),
        (
            "DB_PASSWORD=hunter password: \"Tr0ub4dor&3\" pwd='a b c'",
            "DB_PASSWORD=<PASSWORD> password: \"<PASSWORD>\" pwd='<PASSWORD>'",
        ),
        (r#"{\"api_key\": \"9f8e7d6c5b4a\"}"#, r#"{\"api_key\": \"<API_KEY>\"}"#),
        (r#"{\"password\": \"Tr0ub4dor\", \"x\": 1}"#, r#"{\"password\": \"<PASSWORD>\", \"x\": 1}"#),
        ("write o'brien@example.ie or 'a@b.de'", "write <EMAIL_ADDRESS> or '<EMAIL_ADDRESS>'"),
        ("my password is Hunter22, please help", "my password is <PASSWORD>, please help"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic <AUTH_TOKEN>"),
        (
            "-H 'X-Api-Key: 9f8e7d6c5b4a' {\"api_key\": \"9f8e7d6c5b4a\"}",
            "-H 'X-Api-Key: <API_KEY>' {\"api_key\": \"<API_KEY>\"}",
        ),
    ] {
        assert_eq!(redact(text), expected);
    }
}

#[test]
fn every_vendors_token_is_an_api_key() {
    let long = token("") + &token("");
    let tokens = [
        token("sk-"),
        token("sk-proj-"),
        token("sk-ant-api03-"),
        format!("AIza{}", &long[..35]),
        format!("AKIA{}", &long.to_uppercase()[..16]),
        format!("ASIA{}", &long.to_uppercase()[..16]),
        token("ghp_"),
        token("github_pat_"),
        token("glpat-"),
        token("xoxb-12345-"),
        token("sk_live_"),
        token("hf_"),
        token("tg_"),
        format!("npm_{}", &long[..36]),
        format!("SG.{}.{}", &long[..22], &long[..30]),
    ];
    for token in tokens {
        assert_eq!(redact(&format!("key \"{token}\".")), "key \"<API_KEY>\".", "{token}");
        assert_eq!(redact(&format!("export KEY={token}\n")), "export KEY=<API_KEY>\n", "{token}");
    }
    let jwt = format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}", &long[..20]);
    assert_eq!(redact(&format!("Authorization: Bearer {jwt}")), "Authorization: Bearer <AUTH_TOKEN>");
    assert_eq!(redact(&jwt), "<AUTH_TOKEN>");
    assert_eq!(redact(&format!("bearer {}", token(""))), "bearer <AUTH_TOKEN>");
}

#[test]
fn a_private_key_goes_whole_even_when_it_is_cut_off() {
    let (begin, end) =
        (["-----BEGIN RSA ", "PRIVATE KEY-----"].concat(), ["-----END RSA ", "PRIVATE KEY-----"].concat());
    assert_eq!(redact(&format!("a\n{begin}\nMIIE\nabc=\n{end}\nb")), "a\n<PRIVATE_KEY>\nb");
    assert_eq!(redact(&format!("a {begin}\nMIIE\nabc")), "a <PRIVATE_KEY>");
}

#[test]
fn allowed_values_and_domains_stay() {
    let redactor = Redactor::new(&["Support@example.com".to_owned(), "@acme.org".to_owned(), "203.0.113.7".to_owned()]);
    let text = "support@EXAMPLE.com, anyone@Acme.org, 203.0.113.7, x@example.com, y@not-acme.org, 203.0.113.8";
    let expected = "support@EXAMPLE.com, anyone@Acme.org, 203.0.113.7, <EMAIL_ADDRESS>, <EMAIL_ADDRESS>, <IP_ADDRESS>";
    assert_eq!(redactor.redact(text), expected);
}

#[test]
fn findings_are_sorted_and_name_their_place() {
    let found = Redactor::new(&[]).find("ip 203.0.113.7, é a@b.de");
    let places: Vec<_> = found.iter().map(|finding| (finding.kind, finding.range.clone())).collect();
    assert_eq!(places, [(PiiKind::IpAddress, 3..14), (PiiKind::EmailAddress, 19..25)]);
}

#[test]
fn json_is_redacted_in_values_and_names_and_by_name() {
    let mut value = json!({
        "a@b.de": ["call +46 70 123 45 67", 4_111_111_111_111_111_u64, null],
        "c@d.de": {
            "password": "hunter", "api_key": "", "token": "Hello", "Authorization": "Bearer $KEY", "clientSecret": "xyz-1",
        },
        "max_tokens": 5,
    });
    Redactor::new(&[]).redact_json(&mut value);
    let expected = json!({
        "<EMAIL_ADDRESS>": ["call <PHONE_NUMBER>", 4_111_111_111_111_111_u64, null],
        "<EMAIL_ADDRESS>_2": {
            "password": "<PASSWORD>", "api_key": "", "token": "Hello", "Authorization": "<AUTH_TOKEN>",
            "clientSecret": "<API_KEY>",
        },
        "max_tokens": 5,
    });
    assert_eq!(value, expected);
    assert_eq!(
        value.as_object().unwrap().keys().collect::<Vec<_>>(),
        expected.as_object().unwrap().keys().collect::<Vec<_>>()
    );
    let once = value.clone();
    Redactor::new(&[]).redact_json(&mut value);
    assert_eq!(value, once);
}

#[test]
fn every_placeholder_stays_as_it_is() {
    for kind in PiiKind::ALL {
        for text in [kind.placeholder().to_owned(), format!("password={0} {0}@{0} {0}4111{0}", kind.placeholder())] {
            assert_eq!(redact(&text), text);
        }
        assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.as_str()));
    }
}

#[test]
fn a_long_text_takes_time_in_proportion() {
    // A search that starts over at every place would not end here.
    for unit in [
        "1-",
        "1 ",
        "12.",
        "a@",
        "a.b@c-",
        "::1",
        "password=",
        "+1",
        "sk-a1",
        "(((0",
        "-----BEGIN PRIVATE KEY",
        "AA12 ",
    ] {
        let _ = redact(&unit.repeat(100_000 / unit.len()));
    }
}

proptest! {
    #[test]
    fn redacting_twice_changes_nothing_more(text in PIECES) {
        let once = redact(&text);
        prop_assert_eq!(redact(&once), once);
    }

    #[test]
    fn any_text_is_redacted_without_a_panic(text in any::<String>()) {
        let findings = Redactor::new(&[]).find(&text);
        prop_assert!(findings.iter().all(|finding| text.get(finding.range.clone()).is_some()));
        prop_assert!(findings.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
    }
}
