//! Presidio's own pattern cases: the texts and the expected numbers of findings from the tables in
//! `presidio-analyzer/tests/test_*_recognizer.py` of <https://github.com/microsoft/presidio> (MIT licence).
//!
//! [`DIFFERENT`] lists the cases that this module decides otherwise, with the reason.

use super::PiiKind::{self, *};
use super::Redactor;
use super::presidio_ip::IP_ADDRESSES;

const MET: &[(PiiKind, &[(&str, usize)])] = &[
    (
        CreditCard,
        &[
            ("4012888888881881 4012-8888-8888-1881 4012 8888 8888 1881", 3),
            ("122000000000003", 1),
            ("my credit card: 122000000000003", 1),
            ("371449635398431", 1),
            ("5555555555554444", 1),
            ("5019717010103742", 1),
            ("30569309025904", 1),
            ("6011000400000000", 1),
            ("3528000700000000", 1),
            ("6759649826438453", 1),
            ("4111111111111111", 1),
            ("4917300800000000", 1),
            ("4484070000000000", 1),
            ("4012-8888-8888-1882", 0),
            ("my credit card number is 4012-8888-8888-1882", 0),
            ("36168002586008", 0),
            ("my credit card number is 36168002586008", 0),
        ],
    ),
    (
        Crypto,
        &[
            ("16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", 1),
            ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", 1),
            ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", 1),
            ("bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297", 1),
            ("16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", 2),
            ("my wallet address is: 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", 1),
            ("16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ2", 0),
            ("my wallet address is: 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ2", 0),
            ("", 0),
            ("8f953371d3e85eddb89b05ed6b9e680791055315c73e1025ab5dba7bb2aee189", 0),
        ],
    ),
    (
        EmailAddress,
        &[
            ("info@presidio.site", 1),
            ("my email address is info@presidio.site", 1),
            ("try one of these emails: info@presidio.site or anotherinfo@presidio.site", 2),
            ("my email is info@presidio.", 0),
        ],
    ),
    (
        PhoneNumber,
        &[
            ("My US number is (415) 555-0132, and my international one is +1 415 555 0132", 2),
            ("My Israeli number is 09-7625400", 1),
            ("_: (415)555-0132", 1),
            ("United States: (415)555-0132", 1),
            ("US: 415-555-0132", 1),
            ("_: +55 11 98456 5666", 1),
            ("Brazil: +55 11 98456 5666", 1),
            ("BR: +55 11 98456 5666", 1),
            ("My Japanese number is 090-1234-5678", 1),
            ("My UK number is 020 7946 0958", 1),
            ("My US number is (415) 555-0132, and my international one is415-555-0132", 1),
            ("My US number is (415) 555-0132, and my international one is 91-415-555-0132", 2),
            ("My US number is (415) 555-0132, and my international one is +91 4155 550132", 2),
            ("My US number is (415) 555-0132, and my international one is +91 4155550132", 2),
            ("My US number is (415) 555-0132, and my international one is +44 (20) 7123 4567", 2),
            ("My US number is (415) 555-0132, and my international one is +55 11 98456 5666", 2),
            ("My US number is (415) 555-0132, and my international one is +49 30 1234567", 2),
            ("My US number is (415) 555-0132, and my international one is +39 06 678 4343", 2),
            ("My US number is (415) 555-0132, and my international one is +30 21 0 1234567", 2),
            ("My US number is (415) 555-0132, and my international one is +33 1 42 68 53 00", 2),
        ],
    ),
    (
        UsSsn,
        &[
            ("078-05-1123", 1),
            ("078.05.1123", 1),
            ("078 05 1123", 1),
            ("0780511201", 0),
            ("078051120", 0),
            ("000000000", 0),
            ("666000000", 0),
            ("078-05-0000", 0),
            ("078 00 1123", 0),
            ("693-09.4444", 0),
        ],
    ),
    (
        UsItin,
        &[("911-70-1234", 1), ("911-53-1234", 1), ("911-64-1234", 1), ("911-89-1234", 0), ("my tax id 911-89-1234", 0)],
    ),
    (UkNhs, &[("401-023-2137", 1), ("221 395 1837", 1), ("401-023-2138", 0)]),
    (
        UkNino,
        &[
            ("AA 12 34 56 B", 1),
            ("hh 01 02 03 d", 1),
            ("tw987654a", 1),
            ("nino: PR 123612C", 1),
            ("Here is my National Insurance Number YZ 61 48 68 B", 1),
            ("AA 12 34 56 H", 0),
            ("FQ 00 00 00 C", 0),
            ("BG123612A", 0),
            ("nino: nt 99 88 77 a", 0),
            ("This isn't a valid national insurance number UV 98 76 54 B", 0),
        ],
    ),
    (
        EsNif,
        &[
            ("55555555K", 1),
            ("55555555-K", 1),
            ("1111111-G", 1),
            ("1111111G", 1),
            ("01111111G", 1),
            ("401-023-2138", 0),
        ],
    ),
    (
        EsNie,
        &[
            ("Z8078221M", 1),
            ("X9613851N", 1),
            ("Y8063915Z", 1),
            ("Y8063915-Z", 1),
            ("Mi NIE es X9613851N", 1),
            ("Z8078221M en mi NIE", 1),
            ("Mi Número de identificación de extranjero es Y8063915-Z", 1),
            ("Y8063915Q", 0),
            ("Y806391Q", 0),
            ("58063915Q", 0),
            ("W8063915Q", 0),
        ],
    ),
    (
        ItFiscalCode,
        &[
            ("AAAAAA00B11C333Y", 1),
            ("AAAAAA00B11C333N", 1),
            ("AAAAAA - 00B11C333N", 0),
            ("A55AAA00B11C333N", 0),
            ("AAAAAA00B11C333Y and AAAAAA00B11C333N", 2),
        ],
    ),
    (PlPesel, &[("1111321111", 0), ("11110021111", 0), ("11-11-11-11114", 0)]),
    (
        DeTaxId,
        &[
            ("12345678903", 1),
            ("98765432106", 1),
            ("Meine Steuer-ID: 12345678903.", 1),
            ("IdNr. 98765432106 liegt vor.", 1),
            ("12345678901", 0),
            ("98765432100", 0),
            ("02345678901", 0),
            ("1234567890", 0),
            ("123456789030", 0),
            ("11111111111", 0),
            ("11112345678", 0),
        ],
    ),
    (
        AuTfn,
        &[
            ("876 543 210", 1),
            ("824 753 557", 0),
            ("824753557", 0),
            ("5282475355632", 0),
            ("52824753556AF", 0),
            ("51 824 753 5564", 0),
            ("123 456\n789", 0),
        ],
    ),
    (
        AuAbn,
        &[
            ("51 824 753 556", 1),
            ("51824753556", 1),
            ("52 824 753 556", 0),
            ("52824753556", 0),
            ("5282475355632", 0),
            ("52824753556AF", 0),
            ("51 824 753 5564", 0),
            ("123 456\n789", 0),
        ],
    ),
    (
        AuMedicare,
        &[
            ("2123 45670 1", 1),
            ("2123 25870 1", 0),
            ("2123258701", 0),
            ("212345670221", 0),
            ("2123456702AF", 0),
            ("123 456\n789", 0),
        ],
    ),
    (
        InAadhaar,
        &[
            ("123456789012", 0),
            ("1234 5678 9012", 0),
            ("3123 4567 8909", 1),
            ("3998 7654 3211", 1),
            ("1234-5678-9012", 0),
            ("3123-4567-8909", 1),
            ("3998-7654-3211", 1),
            ("1234:5678:9012", 0),
            ("3123:4567:8909", 1),
            ("3998:7654:3211", 1),
            ("My Aadhaar number is 400123456787 with a lot of text beyond it", 1),
        ],
    ),
    (InPan, &[("ABCPD1234Z", 1), ("ABCD1234", 0), ("My PAN number is ABBPM4567S with a lot of text beyond it", 1)]),
    (
        SgNricFin,
        &[
            ("S2740116C", 1),
            ("T1234567Z", 1),
            ("F2346401L", 1),
            ("G1122144L", 1),
            ("M4332674T", 1),
            ("S9108268C T7572225C", 2),
            ("NRIC S2740116C was processed", 1),
            ("PA12348L", 0),
            ("", 0),
        ],
    ),
    (
        FiPersonalIdentityCode,
        &[
            ("010594Y9032", 1),
            ("My personal identity code is: 010594Y9032. Thank you.", 1),
            ("010594Y9021", 1),
            ("020594X903P", 1),
            ("020594X903P is my hetu.", 1),
            ("020594X902N", 1),
            ("Here's my henkilötunnus 020594X902N.", 1),
            ("030594W903B", 1),
            ("030694W9024", 1),
            ("040594V9030", 1),
            ("040594V902Y", 1),
            ("050594U903M", 1),
            ("050594U902L", 1),
            ("010516B903X", 1),
            ("010516B902W", 1),
            ("020516C903K", 1),
            ("020516C902J", 1),
            ("030516D9037", 1),
            ("030516D9026", 1),
            ("010501E9032", 1),
            ("020502E902X", 1),
            ("020503F9037", 1),
            ("020504A902E", 1),
            ("020504B904H", 1),
            ("111111-111A", 0),
            ("111111+110G", 0),
            ("311190-1111", 0),
            ("310289-211C", 0),
            ("012245A110G", 0),
            ("010324A110G", 0),
        ],
    ),
    (IpAddress, IP_ADDRESSES),
];

/// A text, and how often Presidio finds the kind in it.
type Case = (PiiKind, &'static str, usize);

/// Cases in which Presidio finds something and this module, for the reason given, nothing of the kind.
const DIFFERENT: &[(&str, &[Case])] = &[
    (
        "digits alone may be an order's number; taken when a word before announces them",
        &[
            (UsSsn, "078051121", 1),
            (UsItin, "911701234", 1),
            (UsItin, "911-701234 91170-1234", 2),
            (UkNhs, "0032698674", 1),
            (AuTfn, "876543210", 1),
            (AuMedicare, "2123456701", 1),
            (InAadhaar, "312345678909", 1),
            (InAadhaar, "399876543211", 1),
            (PhoneNumber, "My CN number is 13812345678", 1),
        ],
    ),
    (
        "Presidio's lowest scores, which would take any such word",
        &[
            (InPan, "AAASA1111R", 1),
            (InPan, "ABCND1234Z", 1),
            (InPan, "A1111DFSFS", 1),
            (SgNricFin, "A1234567Z", 1),
            (SgNricFin, "B1234567Z", 1),
            (FiPersonalIdentityCode, "My finnish id code is030594W903B.", 1),
        ],
    ),
    (
        "loopback and unspecified addresses identify nobody",
        &[
            (IpAddress, "localhost 127.0.0.1", 1),
            (IpAddress, "Default 0.0.0.0", 1),
            (IpAddress, "0.0.0.0/0", 1),
            (IpAddress, "::ffff:127.0.0.1", 1),
            (IpAddress, "::ffff:0.0.0.0", 1),
            (IpAddress, "my ip: ::1", 1),
            (IpAddress, "connecting from ::1", 1),
            (IpAddress, "Loopback ::1", 1),
            (IpAddress, "::1/128", 1),
            (IpAddress, "Use local ipv6 ::", 1),
            (IpAddress, "src=:: dst=::1", 2),
            (IpAddress, "Unspecified ::", 1),
            (IpAddress, "::/0", 1),
            (IpAddress, "::/128", 1),
        ],
    ),
    (
        "the check digit is wrong (it is 6), and Presidio's recognizer says so too since version 2.2.366",
        &[(PlPesel, "11111111114", 1), (PlPesel, "My pesel is 11111111114.", 1)],
    ),
    ("five numbers with dots are a version", &[(IpAddress, "192.168.1.1.1", 1)]),
];

pub(super) fn count(kind: PiiKind, text: &str) -> usize {
    Redactor::new(&[]).find(text).iter().filter(|finding| finding.kind == kind).count()
}

#[test]
fn presidios_cases_give_presidios_numbers() {
    for (kind, cases) in MET {
        for (text, expected) in *cases {
            assert_eq!(count(*kind, text), *expected, "{kind} in {text:?}");
        }
    }
}

#[test]
fn the_cases_decided_otherwise_find_nothing() {
    for (reason, cases) in DIFFERENT {
        for (kind, text, in_presidio) in *cases {
            assert!(*in_presidio > 0);
            assert_eq!(count(*kind, text), 0, "{kind} in {text:?}: {reason}");
        }
    }
}
