//! nginx in front of the server: one `grpc_pass` serves every protocol, and the console.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use poke_tests::{
    Config, Server, eventually,
    tls::{Authority, Files},
    tools::{Listener, curl, poke, run, run_well},
};

/// nginx with TLS, which passes everything on by `directive`. Dropping it ends it.
struct Nginx {
    child: Child,
    files: Files,
    url: String,
}

impl Nginx {
    async fn start(authority: &Authority, directive: &str) -> Self {
        let files = Files::new(&authority.server());
        let ca = files.write("ca.crt", authority.pem());
        // nginx can't be asked for a free one.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = files.path("");
        let folder = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};"));
        let temporary = temporary.concat();
        let text = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\nhttp {{\n\
             access_log off; {temporary}\nserver {{\nlisten 127.0.0.1:{port} ssl http2;\n\
             ssl_certificate {folder}/tls.crt; ssl_certificate_key {folder}/tls.key;\n\
             location / {{ {directive} }}\n}}\n}}\n"
        );
        let file = files.write("nginx.conf", &text);
        let log = files.path("error.log");
        let mut command = Command::new("nginx");
        command.arg("-c").arg(file).arg("-e").arg(log).stdin(Stdio::null());
        let child = command.spawn().expect("nginx is installed");
        let nginx = Self { child, files, url: format!("https://localhost:{port}") };
        eventually("nginx to listen", async || {
            let mut command = curl();
            command.arg("--cacert").arg(&ca).args(["--output", "/dev/null"]).arg(&nginx.url);
            run(command).await.status.success().then_some(())
        })
        .await;
        nginx
    }

    /// The command, with nginx as its server.
    fn poke(&self, arguments: &[&str]) -> Command {
        let mut command = poke(&self.url);
        command.args(arguments).arg("--ca").arg(self.files.path("ca.crt"));
        command
    }

    /// curl by a version of HTTP; gives the answer and, on the last line, its status.
    async fn curl(&self, version: &str, path: &str, arguments: &[&str]) -> String {
        let mut command = curl();
        command.arg(version).arg("--cacert").arg(self.files.path("ca.crt")).args(["--write-out", "\n%{http_code}"]);
        command.args(arguments).arg(format!("{}{path}", self.url));
        String::from_utf8_lossy(&run(command).await.stdout).into_owned()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Both can fail only when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PUBLISH: &str = "/poke.v1.PokeService/Publish";
const BODY: &str = r#"{"domain":"PLAYLIST","filter":"f","data":"Updated"}"#;

#[tokio::test]
#[ignore = "needs nginx: tests/run foreign"]
async fn grpc_pass_alone_serves_every_protocol_and_the_console() {
    let server = Server::start(Config::new().set("console.enabled", true)).await;
    let authority = Authority::new();
    let nginx = Nginx::start(&authority, &format!("grpc_pass grpc://{};", server.address())).await;

    // gRPC.
    let listener = Listener::start(nginx.poke(&["subscribe", "PLAYLIST", "f", "--json"]));
    let _ = listener.event("live");
    run_well(nginx.poke(&["publish", "PLAYLIST", "f", "by gRPC"])).await;
    assert_eq!(listener.event("poke")["data"], "by gRPC");

    for version in ["--http1.1", "--http2"] {
        // Connect.
        let answer = nginx.curl(version, PUBLISH, &["--json", BODY]).await;
        assert!(answer.contains("\"position\"") && answer.ends_with("\n200"), "{version}: {answer}");
        assert_eq!(listener.event("poke")["data"], "Updated");
        // gRPC-Web, in the mode that curl can send as text: an empty message, of which the answer says what is wrong.
        let web =
            ["--header", "content-type: application/grpc-web-text", "--data-binary", "AAAAAAA=", "--dump-header", "-"];
        let answer = nginx.curl(version, PUBLISH, &web).await.to_ascii_lowercase();
        assert!(
            answer.contains("content-type: application/grpc-web-text") && answer.ends_with("\n200"),
            "{version}: {answer}"
        );
        // The console's page.
        let answer = nginx.curl(version, "/console", &[]).await;
        assert!(answer.contains("<!doctype html>") && answer.ends_with("\n200"), "{version}: {answer}");
    }
}

#[tokio::test]
#[ignore = "needs nginx: tests/run foreign"]
async fn proxy_pass_serves_all_but_grpc() {
    let server = Server::start(Config::new()).await;
    let nginx = Nginx::start(&Authority::new(), &format!("proxy_pass http://{};", server.address())).await;
    let answer = nginx.curl("--http2", PUBLISH, &["--json", BODY]).await;
    assert!(answer.ends_with("\n200"), "{answer}");
    // nginx speaks HTTP/1 with the server then, which gRPC can't be carried by.
    let refused = run(nginx.poke(&["publish", "PLAYLIST", "f", "x"])).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(4) && said.contains("505"), "{said}");
}
