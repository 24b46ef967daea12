//! How Envoy shows our numbers: labels out of names, buckets that fit.

use serde_json::{Value, json};

/// Bucket bounds of a distribution of durations in milliseconds.
///
/// From what a cache hit takes to what a client gives up at, about three to a decade.
const MILLISECONDS: [f64; 16] =
    [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4];

/// Bucket bounds of a distribution of sizes in bytes, powers of four from 64 to 64 Mi.
const BYTES: [f64; 11] = [
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// The `stats_config` of a bootstrap.
///
/// A metric of ours carries its labels in its name (`weir_<filter>_<what>;label=value`); a tag for
/// each label that there is lifts it out.
/// **Cost**: Envoy matches each new name once, when the metric is first made.
pub fn stats_config() -> Value {
    let tag = |label: &&str| json!({"tag_name": label, "regex": kit::meter::tag_regex(label)});
    let tags: Vec<Value> = kit::meter::LABELS.iter().map(tag).collect();
    json!({
        "stats_tags": tags,
        "histogram_bucket_settings": [
            buckets("milliseconds", &MILLISECONDS),
            buckets("bytes", &BYTES),
        ],
    })
}

/// The bounds for our histograms whose name ends in `unit`, labels or none behind it.
fn buckets(unit: &str, bounds: &[f64]) -> Value {
    let regex = format!(r"^(wasmcustom\.)?weir_[a-z0-9_]+_{unit}(;.*)?$");
    json!({"match": {"safe_regex": {"regex": regex}}, "buckets": bounds})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::root;
    use std::path::Path;

    #[test]
    fn every_label_has_its_tag() {
        let config = stats_config();
        let tags = config["stats_tags"].as_array().unwrap();
        assert_eq!(tags.len(), kit::meter::LABELS.len());
        assert!(
            tags.iter().any(|tag| tag["tag_name"] == "rule" && tag["regex"] == "(;rule=([^;]*))")
        );
    }

    /// The `stats_tags` of a bootstrap in the tree.
    fn shipped(path: &Path) -> Vec<Value> {
        let bootstrap = crate::yaml::read(path).unwrap();
        let tags = bootstrap["stats_config"]["stats_tags"].as_array();
        tags.unwrap_or_else(|| panic!("{} has no stats_tags", path.display())).clone()
    }

    #[test]
    fn the_examples_lift_out_labels_that_there_are() {
        let ours = stats_config()["stats_tags"].as_array().unwrap().clone();
        let examples = std::fs::read_dir(root().join("envoy")).unwrap();
        let paths = examples.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")) {
            for tag in shipped(&path) {
                assert!(ours.contains(&tag), "{}: {tag}", path.display());
            }
        }
    }

    #[test]
    fn bounds_grow() {
        for bounds in [&MILLISECONDS[..], &BYTES[..]] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
