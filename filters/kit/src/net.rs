//! Addresses and address ranges.
//!
//! One family of numbers underneath: an IPv4 address is held as its IPv6-mapped form (RFC 4291, 2.5.5.2),
//! so that `192.0.2.1` and `::ffff:192.0.2.1` are one client and one range test serves both.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::exchange::{Attribute, Exchange};

/// A range of addresses, such as `10.0.0.0/8`, `2001:db8::/32` or the single `192.0.2.1`.
///
/// **Cost**: a test is one mask and one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    base: u128,
    /// Leading bits that count, of the 128 of the mapped form.
    bits: u32,
}

/// Where the IPv4 bits begin in the mapped form.
const MAPPED_BITS: u32 = 96;

impl Net {
    /// Whether the address lies in the range; a mapped IPv4 address lies where its IPv4 form does.
    pub fn contains(self, address: IpAddr) -> bool {
        mapped(address) & mask(self.bits) == self.base
    }
}

/// The forms that [`Net`] is read from, for messages.
pub const NET_FORMS: &str = "an address or a range, such as \"10.0.0.0/8\" or \"2001:db8::/32\"";

/// Why a text is no range; its `Display` tells how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The part before the slash is no address.
    #[error("write the address in digits, as in \"192.0.2.0/24\"")]
    Address,
    /// The part after the slash is no length of a prefix.
    #[error("end it with /0 to /{max}")]
    Bits {
        /// The longest prefix of this family.
        max: u32,
    },
    /// Bits behind the prefix are set: which range was meant is unclear.
    #[error("write {start}, or {address} for the one address")]
    HostBits {
        /// The range with those bits cleared.
        start: String,
        /// The address alone.
        address: IpAddr,
    },
}

impl FromStr for Net {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetError::Address)?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let own = match bits {
            None => max,
            Some(bits) => small_number(bits).filter(|n| *n <= max).ok_or(NetError::Bits { max })?,
        };
        let bits = own.saturating_add(128_u32.saturating_sub(max));
        let base = mapped(address) & mask(bits);
        if base != mapped(address) {
            let start = format!("{}/{own}", masked(address, own));
            return Err(NetError::HostBits { start, address });
        }
        Ok(Self { base, bits })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from(self.base);
        match address.to_ipv4_mapped().filter(|_| self.bits >= MAPPED_BITS) {
            Some(v4) if self.bits == 128 => write!(f, "{v4}"),
            Some(v4) => write!(f, "{v4}/{}", self.bits.saturating_sub(MAPPED_BITS)),
            None if self.bits == 128 => write!(f, "{address}"),
            None => write!(f, "{address}/{}", self.bits),
        }
    }
}

/// The address with all bits behind the first `bits` cleared; `bits` beyond the family's length clear none.
pub fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & mask(bits)).into()),
    }
}

/// The client's address as Envoy resolved it; a mapped IPv4 address comes as IPv4.
///
/// `None` where the client has no IP address (an internal listener, a Unix socket).
///
/// **Cost**: one host call, once per exchange whoever asks ([`Attribute::SourceAddress`]).
/// **Trust**: what Envoy's `use_remote_address` and `xff_num_trusted_hops` make of it;
/// without them a client may write any address into `x-forwarded-for`.
pub fn client_address(x: &dyn Exchange) -> Option<IpAddr> {
    parse_peer(&x.attribute(Attribute::SourceAddress)?)
}

/// The address in Envoy's form of a peer: `192.0.2.1:80`, `[2001:db8::1]:80`, `[fe80::1%2]:80`.
///
/// Any other form, such as `envoy://…` or a path of a socket, has no address.
pub fn parse_peer(peer: &[u8]) -> Option<IpAddr> {
    let (host, port) = std::str::from_utf8(peer).ok()?.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let address: IpAddr = match host.strip_prefix('[') {
        Some(v6) => {
            let v6 = v6.strip_suffix(']')?;
            let v6 = v6.split_once('%').map_or(v6, |(address, _zone)| address);
            IpAddr::V6(v6.parse().ok()?)
        }
        None => IpAddr::V4(host.parse().ok()?),
    };
    Some(address.to_canonical())
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

fn mask(bits: u32) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0)
}

/// Digits only: no sign, nothing else that `parse` would take.
fn small_number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
