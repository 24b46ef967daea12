//! Envoy's response flags: why an exchange did not end as it was meant to.
//!
//! **Source**: `CoreResponseFlag` of Envoy 1.40 and its short names,
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage>.

/// The short name of each bit, from the lowest on, as access logs have it.
const NAMES: [&str; 30] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC",
    "URX", "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR",
    "UDO",
];

/// One flag of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flag(u8);

impl Flag {
    /// How many values the label can have: every flag, and one for those that a later Envoy adds.
    pub const COUNT: usize = NAMES.len() + 1;

    /// The flags of a set; those without a name are one.
    ///
    /// **Cost**: a step for each flag that is set.
    pub fn all(bits: u64) -> impl Iterator<Item = Self> {
        let named = bits & ((1 << NAMES.len()) - 1);
        let unnamed = u64::from(bits != named) << NAMES.len();
        let mut rest = named | unnamed;
        std::iter::from_fn(move || {
            let lowest = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            u8::try_from(lowest).ok().filter(|bit| *bit < 64).map(Self)
        })
    }

    /// The value of the label `flag`.
    pub fn as_str(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or(crate::signals::OTHER)
    }
}
