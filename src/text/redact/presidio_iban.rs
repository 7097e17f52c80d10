//! Presidio's cases of bank accounts, from `presidio-analyzer/tests/test_iban_recognizer.py` of
//! <https://github.com/microsoft/presidio> (MIT licence).

use super::PiiKind::IbanCode;
use super::Redactor;
use super::presidio_cases::count;

/// The valid numbers of Presidio's table; each stands there without gaps and in groups of four.
const IBANS: &str = "AL47212110090000000235698741 AD1200012030200359100100 AT611904300234573201 \
    AZ21NABZ00000000137010001944 BH67BMAG00001299123456 BY13NBRB3600900000002Z00AB00 BE68539007547034 BE71096123456769 \
    BA391290079401028494 BR9700360305000010009795493P1 BG80BNBG96611020345678 CR05015202001026284066 \
    HR1210010051863000160 CY17002001280000001200527600 CZ6508000000192000145399 DK5000400440116243 \
    DO28BAGR00000001212453611324 TL380080012345678910157 EE382200221020145685 FO6264600001631634 FI2112345600000785 \
    FR1420041010050500013M02606 GE29NB0000000101904917 DE89370400440532013000 GI75NWBK000000007099453 \
    GR1601101250000000012300695 GL8964710001000206 GT82TRAJ01020000001210029690 HU42117730161111101800000000 \
    IS140159260076545510730339 IE29AIBK93115212345678 IL620108000000099999999 IT60X0542811101000000123456 \
    JO94CBJO0010000000000131000302 KZ86125KZT5004100100 XK051212012345678906 KW81CBKU0000000000001234560101 \
    LV80BANK0000435195001 LB62099900000001001901229114 LI21088100002324013AA LT121000011101001000 \
    LU280019400644750000 MT84MALT011000012345MTLCAST001S MR1300020001010000123456753 \
    MU17BOMM0101101030300200000MUR MD24AG000225100013104168 MC5811222000010123456789030 ME25505000012345678951 \
    NL91ABNA0417164300 MK07250120000058984 NO9386011117947 PK36SCBL0000001123456702 PS92PALS000000000400123456702 \
    PL61109010140000071219812874 PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG RO49AAAA1B31007593840000 \
    SM86U0322509800000000270100 SA0380000000608010167519 RS35260005601001611379 SK3112000000198742637541 \
    SI56263300012039086 ES9121000418450200051332 SE4550000000058398257466 CH9300762011623852957 \
    TN5910006035183598478831 TR330006100519786457841326 AE070331234567890123456 GB29NWBK60161331926819 \
    VA59001123000012345678 VG96VPVG0000012345678901";

/// Its other rows.
const IBAN_TEXTS: &[(&str, usize)] = &[
    ("this is an iban VG96 VPVG 0000 0123 4567 8901 in a sentence", 1),
    ("this is an iban VG96 VPVG 0000 0123 4567 8901 X in a sentence", 1),
    ("list of ibans: AL47212110090000000235698741, AL47212110090000000235698741", 2),
    ("AB150120690000003111141", 0),
    ("IL15 0120 6900 0000", 0),
    ("IL15 0120 6900 0000 3111 0120 6900 0000 3111 141", 0),
    ("IL150120690000003111141", 0),
    ("AM47212110090000000235698740", 0),
    ("G T82 TRAJ 0102 0000 0012 1002 9690", 0),
    ("GI75 aWBK 0000 0000 7099 453", 0),
    ("KW81 aBKU 0000 0000 0000 1234 5601 01", 0),
    ("LV80 bANK 0000 4351 9500 1", 0),
    ("EE38 2200 2210  014 5686", 0),
    ("HR12 001 0051 8630 0016 A", 0),
    ("Dalla's Pizza | 3843 Peartree Road, Bamblee, SD 20241 440-600-5124", 0),
];

#[test]
fn every_countrys_account_is_found_whole_with_and_without_gaps() {
    for compact in IBANS.split_whitespace() {
        let grouped: Vec<&str> = compact.as_bytes().chunks(4).map(|four| std::str::from_utf8(four).unwrap()).collect();
        for text in [compact.to_owned(), grouped.join(" "), grouped.join("-"), compact.to_lowercase()] {
            assert_eq!(Redactor::new(&[]).redact(&text), "<IBAN_CODE>", "{text}");
        }
    }
    for (text, expected) in IBAN_TEXTS {
        assert_eq!(count(IbanCode, text), *expected, "{text:?}");
    }
}

/// Presidio's table makes its wrong numbers the same way: another last character, a letter among the digits, one less.
#[test]
fn an_account_with_one_wrong_character_is_not_found() {
    for compact in IBANS.split_whitespace() {
        let (rest, last) = compact.split_at(compact.len() - 1);
        let other =
            if last == "9" || last == "Z" { "0".to_owned() } else { ((last.as_bytes()[0] + 1) as char).to_string() };
        let letter = format!("{}A{}", &compact[..4], &compact[5..]);
        let texts = [format!("{rest}{other}"), rest.to_owned(), format!("{compact}0")];
        for text in texts.iter().chain((letter != compact).then_some(&letter)) {
            assert_eq!(count(IbanCode, text), 0, "{text}");
        }
    }
}
