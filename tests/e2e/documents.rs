//! What documents show is what the server takes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use poke_tests::{
    binary,
    tls::{Authority, Files},
    tools::{run, run_well},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const SECURITY: &str = include_str!("../../server/SECURITY.md");

/// The only block of TOML in a document.
fn toml(document: &str) -> &str {
    let [_, rest] = document.split("```toml\n").collect::<Vec<_>>().try_into().expect("one block of TOML");
    rest.split_once("```").expect("it ends").0
}

#[tokio::test]
async fn the_file_for_production_is_valid_and_nothing_in_it_is_warned_of() {
    let files = Files::new(&Authority::new().server());
    let check = |text: &str| {
        let mut command = Command::new(binary("poke-server"));
        command.arg("--check-config").arg("--config").arg(files.write("poke.toml", text));
        command
    };
    let shown = toml(SECURITY).replace("/etc/poke/", &format!("{}/", files.path("").display()));
    assert!(shown.contains("tls.crt") && fs::exists(files.path("tls.crt")).unwrap());
    assert_eq!(run_well(check(&shown)).await, "the configuration is valid\n");

    // The one rule of TOML that it mentions.
    let (first, rest) = shown.split_once('\n').unwrap();
    let refused = run(check(&format!("{rest}{first}\n"))).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("it stands above the first [table]"), "{said}");
}

/// Adds the Markdown files of a folder of the repository.
fn documents(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && !["target", "node_modules", "build"].contains(&name.as_str()) {
            documents(&path, into);
        } else if name.ends_with(".md") {
            into.push(path);
        }
    }
}

#[tokio::test]
async fn what_is_installed_for_use_is_built_by_the_profile_for_it() {
    let mut files = vec![Path::new(ROOT).join("server/src/main.rs")];
    documents(Path::new(ROOT), &mut files);
    let mut found = 0;
    for file in files {
        for command in fs::read_to_string(&file).unwrap().split("cargo install").skip(1) {
            let shown = command.split(['`', ')', '\n']).next().unwrap_or_default();
            let folder = shown.strip_prefix(" --profile dist --path ");
            let folder = folder.unwrap_or_else(|| panic!("{}: cargo install{shown}", file.display()));
            assert!(Path::new(ROOT).join(folder).join("Cargo.toml").exists(), "{}: {folder}", file.display());
            found += 1;
        }
    }
    assert!(found >= 3, "{found}");

    // It fails if there is no such profile.
    let mut clean = Command::new(env!("CARGO"));
    clean.args(["clean", "--dry-run", "--profile", "dist"]).current_dir(ROOT);
    run_well(clean).await;
}
