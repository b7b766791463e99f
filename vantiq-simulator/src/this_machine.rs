//! [`is_this_machine`]: whether a host is the machine that this runs on.

use std::net::IpAddr;

/// Whether a host, by name or address and without a port, is this machine. Nothing is looked up: a name that resolves
/// to 127.0.0.1 today may be anybody's.
pub fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_localhost_and_what_loops_back() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.1", "[::1]", "::1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "desk.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
