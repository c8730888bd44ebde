//! TLS stacks that aren't ours: OpenSSL in s_client and curl, Go's in grpcurl.

use std::process::Command;

use poke_tests::{
    Server,
    tls::{Authority, Files},
    tools::{curl, grpcurl, run, run_well},
};
use serde_json::Value;

const PUBLISH: &str = "poke.v1.PokeService/Publish";
const BODY: &str = r#"{"domain":"PLAYLIST","filter":"playlist-id","data":"Updated"}"#;

/// A server with a certificate of an authority of its own, whose certificate lies in `ca.crt`.
fn made() -> (Authority, Files) {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    files.write("ca.crt", authority.pem());
    (authority, files)
}

#[tokio::test]
#[ignore = "needs curl: tests/run foreign"]
async fn curl_publishes_by_both_protocols() {
    let (_authority, files) = made();
    let server = Server::start(files.config()).await;
    let url = format!("https://localhost:{}/{PUBLISH}", server.address().port());
    for (options, version) in [(&["--http2"][..], "2"), (&["--http1.1"], "1.1"), (&["--tls-max", "1.2"], "2")] {
        let mut command = curl();
        command.arg("--cacert").arg(files.path("ca.crt")).args(options).args(["--data-binary", BODY]);
        command.args(["--header", "content-type: application/json", "--write-out", "\n%{http_version}", &url]);
        let output = run_well(command).await;
        let (answer, spoken) = output.rsplit_once('\n').unwrap();
        let answer: Value = serde_json::from_str(answer).unwrap();
        assert!(spoken == version && answer["position"].is_object(), "{options:?}: {output}");
    }
}

#[tokio::test]
#[ignore = "needs grpcurl: tests/run foreign"]
async fn grpcurl_publishes_and_presents_a_certificate() {
    let (authority, files) = made();
    let server = Server::start(files.config_for_clients(&authority, "required")).await;
    let own = authority.client(&["someone.example"]);
    let (cert, key) = (files.write("own.crt", &own.certificate), files.write("own.key", &own.key));
    let address = format!("localhost:{}", server.address().port());
    let call = |with_certificate: bool| {
        let mut command = grpcurl();
        command.arg("-cacert").arg(files.path("ca.crt"));
        if with_certificate {
            command.arg("-cert").arg(&cert).arg("-key").arg(&key);
        }
        command.args(["-d", BODY, &address, PUBLISH]);
        command
    };
    let answer: Value = serde_json::from_str(&run_well(call(true)).await).unwrap();
    assert!(answer["position"].is_object(), "{answer}");
    let refused = run(call(false)).await;
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("certificate required"), "{error}");
}

#[tokio::test]
#[ignore = "needs openssl: tests/run foreign"]
async fn openssl_agrees_on_versions_and_protocols() {
    let (_authority, files) = made();
    let server = Server::start(files.config()).await;
    let address = server.address().to_string();
    for (options, says) in [
        (&["-tls1_2", "-alpn", "h2"][..], "ALPN protocol: h2"),
        (&["-tls1_3", "-alpn", "spdy/3,http/1.1"], "ALPN protocol: http/1.1"),
        (&["-tls1_3"], "No ALPN negotiated"),
        (&["-alpn", "spdy/3"], "no application protocol"),
        // Its own policy doesn't send what it is asked for here, unless the lowest security level says so.
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "alert"),
    ] {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &address, "-verify_return_error", "-CAfile"]);
        command.arg(files.path("ca.crt")).args(options);
        let output = run(command).await;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(says), "{options:?}: {said}");
    }
}
