//! Where packed modules go.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Whether a file had to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The file held these very bytes; its time stamp stays, so that nothing after it is rebuilt.
    Unchanged,
    /// The file is new or has new bytes.
    Changed,
}

/// Puts `bytes` into `path`, creating its folder.
///
/// The file is replaced in one step: a running Envoy or a test that reads it sees the old module or the new one.
///
/// **Errors** What the file system says.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<Written> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(Written::Unchanged);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = beside(path);
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, path)?;
    Ok(Written::Changed)
}

/// A name in the same folder, hence on the same file system, that no other process uses.
fn beside(path: &Path) -> PathBuf {
    path.with_extension(format!("wasm.{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_bytes_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dist/a.wasm");
        assert_eq!(write(&path, b"one").unwrap(), Written::Changed);
        assert_eq!(write(&path, b"one").unwrap(), Written::Unchanged);
        assert_eq!(write(&path, b"two").unwrap(), Written::Changed);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no leftovers");
    }
}
