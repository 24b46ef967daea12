//! Envoy's response flags as its access log writes them.

use std::fmt::Write as _;

/// The short words, by bit. **Source**: Envoy 1.40, `source/common/stream_info/utility.h`, `CORE_RESPONSE_FLAGS`.
const WORDS: [&str; 29] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC",
    "URX", "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR",
];

/// The flags of these bits: `UF,URX`; empty if there is none. Bits without a word are one number: `0x40000000`.
pub fn words(flags: u64) -> String {
    let is_set =
        |place: usize| flags.checked_shr(u32::try_from(place).unwrap_or(64)).unwrap_or(0) & 1 != 0;
    let known = WORDS.iter().enumerate().filter(|(place, _)| is_set(*place));
    let mut text = known.map(|(_, word)| *word).collect::<Vec<_>>().join(",");
    let others = flags >> WORDS.len();
    if others != 0 {
        let separator = if text.is_empty() { "" } else { "," };
        // Writing to a string can not fail.
        let _ = write!(text, "{separator}{:#x}", others << WORDS.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn flags_are_written_as_envoy_writes_them() {
        for (flags, text) in [
            (0, ""),
            (0x20, "UF"),
            (0x8020, "UF,URX"),
            (1 << 28, "DR"),
            (0x2 | 1 << 30, "UH,0x40000000"),
            (1 << 63, "0x8000000000000000"),
        ] {
            assert_eq!(words(flags), text);
        }
    }
}
