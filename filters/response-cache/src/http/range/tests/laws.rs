//! Laws over all ranges.

use proptest::prelude::*;

use super::*;

fn spec() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..3_000_u64, 0..3_000_u64).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (0..3_000_u64).prop_map(|first| format!("{first}-")),
        (0..3_000_u64).prop_map(|length| format!("-{length}")),
    ]
}

proptest! {
    /// 17.15: no request makes an answer that is much larger than the body.
    #[test]
    fn an_answer_is_larger_by_one_head_and_the_end_at_most(
        specs in prop::collection::vec(spec(), 1..20),
        len in 0..2_000_usize,
        kind in "[a-z]{0,40}",
    ) {
        let range = format!("bytes={}", specs.join(","));
        let request = Headers::new(&[(":method", "GET"), ("range", &range)]);
        let stored = Headers::new(&[("content-type", &kind)]);
        if let Ranged::Partial { body, .. } = ranged(&request, &stored, &vec![b'x'; len], 7) {
            prop_assert!(body.len() <= len + kind.len() + 130, "{} of {len}", body.len());
        }
    }

    /// Every byte that is asked for is sent, as it is in the body.
    #[test]
    fn one_range_is_that_slice(first in 0..50_usize, last in 0..50_usize, body: Vec<u8>) {
        let range = format!("bytes={first}-{last}");
        let request = Headers::new(&[(":method", "GET"), ("range", &range)]);
        let found = ranged(&request, &Headers::default(), &body, 7);
        match body.get(first..=last.min(body.len().saturating_sub(1))) {
            _ if first > last => prop_assert_eq!(found, Ranged::Whole),
            Some(part) if !part.is_empty() => {
                let Ranged::Partial { body, .. } = found else { panic!("{found:?}") };
                prop_assert_eq!(&body, part);
            }
            _ => {
                let unsatisfiable = matches!(found, Ranged::Unsatisfiable { .. });
                prop_assert!(unsatisfiable);
            }
        }
    }

    #[test]
    fn no_bytes_do_harm(range: Vec<u8>, if_range: Vec<u8>, body: Vec<u8>) {
        let request = Headers::new(&[
            (&b":method"[..], &b"GET"[..]),
            (b"range", &range),
            (b"if-range", &if_range),
        ]);
        let _ = ranged(&request, &Headers::default(), &body, 7);
    }
}
