//! What documents show is what the server takes.

use std::{fs, process::Command};

use poke_tests::{
    binary,
    tls::{Authority, Files},
    tools::{run, run_well},
};

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
