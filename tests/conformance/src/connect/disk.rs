//! Files that a certificate is read from.

use std::{env, fs, io, path::PathBuf, process};

/// A folder of this process. It goes with the system's temporary files: the suite ends the process by a signal.
pub(super) struct Disk(PathBuf);

impl Disk {
    pub(super) fn new() -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("poke-conformance-{}", process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Writes a file and gives its path.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, bytes)?;
        Ok(path)
    }
}
