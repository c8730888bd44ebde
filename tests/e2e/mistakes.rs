//! What people get wrong with files, options and variables: what is meant is understood, and no message repeats a secret.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use poke_client::{Client, Publish};
use poke_tests::{
    Config, Server, binary,
    tls::{Authority, Files},
    token::{Issuer, api_key},
    tools::{Listener, poke, run, run_well},
    within,
};

/// So many characters of a secret in a row are a part of it.
const PART: usize = 24;

/// What becomes of line breaks on the way through variables and secrets, and still can be read.
const READABLE: [fn(&str) -> String; 5] = [
    |text| text.replace('\n', ""),
    |text| text.replace('\n', " "),
    |text| text.replace('\n', "\\n"),
    |text| text.replace('\n', "\r\n"),
    |text| format!("\u{feff}{text}"),
];

/// And what can't be read any more, or means something else.
const BROKEN: [fn(&str) -> String; 4] = [
    |text| text[..text.len() / 2].into(),
    |text| text[text.len() / 3..].into(),
    |text| text.replacen('I', "*", 1),
    |text| format!("{}\n{}", &text[..text.len() / 2], &text[text.len() / 2..]),
];

#[tokio::test]
async fn pem_is_understood_without_its_line_breaks_by_server_sdk_and_command() {
    let authority = Authority::new();
    for mangle in READABLE {
        let pair = authority.server();
        let files = Files::new(&pair);
        files.write("tls.crt", &mangle(&pair.certificate));
        files.write("tls.key", &mangle(&pair.key));
        let config = files.config_for_clients(&authority, "required");
        files.write("clients.crt", &mangle(authority.pem()));
        let server = Server::start(config).await;
        let own = authority.client(&["someone.example"]);
        let client = Client::builder(server.url())
            .authorities(mangle(authority.pem()))
            .certificate(mangle(&own.certificate), mangle(&own.key));
        let sent = within("Publish", client.build().unwrap().publish(Publish::new("PLAYLIST", "f"))).await;
        assert!(sent.is_ok(), "{sent:?}");
        let mut command = poke(&server.url());
        command.args(["publish", "PLAYLIST", "f", "--ca"]).arg(files.write("ca.crt", &mangle(authority.pem())));
        command.arg("--cert").arg(files.write("own.pem", &mangle(&(own.certificate + &own.key))));
        run_well(command).await;
    }
}

fn holds_part_of(message: &str, secret: &str) -> bool {
    // The frame of PEM is no secret.
    let lines = secret.lines().filter(|line| !line.starts_with("-----"));
    let mut parts = lines.flat_map(|line| (PART..=line.len()).map(move |end| &line[end - PART..end]));
    parts.any(|part| message.contains(part))
}

/// The command, away from any real server.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = poke("https://127.0.0.1:1");
    command.env("XDG_CONFIG_HOME", folder).args(arguments);
    command
}

/// What somebody may do who takes a secret for something else, or a damaged file for a good one.
fn mistakes(folder: &Path, value: &str) -> Vec<Command> {
    let file = folder.join("secret");
    fs::write(&file, value).unwrap();
    let file = file.to_str().unwrap();
    let mut commands: Vec<_> = [
        &["status", "--token-file", value][..],
        &["status", "--token", value],
        &["status", "--token-file", file],
        &["status", "--profile", value],
        &["status", "--url", value],
        &["status", "--ca", value],
        &["status", "--ca", file],
        &["status", "--cert", file],
        &["status", "--cert", value, "--cert-key", value],
        &["status", value],
        &["status", "--output", value],
        &["publish", "D", "f", "--file", value],
        &["token", "ann", "--key", file],
    ]
    .map(|arguments| command(folder, arguments))
    .into();
    let mut by_variable = command(folder, &["status"]);
    by_variable.env("POKE_TOKEN", value).env("POKE_PROFILE", value);
    commands.push(by_variable);
    commands
}

#[tokio::test]
async fn the_command_repeats_no_part_of_a_secret() {
    let key = Authority::new().server().key;
    let secrets = [api_key().await.0, Issuer::new("app").token("ann"), key];
    let files = Files::new(&Authority::new().server());
    let folder = files.path("");
    fs::create_dir(folder.join("poke")).unwrap();
    for secret in &secrets {
        for mangle in READABLE.iter().chain(&BROKEN) {
            let value = mangle(secret);
            let mut commands = mistakes(&folder, &value);
            for profile in [
                "@",
                "'@' = 1",
                "[profiles]\ndev = '@'",
                "default = '@'",
                "[profiles.'@']\nurl = 1",
                "[profiles.dev]\ntoken = '@",
            ] {
                // Read as the command starts, so that each is run before the next is written.
                fs::write(folder.join("poke/config.toml"), profile.replace('@', &value)).unwrap();
                let output = run(command(&folder, &["status", "--profile", "dev"])).await;
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(!output.status.success() && !holds_part_of(&said, secret), "{profile}: {said}");
            }
            fs::remove_file(folder.join("poke/config.toml")).unwrap();
            for command in commands.drain(..) {
                let shown = format!("{:?}", command.get_args().take(2).collect::<Vec<_>>());
                let output = run(command).await;
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(!holds_part_of(&said, secret), "{shown}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_no_failure_and_a_full_disk_is_one() {
    for arguments in [&["--print-config"][..], &["--check-config"], &["--help"]] {
        let run_into = |stdout: Stdio| {
            let mut command = Command::new(binary("poke-server"));
            command.args(arguments).stdout(stdout).status().unwrap().code()
        };
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run_into(writer.into()), Some(0), "{arguments:?}");
        if arguments != ["--help"] {
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            assert_eq!(run_into(full.into()), Some(1), "{arguments:?}");
        }
    }
}

#[tokio::test]
async fn a_key_that_does_not_fit_on_the_disk_leaves_nothing_in_the_way() {
    let files = Files::new(&Authority::new().server());
    let folder = files.path("");
    let token = binary("poke").display().to_string() + " token ann";
    // No file may have a single byte; a process that ignores the signal gets an error, as on a full disk.
    let mut full = Command::new("sh");
    full.current_dir(&folder).args(["-c", &format!("trap '' XFSZ; ulimit -f 0; {token}")]);
    let refused = run(full).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(!folder.join("poke-dev.key").exists() && !folder.join("poke-dev.key.jwks.json").exists());
    // What is left by a process that was killed in the middle.
    fs::write(folder.join("poke-dev.key"), "").unwrap();
    let mut command = Command::new("sh");
    command.current_dir(&folder).args(["-c", &token]);
    assert!(run_well(command).await.starts_with("eyJ"));
    assert!(folder.join("poke-dev.key.jwks.json").exists());
}

#[tokio::test]
async fn a_file_with_a_byte_order_mark_is_what_it_was_without() {
    let server = Server::start(Config::new()).await;
    let files = Files::new(&Authority::new().server());
    let mut listening = poke(&server.url());
    listening.args(["subscribe", "PLAYLIST", "marked", "--json", "--count", "3"]);
    let listener = Listener::start(listening);
    let _ = listener.event("live");
    let data = files.write("data.json", "\u{feff}{\"a\":1}\n");
    let lines = files.write("lines.jsonl", "\u{feff}{\"domain\":\"PLAYLIST\",\"filter\":\"marked\",\"data\":[1]}\n");
    let mut publish = poke(&server.url());
    publish.args(["publish", "PLAYLIST", "marked", "--data-json", "--file"]).arg(data);
    run_well(publish).await;
    assert_eq!(listener.event("poke")["data"], serde_json::json!({"a": 1}));
    let mut publish = poke(&server.url());
    publish.args(["publish", "--lines", "--file"]).arg(lines);
    run_well(publish).await;
    assert_eq!(listener.event("poke")["data"], serde_json::json!([1]));
    // And what a browser or curl sends of such a file.
    let url = format!("{}/poke.v1.PokeService/Publish", server.url());
    let body = "\u{feff}{\"domain\":\"PLAYLIST\",\"filter\":\"marked\",\"data\":\"x\"}";
    assert_eq!(poke_tests::http::post(&url, "application/json", body.to_owned()).await.status, 200);
    assert_eq!(listener.event("poke")["data"], "x");
}

#[tokio::test]
async fn a_rejection_is_counted_by_its_own_code_and_a_bare_command_helps_in_short() {
    let server = Server::start(Config::without_domains().open("PLAYLIST")).await;
    let mut bench = poke(&server.url());
    bench.args(["bench", "--domain", "NOWHERE", "-s", "1", "-d", "200ms", "--json"]);
    let output = run(bench).await;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["errors"]["a stream: NOT_FOUND UNKNOWN_DOMAIN"], 1, "{report}");

    let bare = run(Command::new(binary("poke"))).await;
    let said = String::from_utf8_lossy(&bare.stderr);
    assert!(bare.status.code() == Some(2) && said.lines().count() < 24 && said.contains("poke publish"), "{said}");
}
