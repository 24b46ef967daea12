//! The examples of the README are configurations that the reader takes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use kit::config::{self, Fields};
use kit::key::KeyTemplate;
use kit::matching::Matcher;
use kit::operations::Access;

const README: &str = include_str!("../README.md");

fn examples() -> Vec<&'static str> {
    let after_fences = README.split("```json\n").skip(1);
    after_fences.map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

fn read(fields: &mut Fields<'_>) -> [String; 4] {
    let matcher = fields.optional_object("match", Matcher::read).unwrap_or_default();
    let key = KeyTemplate::read(fields).unwrap_or_default();
    let access = fields.optional_object("operations", Access::read).unwrap_or_default();
    let statuses = fields.optional_statuses("statuses", 1..=32).unwrap_or_default();
    [matcher.describe(), key.describe(), access.describe(), statuses.to_string()]
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_example_is_accepted() {
    let examples = examples();
    assert!(examples.len() >= 9, "{} examples", examples.len());
    for example in examples {
        if let Err(problems) = config::load("readme", example.as_bytes(), read) {
            panic!("{example}\n{problems}");
        }
    }
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn every_part_of_the_table_of_keys_is_accepted() {
    let table = README.split("| text | object | is |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut n_parts = 0;
    for row in rows {
        for cell in row.split('|').skip(1).take(2) {
            let parts = cell.split('`').skip(1).step_by(2);
            for part in parts {
                let quoted =
                    if part.starts_with('{') { part.to_owned() } else { format!("\"{part}\"") };
                for example in
                    [format!("{{\"key\": [{quoted}]}}"), format!("{{\"key\": {quoted}}}")]
                {
                    if let Err(problems) = config::load("readme", example.as_bytes(), read) {
                        panic!("{example}\n{problems}");
                    }
                }
                n_parts += 1;
            }
        }
    }
    assert_eq!(n_parts, 21);
}
