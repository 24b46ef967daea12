//! Envoy's response flags as the words that access logs have for them.
//!
//! **Source**: `CoreResponseFlag` of Envoy 1.40, in its order;
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage#response-flags>.

/// The words, from the lowest bit on.
const WORDS: [&str; 30] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC",
    "URX", "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR",
    "UDO",
];

/// The words of these flags, from the lowest bit on; bits that this version does not know are left out.
pub fn words(flags: u64) -> impl Iterator<Item = &'static str> {
    WORDS.iter().enumerate().filter(move |(bit, _)| flags >> bit & 1 == 1).map(|(_, word)| *word)
}
