//! Laws of purging over all inputs.
#![cfg(test)]
#![cfg(not(target_arch = "wasm32"))]

mod purging;

use kit::Nanos;
use kit::fake::FakeHost;
use proptest::prelude::*;
use weir_response_cache::store::purges::glob::Glob;
use weir_response_cache::store::purges::marks::Marks;
use weir_response_cache::store::purges::pattern::{Address, Form, Pattern};
use weir_response_cache::store::purges::{Mode, Purge, Purges, Standing};

use purging::{Object, pattern, tags, uri};

/// What a pattern means, by trying everything: slow and obvious.
fn means(pattern: &[u8], text: &[u8], is_start_of_piece: bool) -> bool {
    let n_stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let after = &pattern[n_stars..];
    let ends = 0..=text.len();
    match n_stars {
        0 => match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            // `/**` at the end, where nothing follows.
            (Some(_), None) => {
                pattern.starts_with(b"/**") && pattern[1..].iter().all(|byte| *byte == b'*')
            }
            (Some((wanted, pattern)), Some((byte, text))) => {
                wanted == byte && means(pattern, text, *byte == b'/')
            }
            (None, Some(_)) => false,
        },
        1 => ends
            .filter(|end| !text[..*end].contains(&b'/'))
            .any(|end| means(after, &text[end..], false)),
        _ if is_start_of_piece && after.starts_with(b"/") => ends
            .filter(|end| *end == 0 || text[..*end].ends_with(b"/"))
            .any(|end| means(&after[1..], &text[end..], true)),
        _ => ends.into_iter().any(|end| means(after, &text[end..], false)),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Purge { worker: usize, kind: u8, name: u8, mode: Mode, at: u64 },
    Look { worker: usize, name: u8, asked: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![Just(Mode::Hard), Just(Mode::Soft)];
    prop_oneof![
        (0..3_usize, 0..20_u8, 0..5_u8, mode, 1..50_u64).prop_map(
            |(worker, kind, name, mode, at)| Step::Purge { worker, kind, name, mode, at }
        ),
        (0..3_usize, 0..5_u8, 1..60_u64).prop_map(|(worker, name, asked)| Step::Look {
            worker,
            name,
            asked
        }),
    ]
}

fn what(kind: u8, name: u8) -> Purge {
    match kind {
        0 => Purge::Everything,
        1..8 => tags(&[&format!("tag{name}")]),
        8..14 => uri(&format!("https://a.example/{name}")),
        _ => pattern(&format!("/{name}")),
    }
}

proptest! {
    #[test]
    fn a_glob_means_what_trying_everything_says(
        pattern in "/(\\*|\\*\\*|\\*\\*/|/\\*\\*|a|b|/){0,7}",
        text in "/[ab/]{0,9}",
    ) {
        let glob = Glob::parse(&pattern, b'/', <[u8]>::to_vec).unwrap();
        prop_assert_eq!(glob.accepts(text.as_bytes()), means(pattern.as_bytes(), text.as_bytes(), false));
    }

    /// Whatever operators write and clients ask for: no panic, and every text that compiles does so again.
    #[test]
    fn any_pattern_is_read_and_any_uri_compared(text in "\\PC{0,40}", uri: Vec<u8>, path in "[ -~]{0,30}") {
        for form in [Form::Glob, Form::Prefix] {
            if let Ok(pattern) = Pattern::parse(&text, form) {
                let again = Pattern::parse(pattern.text(), pattern.form());
                prop_assert_eq!(again.as_ref(), Ok(&pattern));
                if let Some(address) = Address::read(&uri) {
                    pattern.accepts(&address);
                }
            }
        }
        // A path is meant by itself, by what is above it, and by everything.
        let path = format!("/{path}");
        if !path.contains(['*', '#', '?', ' ']) {
            let uri = format!("https://a.example{path}?x=1");
            let address = Address::read(uri.as_bytes()).unwrap();
            prop_assert!(Pattern::glob(&path).unwrap().accepts(&address));
            prop_assert!(Pattern::prefix(&path).unwrap().accepts(&address));
            prop_assert!(Pattern::glob("/**").unwrap().accepts(&address));
            prop_assert!(Pattern::prefix("/").unwrap().accepts(&address));
        }
    }

    /// Three workers purge and look in any order: each sees at once exactly what was purged, however it was.
    #[test]
    fn every_worker_sees_exactly_what_was_purged(steps in prop::collection::vec(step(), 0..60)) {
        let host = FakeHost::default();
        let workers = [(); 3].map(|()| Purges::open(&host, "t"));
        let mut purged: Vec<(u8, u8, Mode, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Purge { worker, kind, name, mode, at } => {
                    workers[worker].purge(&host, &what(kind, name), mode, Nanos(at)).unwrap();
                    purged.push((kind, name, mode, at));
                }
                Step::Look { worker, name, asked } => {
                    let object = Object::at(&format!("https://a.example/{name}"))
                        .tagged(&["other", &format!("tag{name}")]);
                    let expected = purged
                        .iter()
                        .filter(|(kind, of, _, at)| (*kind == 0 || *of == name) && asked <= *at)
                        .map(|(_, _, mode, _)| match mode {
                            Mode::Hard => Standing::Gone,
                            Mode::Soft => Standing::Soft,
                        })
                        .max();
                    prop_assert_eq!(
                        object.standing(&workers[worker], &host, Nanos(asked)),
                        expected.unwrap_or(Standing::Valid)
                    );
                }
            }
        }
    }

    /// Beyond its bound a set purges too much, never too little, and nothing that is younger than every purge.
    #[test]
    fn a_set_of_marks_errs_on_the_safe_side(
        raises in prop::collection::vec((0..200_u64, any::<bool>(), 0..1_000_u64), 0..400),
        tag in 0..200_u64,
        asked in 0..1_100_u64,
    ) {
        let mut marks = Marks::default();
        let mut least = Standing::Valid;
        let mut n_tags = std::collections::BTreeSet::new();
        for (raised, is_hard, at) in raises {
            let mode = if is_hard { Mode::Hard } else { Mode::Soft };
            marks.raise(raised, mode, Nanos(at));
            n_tags.insert(raised);
            if raised == tag && asked <= at.max(1) {
                least = least.max(if is_hard { Standing::Gone } else { Standing::Soft });
            }
        }
        let read = Marks::read(&marks.write()).unwrap();
        prop_assert_eq!(&read, &marks);
        prop_assert!(marks.write().len() <= 1_570);
        let standing = marks.standing(tag, Nanos(asked));
        prop_assert!(standing >= least);
        if n_tags.len() <= 64 {
            prop_assert_eq!(standing, least);
        }
        if asked > 1_000 {
            prop_assert_eq!(standing, Standing::Valid);
        }
    }

    #[test]
    fn any_bytes_are_a_set_or_none(bytes: Vec<u8>) {
        if let Some(marks) = Marks::read(&bytes) {
            marks.standing(7, Nanos(1));
        }
    }
}
