//! Certificates: those of clients, and the server's own, which is replaced while it runs.

use std::{fs, process::Command, sync::Arc};

use poke_client::{Client, Publish, TlsProblem};
use poke_tests::{
    Config, Server, Stream, binary, eventually,
    frames::{Connection, WIDEST, kind},
    interest, new_pokes, request,
    tls::{Authority, Files, Pair, client, connect, der},
    tools::{poke, run, run_well},
    v1::{Outcome, poke_service_client::PokeServiceClient},
    within,
};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind};

fn sdk(server: &Server, authority: &Authority, own: Option<&Pair>) -> Client {
    let mut client = Client::builder(server.url()).authorities(authority.pem());
    if let Some(Pair { certificate, key }) = own {
        client = client.certificate(certificate.as_str(), key.as_str());
    }
    client.build().unwrap()
}

/// Publishes; or why there is no secure connection.
async fn publish(client: &Client) -> Result<(), TlsProblem> {
    let answer = within("the answer", client.publish(Publish::new("PLAYLIST", "f"))).await;
    answer.map(drop).map_err(|error| error.tls_problem().cloned().unwrap_or_else(|| panic!("{error:?}")))
}

#[tokio::test]
async fn a_required_certificate_must_be_of_the_named_authority() {
    let (authority, partners) = (Authority::new(), Authority::new());
    let files = Files::new(&authority.server());
    let config = files.config_for_clients(&partners, "required").text("log.level", "poke_server=debug");
    let server = Server::start(config).await;

    let partner = partners.client(&["back-end.example", "spiffe://example/back-end"]);
    assert_eq!(publish(&sdk(&server, &authority, Some(&partner))).await, Ok(()));
    assert_eq!(publish(&sdk(&server, &authority, None)).await, Err(TlsProblem::CertificateRequired));
    let foreign = Authority::new().client(&["back-end.example"]);
    assert_eq!(publish(&sdk(&server, &authority, Some(&foreign))).await, Err(TlsProblem::CertificateRefused));
    let expired = partners.expired();
    assert_eq!(publish(&sdk(&server, &authority, Some(&expired))).await, Err(TlsProblem::CertificateRefused));

    let named = |line: &String| line.contains("back-end.example") && line.contains("spiffe://example/back-end");
    eventually("the names in the log", async || server.log().iter().any(named).then_some(())).await;
    let metrics = server.metrics().await;
    assert!(metrics.sum_where("poke_tls_failures_total", "certificate") >= 3.0, "{metrics:?}");
}

#[tokio::test]
async fn an_optional_certificate_may_be_missing_but_not_wrong() {
    let (authority, partners) = (Authority::new(), Authority::new());
    let files = Files::new(&authority.server());
    let server = Server::start(files.config_for_clients(&partners, "optional")).await;
    assert_eq!(publish(&sdk(&server, &authority, None)).await, Ok(()));
    assert_eq!(publish(&sdk(&server, &authority, Some(&partners.client(&["a.example"])))).await, Ok(()));
    let foreign = Authority::new().client(&["a.example"]);
    assert_eq!(publish(&sdk(&server, &authority, Some(&foreign))).await, Err(TlsProblem::CertificateRefused));
}

/// Connects and publishes by hand, and gives how the handshake was done; `None` if the server let nobody in.
async fn handshake(server: &Server, client: &Arc<ClientConfig>) -> Option<HandshakeKind> {
    let stream = connect(server.address(), client).await.unwrap();
    let kind = stream.get_ref().1.handshake_kind();
    let mut connection = Connection::over(stream, WIDEST).await;
    connection.call("Publish", &request(&interest("f"), None));
    // In TLS 1.3 a refusal comes behind the handshake, and may come while this is being sent.
    let _ = connection.flush().await;
    while let Some(frame) = connection.next().await {
        if frame.kind == kind::DATA {
            return kind;
        }
    }
    None
}

#[tokio::test]
async fn a_resumed_client_is_who_it_was_until_another_authority_decides() {
    let (authority, partners) = (Authority::new(), Authority::new());
    let files = Files::new(&authority.server());
    let config = files.config_for_clients(&partners, "required").text("log.level", "poke_server=debug");
    let server = Server::start(config).await;
    let partner = partners.client(&["spiffe://example/back-end"]);
    let clients = ["1.2", "1.3"].map(|version| client(&authority, &["h2"], &[version], Some(&partner)));
    for client in &clients {
        assert_eq!(handshake(&server, client).await, Some(HandshakeKind::Full));
        assert_eq!(handshake(&server, client).await, Some(HandshakeKind::Resumed));
    }
    let proofs = || server.log().iter().filter(|line| line.contains("spiffe://example/back-end")).count();
    eventually("four proofs in the log", async || (proofs() == 4).then_some(())).await;

    files.write("clients.crt", Authority::new().pem());
    server.sighup();
    server.metric_becomes("poke_tls_reloads_total", |reloads| reloads == 1.0).await;
    let refused = server.metrics().await.sum_where("poke_tls_failures_total", "certificate");
    // A ticket of before opens no door: in 1.2 the handshake itself fails.
    assert_eq!(handshake(&server, &clients[1]).await, None);
    assert!(connect(server.address(), &clients[0]).await.is_err());
    server.metric_becomes("poke_tls_failures_total", |failures| failures == refused + 2.0).await;
}

/// Which certificate a new connection is shown.
async fn shown(server: &Server, client: &Arc<ClientConfig>) -> Vec<u8> {
    let stream = connect(server.address(), client).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Waits until new connections are shown this pair's certificate.
async fn shows(server: &Server, authority: &Authority, pair: &Pair) {
    let wanted = der(&pair.certificate).to_vec();
    eventually("the new certificate", async || {
        // A client of its own each time: resumed sessions show what they were shown first.
        let client = client(authority, &["h2"], &["1.3"], None);
        (shown(server, &client).await == wanted).then_some(())
    })
    .await;
}

/// An open stream over TLS.
async fn open(server: &Server, authority: &Authority) -> Stream {
    let channel = sdk(server, authority, None).channel();
    let mut stream = Stream::open(&mut PokeServiceClient::new(channel), [new_pokes(interest("f"))]).await;
    stream.live(Outcome::Fresh).await;
    stream
}

#[tokio::test]
async fn a_new_pair_is_taken_when_its_files_change_and_open_streams_live_on() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let server = Server::start(files.config()).await;
    let mut stream = open(&server, &authority).await;
    let expiry = server.metrics().await.sum("poke_tls_certificate_expiry_seconds");
    assert!(expiry > 1e9, "{expiry}");

    let renewed = authority.server();
    files.replace(&renewed);
    shows(&server, &authority, &renewed).await;
    publish(&sdk(&server, &authority, None)).await.unwrap();
    stream.poke().await;
    let metrics = server.metrics().await;
    let counts = (metrics.sum("poke_tls_reloads_total"), metrics.sum("poke_tls_reload_failed_total"));
    assert_eq!(counts, (1.0, 0.0));
}

/// As Kubernetes mounts secrets: the files are links into a folder that is itself a link, which is moved.
#[tokio::test]
async fn a_new_pair_behind_a_moved_link_is_taken() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let (old, new) = (authority.server(), authority.server());
    for (folder, pair) in [("..1", &old), ("..2", &new)] {
        fs::create_dir(files.path(folder)).unwrap();
        files.write(&format!("{folder}/tls.crt"), &pair.certificate);
        files.write(&format!("{folder}/tls.key"), &pair.key);
    }
    std::os::unix::fs::symlink("..1", files.path("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        fs::remove_file(files.path(name)).unwrap();
        std::os::unix::fs::symlink(format!("..data/{name}"), files.path(name)).unwrap();
    }
    let server = Server::start(files.config()).await;
    shows(&server, &authority, &old).await;
    std::os::unix::fs::symlink("..2", files.path("..data_tmp")).unwrap();
    fs::rename(files.path("..data_tmp"), files.path("..data")).unwrap();
    shows(&server, &authority, &new).await;
}

#[tokio::test]
async fn sighup_takes_a_new_pair_at_once() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let server = Server::start(files.config()).await;
    let mut stream = open(&server, &authority).await;
    let renewed = authority.server();
    files.replace(&renewed);
    server.sighup();
    shows(&server, &authority, &renewed).await;
    publish(&sdk(&server, &authority, None)).await.unwrap();
    stream.poke().await;
}

#[tokio::test]
async fn a_broken_pair_leaves_the_old_one_and_a_warning() {
    let authority = Authority::new();
    let pair = authority.server();
    let files = Files::new(&pair);
    let server = Server::start(files.config()).await;
    let mut stream = open(&server, &authority).await;
    // A key that belongs to another certificate.
    files.write("tls.key", &authority.server().key);
    server.sighup();
    server.metric_becomes("poke_tls_reload_failed_total", |failed| failed == 1.0).await;
    let warnings = || server.log().into_iter().filter(|line| line.contains("the old one stays")).collect::<Vec<_>>();
    let warning = eventually("a warning", async || warnings().pop()).await;
    assert!(warning.contains("doesn't belong to the first certificate"), "{warning}");
    shows(&server, &authority, &pair).await;
    publish(&sdk(&server, &authority, None)).await.unwrap();
    stream.poke().await;

    // Whoever mends it is heard.
    let renewed = authority.server();
    files.replace(&renewed);
    shows(&server, &authority, &renewed).await;
    assert_eq!(warnings().len(), 1);
}

#[tokio::test]
async fn without_tls_sighup_does_no_harm() {
    let mut server = Server::start(Config::new()).await;
    server.sighup();
    eventually("the signal to be heard", async || {
        server.log().iter().any(|line| line.contains("told to load")).then_some(())
    })
    .await;
    assert!(server.runs());
    server.publisher().await.poke(&interest("f"), "still here").await;
}

#[tokio::test]
async fn mistakes_in_the_files_are_reported_before_anything_is_served() {
    let authority = Authority::new();
    let files = Files::new(&authority.expired());
    let mut check = Command::new(binary("poke-server"));
    check.args(["--check-config", "--tls.key", "/nowhere/tls.key", "--tls.certificate"]).arg(files.path("tls.crt"));
    let output = run(check).await;
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("--tls.certificate: ") && lines[0].contains("expired at 2001-01-01"), "{said}");
    assert!(lines[1].starts_with("--tls.key: /nowhere/tls.key can't be read"), "{said}");
}

#[tokio::test]
async fn the_command_trusts_presents_and_explains() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let server = Server::start(files.config_for_clients(&authority, "required")).await;
    let ca = files.write("ca.crt", authority.pem());
    let own = authority.client(&["someone.example"]);
    let own = files.write("own.pem", &(own.certificate + &own.key));
    let publish = |options: &[(&str, &std::path::Path)]| {
        let mut command = poke(&server.url());
        command.args(["publish", "PLAYLIST", "f", "x"]);
        for (name, path) in options {
            command.arg(name).arg(path);
        }
        command
    };
    assert!(run_well(publish(&[("--ca", &ca), ("--cert", &own)])).await.contains("published PLAYLIST/f"));
    for (options, said) in [
        (&[("--ca", &*ca)][..], "the server wants a certificate of its client; --cert"),
        (
            &[("--cert", &*own)],
            "isn't trusted: no authority that this client trusts has signed it; --ca names the authority to trust",
        ),
    ] {
        let output = run(publish(options)).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(4) && error.contains(said), "{error}");
    }
}
