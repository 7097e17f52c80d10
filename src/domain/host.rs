use std::net::IpAddr;

/// Whether a URL's host is this machine: `localhost`, or an address that never leaves it. IPv6 may stand in brackets.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for here in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["", "0.0.0.0", "10.0.0.1", "localhost.example.com", "[2001:db8::1]", "127.0.0.1.example.com"]
        {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
