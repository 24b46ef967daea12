use super::*;
use proptest::prelude::*;

fn net(text: &str) -> Net {
    text.parse().unwrap()
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn ranges_hold_the_addresses_of_their_family() {
    for (range, address, inside) in [
        ("10.0.0.0/8", "10.255.255.255", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.0/31", "192.0.2.1", true),
        ("192.0.2.0/31", "192.0.2.2", false),
        ("0.0.0.0/0", "255.1.2.3", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("::/0", "192.0.2.1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::", false),
        ("::1", "::1", true),
        ("::1", "::2", false),
        // The mapped form is the same client.
        ("192.0.2.0/24", "::ffff:192.0.2.7", true),
        ("::ffff:192.0.2.0/120", "192.0.2.7", true),
        ("::ffff:192.0.2.0/120", "192.0.3.7", false),
    ] {
        assert_eq!(net(range).contains(address.parse().unwrap()), inside, "{range} {address}");
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_text_that_is_no_range_says_how_to_mend_it() {
    let digits = "write the address in digits, as in \"192.0.2.0/24\"";
    for (text, mend) in [
        ("", digits),
        ("localhost", digits),
        ("10.0.0/8", digits),
        ("010.0.0.0/8", digits),
        ("[::1]", digits),
        ("10.0.0.0/33", "end it with /0 to /32"),
        ("10.0.0.0/", "end it with /0 to /32"),
        ("10.0.0.0/+8", "end it with /0 to /32"),
        ("10.0.0.0/99999999999", "end it with /0 to /32"),
        ("::/129", "end it with /0 to /128"),
        ("10.1.2.3/8", "write 10.0.0.0/8, or 10.1.2.3 for the one address"),
        ("2001:db8::1/32", "write 2001:db8::/32, or 2001:db8::1 for the one address"),
    ] {
        assert_eq!(text.parse::<Net>().map_err(|error| error.to_string()), Err(mend.to_owned()));
    }
}

#[test]
fn a_range_prints_as_it_is_written() {
    for text in
        ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.1", "::/0", "::1", "2001:db8::/32", "2001:db8::1"]
    {
        assert_eq!(net(text).to_string(), text);
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn peers_of_every_form_are_read() {
    for (peer, address) in [
        ("192.0.2.1:4711", Some("192.0.2.1")),
        ("7.7.7.7:0", Some("7.7.7.7")),
        ("[::1]:42290", Some("::1")),
        ("[2001:db8::1]:1", Some("2001:db8::1")),
        ("[fe80::1%2]:80", Some("fe80::1")),
        ("[::ffff:192.0.2.1]:80", Some("192.0.2.1")),
        ("192.0.2.1", None),
        ("::1", None),
        ("[192.0.2.1]:80", None),
        ("[::1]", None),
        ("[::1:80", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:70000", None),
        ("envoy://internal_client_address/", None),
        ("envoy://internal_client_address/id:1", None),
        ("/var/run/weir.sock", None),
        ("@weir", None),
        ("", None),
    ] {
        let address = address.map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(parse_peer(peer.as_bytes()), address, "{peer}");
    }
    assert_eq!(parse_peer(b"\xff:80"), None);
}

/// Bit by bit, over the address in its own family where both have the same.
fn slow_contains(base: IpAddr, own_bits: u32, address: IpAddr) -> bool {
    fn bits(address: IpAddr) -> Vec<bool> {
        let octets = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1)).collect()
    }
    fn widen(address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
            v6 @ IpAddr::V6(_) => v6,
        }
    }
    let n = if base.is_ipv4() { own_bits + 96 } else { own_bits } as usize;
    bits(widen(base))[..n] == bits(widen(address))[..n]
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    // Close together, so that ranges are hit as well as missed.
    let v4 = prop_oneof![any::<u32>(), 0..4_u32, (0..8_u32).prop_map(|n| 0xc000_0200 + n)];
    let v6 = prop_oneof![any::<u128>(), 0..4_u128, (0..8_u128).prop_map(|n| 0xffff_c000_0200 + n)];
    prop_oneof![
        v4.prop_map(|bits| IpAddr::V4(bits.into())),
        v6.prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

proptest! {
    #[test]
    fn a_range_agrees_with_the_slow_model(base in any_address(), bits in 0..=128_u32, address in any_address()) {
        let bits = if base.is_ipv4() { bits % 33 } else { bits };
        let base = masked(base, bits);
        let range: Net = format!("{base}/{bits}").parse().unwrap();
        prop_assert_eq!(range.contains(address), slow_contains(base, bits, address));
        prop_assert_eq!(range.to_string().parse::<Net>(), Ok(range));
    }

    #[test]
    fn a_peer_prints_and_reads_back(address in any_address(), port: u16) {
        let peer = std::net::SocketAddr::new(address, port).to_string();
        prop_assert_eq!(parse_peer(peer.as_bytes()), Some(address.to_canonical()));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, text: String) {
        let _ = (parse_peer(&bytes), text.parse::<Net>());
    }
}
