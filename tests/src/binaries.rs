//! The binaries under test.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The path of a binary of this workspace, `poke-server` or `poke`.
///
/// `POKE_BIN_DIR` says where they are. Without it they are built, in the profile of the test itself, so that plain
/// `cargo test` never runs an old binary.
///
/// # Panics
/// When the build fails.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    find(
        name,
        FOLDER.get_or_init(|| match env::var_os("POKE_BIN_DIR") {
            Some(folder) => folder.into(),
            None => build(&["--package=poke-server", "--package=poke-client", "--bins"]),
        }),
    )
}

/// The path of an example of the Rust SDK, `watch` and its like. They are always built, as nobody has them yet.
///
/// # Panics
/// When the build fails.
pub fn example(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    find(name, FOLDER.get_or_init(|| build(&["--package=poke-client", "--examples"]).join("examples")))
}

fn find(name: &str, folder: &Path) -> PathBuf {
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

fn build(what: &[&str]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("build").args(what);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).status();
    assert!(built.is_ok_and(|status| status.success()), "cargo build failed");
    profile_folder()
}

/// Test binaries lie in PROFILE/deps, and the workspace's binaries in PROFILE.
fn profile_folder() -> PathBuf {
    let test = env::current_exe().expect("a running program has a path");
    test.parent().and_then(Path::parent).expect("cargo puts tests two folders deep").to_owned()
}
