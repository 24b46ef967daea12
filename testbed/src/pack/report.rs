//! The table that the build prints.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::Packed;

/// One line of the table per module, with its imports and callbacks below it.
///
/// **Shape** The path, the size in bytes, the SHA-256 in hex, the number of imports;
/// then the imports and the callbacks by name, `env.proxy_` and `proxy_on_` left out.
pub fn table(modules: &[(&Path, &Packed)]) -> String {
    let width = modules.iter().map(|(path, _)| path.display().to_string().len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  {:>8}  sha256\n", "module", "bytes");
    for (path, packed) in modules {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:width$}  {:>8}  {}",
            path.display().to_string(),
            packed.wasm.len(),
            hex(&Sha256::digest(&packed.wasm))
        );
    }
    for (path, packed) in modules {
        let imports = packed.imports.iter().map(|import| short(import));
        let callbacks = packed.callbacks.iter().copied().map(short);
        let _ = writeln!(text, "\n{}", path.display());
        let _ = writeln!(text, "{}", paragraph("imports", imports));
        let _ = writeln!(text, "{}", paragraph("callbacks", callbacks));
    }
    text
}

/// The name without what all names of its kind begin with.
fn short(name: &str) -> &str {
    ["env.proxy_", "wasi_snapshot_preview1.", "proxy_on_"]
        .into_iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

/// A title, the number of words, and the words, broken into lines of at most 100 columns.
fn paragraph<'a>(title: &str, words: impl Iterator<Item = &'a str>) -> String {
    const WIDTH: usize = 100;
    let words: Vec<&str> = words.collect();
    let mut lines = vec![format!("  {title:9} {:>2} ", words.len())];
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{:16}{word}", "")),
        }
    }
    lines.join("\n")
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_size_digest_imports_and_callbacks() {
        let packed = Packed {
            wasm: b"abc".to_vec(),
            imports: vec!["env.proxy_log".into(), "wasi_snapshot_preview1.random_get".into()],
            callbacks: vec!["proxy_on_log"],
        };
        let expected = "\
module          bytes  sha256
dist/a.wasm         3  ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad

dist/a.wasm
  imports    2  log random_get
  callbacks  1  log
";
        assert_eq!(table(&[(Path::new("dist/a.wasm"), &packed)]), expected);
    }

    #[test]
    fn long_lists_are_broken_between_words() {
        let text = paragraph("imports", std::iter::repeat_n("get_header_map_pairs", 6));
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
