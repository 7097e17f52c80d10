use std::fmt;

use serde::Serialize;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $entity:literal;)*) => {
        /// What a piece of text is, named as Presidio names it where Presidio knows the kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(into = "&'static str")]
        pub enum PiiKind {
            $($(#[$doc])* $name,)*
        }

        impl PiiKind {
            /// Every kind, in the order in which overlapping ones win.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The entity's name, such as `EMAIL_ADDRESS`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $entity,)*
                }
            }

            /// What stands in the text afterwards, such as `<EMAIL_ADDRESS>`.
            pub const fn placeholder(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("<", $entity, ">"),)*
                }
            }
        }
    };
}

kinds! {
    /// A PEM block with a private key, also one that was cut off.
    PrivateKey = "PRIVATE_KEY";
    /// A vendor's key or token, recognized by its prefix, or the value given to something called a key or a token.
    ApiKey = "API_KEY";
    /// A JSON web token, or what follows `Bearer` or `Basic` in an `Authorization` header.
    AuthToken = "AUTH_TOKEN";
    /// A password: in a URL, or given to something called a password.
    Password = "PASSWORD";
    /// An e-mail address.
    EmailAddress = "EMAIL_ADDRESS";
    /// An international bank account number.
    IbanCode = "IBAN_CODE";
    /// A Bitcoin address with a correct checksum.
    Crypto = "CRYPTO";
    /// An IP address of version 4 or 6, with its network suffix.
    IpAddress = "IP_ADDRESS";
    /// A payment card's number.
    CreditCard = "CREDIT_CARD";
    /// An Italian fiscal code.
    ItFiscalCode = "IT_FISCAL_CODE";
    /// A Finnish personal identity code.
    FiPersonalIdentityCode = "FI_PERSONAL_IDENTITY_CODE";
    /// A Spanish tax number of a resident foreigner.
    EsNie = "ES_NIE";
    /// A Spanish tax number of a citizen.
    EsNif = "ES_NIF";
    /// A British national insurance number.
    UkNino = "UK_NINO";
    /// An Indian permanent account number.
    InPan = "IN_PAN";
    /// A Singaporean identity card's number, of a citizen or a foreigner.
    SgNricFin = "SG_NRIC_FIN";
    /// A United States social security number.
    UsSsn = "US_SSN";
    /// A United States individual taxpayer number.
    UsItin = "US_ITIN";
    /// A British health service number.
    UkNhs = "UK_NHS";
    /// An Indian Aadhaar number.
    InAadhaar = "IN_AADHAAR";
    /// A Polish personal number.
    PlPesel = "PL_PESEL";
    /// A German tax identification number.
    DeTaxId = "DE_TAX_ID";
    /// An Australian business number.
    AuAbn = "AU_ABN";
    /// An Australian Medicare card's number.
    AuMedicare = "AU_MEDICARE";
    /// An Australian tax file number.
    AuTfn = "AU_TFN";
    /// A Brazilian taxpayer number.
    BrCpf = "BR_CPF";
    /// A telephone number.
    PhoneNumber = "PHONE_NUMBER";
}

impl From<PiiKind> for &'static str {
    fn from(kind: PiiKind) -> Self {
        kind.as_str()
    }
}

impl fmt::Display for PiiKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
