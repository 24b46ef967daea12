//! YAML into JSON values, the one place that knows the YAML library.
//!
//! Read as Envoy reads its own files, so that a configuration tried here means the same there:
//! `yes` and `no` without quotes are booleans, integers stay integers. Duplicate keys and a second
//! document are errors; anchors are resolved within the library's budget.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Why a file could not be read as a JSON value.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is missing or unreadable.
    #[error("{}: {why}", path.display())]
    File {
        /// The file as it was named.
        path: PathBuf,
        /// What the operating system said.
        why: std::io::Error,
    },
    /// The text is not what its name promises.
    #[error("{}: not valid {kind}: {why}", path.display())]
    Text {
        /// The file as it was named.
        path: PathBuf,
        /// `JSON` or `YAML`.
        kind: &'static str,
        /// Where and why, on one line.
        why: String,
    },
}

/// Reads `text` as one YAML document.
///
/// # Errors
///
/// Where and why it is not one, on one line.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options)
        // For people who write YAML, not for those who call the library.
        .map_err(|error| {
            error.render_with_formatter(&serde_saphyr::UserMessageFormatter).replace('\n', " ")
        })
}

/// Reads a file as JSON when its name ends in `.json`, else as YAML.
///
/// # Errors
///
/// The file is missing, unreadable, or not the text that its name promises.
pub fn read(path: &Path) -> Result<Value, ReadError> {
    let text = read_text(path)?;
    let (kind, value) = if is_json(path) {
        ("JSON", serde_json::from_str(&text).map_err(|why| why.to_string()))
    } else {
        ("YAML", parse(&text))
    };
    value.map_err(|why| ReadError::Text { path: path.to_owned(), kind, why })
}

/// Whether the file's name promises JSON.
pub fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"))
}

/// The file's text as it is.
///
/// # Errors
///
/// The file is missing, unreadable or not UTF-8.
pub fn read_text(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path).map_err(|why| ReadError::File { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_keep_the_kind_they_are_written_in() {
        let text = "port: 10000\nratio: 0.5\nwindow: 10s\non: true\nnone: null\nquoted: \"1\"\n";
        let value = parse(text).unwrap();
        let expected = json!({
            "port": 10000, "ratio": 0.5, "window": "10s", "on": true, "none": null, "quoted": "1"
        });
        assert_eq!(value, expected);
        assert!(value["port"].is_u64());
    }

    #[test]
    fn anchors_lists_and_block_text_are_understood() {
        let text = "a: &x {k: [1, 2]}\nb: *x\nc: |\n  line\n  more\nd: no\n";
        let expected =
            json!({"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": "line\nmore\n", "d": false});
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn a_duplicate_key_and_a_second_document_are_refused_on_one_line() {
        for text in ["a: 1\na: 2\n", "a: 1\n---\nb: 2\n", "a: [1\n"] {
            let why = parse(text).unwrap_err();
            assert!(!why.is_empty() && !why.contains('\n'), "{why:?}");
            assert!(!why.contains("Options") && !why.contains("from_str"), "{why:?}");
        }
    }

    #[test]
    fn the_order_of_keys_is_kept() {
        let value = parse("z: 1\na: 2\nm: 3\n").unwrap();
        assert_eq!(value.to_string(), r#"{"z":1,"a":2,"m":3}"#);
    }

    #[test]
    fn a_file_error_names_the_file() {
        let error = read(Path::new("/no/such/file.yaml")).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/file.yaml: "), "{error}");
    }
}
