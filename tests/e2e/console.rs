//! The console, as browsers and operators call it.

use std::io::Read as _;

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::Full;
use poke_tests::{
    Config, Server, eventually,
    frames::WIDEST,
    http::{self as plain, Answer},
    interest, new_pokes, refusal, text,
    tls::{Authority, Files, client, connect},
    token::{api_key, bearing},
    v1::Outcome,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const RESOURCES: [&str; 3] = ["/console", "/console/status", "/console/settings"];

/// A request to this server, by this name and with these headers.
fn asking(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(format!("{}{path}", server.url()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Bytes::new()).unwrap()
}

async fn ask(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    plain::send(asking(server, method, path, headers).map(Full::new)).await
}

/// With a bearer.
async fn get(server: &Server, path: &str, bearer: &str) -> Answer {
    ask(server, Method::GET, path, &[("authorization", &format!("Bearer {bearer}"))]).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// A configuration with a console, and the keys of an operator and of a back end.
async fn configured() -> (Config, String, String) {
    let ((operator, operators), (back_end, back_ends)) = (api_key().await, api_key().await);
    let config = Config::without_domains()
        .set("console.enabled", true)
        .set("keys.operator", operators)
        .set("keys.back-end", back_ends)
        .set("admins", r#"[{ key = "operator" }]"#)
        .text("domains.PLAYLIST.subscribers", "open")
        .set("domains.PLAYLIST.publishers", r#"[{ key = "back-end", rights = ["publish"] }]"#);
    (config, operator, back_end)
}

#[tokio::test]
async fn in_development_a_browser_finds_it_and_it_shows_everything() {
    let server = Server::start_in_development().await;
    let announced = format!("console on {}/console", server.url());
    eventually("the console's address", async || server.log().contains(&announced).then_some(())).await;
    for path in ["/", "/console/"] {
        let answer = plain::get(&format!("{}{path}", server.url())).await;
        assert_eq!((answer.status.as_u16(), header(&answer, "location")), (307, "/console"), "{path}");
        assert!(answer.text().contains("POST application/json") && answer.text().contains("/console"), "for curl");
    }
    let page = plain::get(&format!("{}/console", server.url())).await;
    assert_eq!((page.status.as_u16(), header(&page, "content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text().starts_with("<!doctype html>"));

    let mut stream = server.subscribe([new_pokes(interest("f"))]).await;
    stream.live(Outcome::Fresh).await;
    server.publisher().await.poke(&interest("f"), "x").await;
    stream.data(1).await;
    let status = eventually("what happened to show", async || {
        let status = plain::get(&format!("{}/console/status", server.url())).await.json();
        (status["total"]["delivered"] == 1).then_some(status)
    })
    .await;
    assert_eq!(
        (&status["mode"], &status["health"], &status["isReady"]),
        (&json!("development"), &json!("serving"), &json!(true))
    );
    assert_eq!((&status["now"]["streams"], &status["total"]["published"]), (&json!(1), &json!(1)));
    assert!(status["memory"]["residentBytes"].as_u64().unwrap() > 1 << 20, "{status}");
    assert_eq!((&status["memory"]["refuses"], &status["refused"]), (&json!([]), &json!([])));
    let settings = plain::get(&format!("{}/console/settings", server.url())).await.json();
    assert_eq!(settings["domains"][0]["name"], Value::Null, "{settings}");
    assert_eq!(settings["domains"][0]["publishers"], json!(["whoever reaches the server"]));
    assert_eq!((&settings["maxPokeBytes"], &settings["windowSeconds"]), (&json!(131_072), &json!(600.0)));
}

#[tokio::test]
async fn in_development_no_page_reaches_it_by_dns_rebinding() {
    let server = Server::start_in_development().await;
    for path in RESOURCES {
        for (host, status) in [("localhost:8080", 200), ("rebind.evil.example", 403), ("10.0.0.1:8080", 403)] {
            let answer = ask(&server, Method::GET, path, &[("host", host)]).await;
            assert_eq!(answer.status, status, "{path} at {host}");
        }
    }
}

#[tokio::test]
async fn in_production_there_is_none_unless_it_is_asked_for() {
    let server = Server::start(Config::new()).await;
    for path in RESOURCES {
        assert_eq!(plain::get(&format!("{}{path}", server.url())).await.status, 404, "{path}");
    }
    assert_eq!(plain::get(&server.url()).await.status, 200, "the introduction");
    assert!(!server.log().iter().any(|line| line.contains("console")));
}

#[tokio::test]
async fn in_production_only_who_administers_sees_the_servers_state() {
    let (config, operator, back_end) = configured().await;
    let server = Server::start(config).await;
    assert_eq!(plain::get(&format!("{}/console", server.url())).await.status, 200, "the page holds no secret");
    for path in ["/console/status", "/console/settings"] {
        let nobody = plain::get(&format!("{}{path}", server.url())).await;
        assert_eq!((nobody.status.as_u16(), header(&nobody, "www-authenticate")), (401, "Bearer"));
        assert_eq!(nobody.json()["code"], "unauthenticated");
        let unknown = get(&server, path, "poke_unknown").await;
        assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (401, &json!("unauthenticated")));
        let other = get(&server, path, &back_end).await;
        assert_eq!((other.status.as_u16(), &other.json()["code"]), (403, &json!("permission_denied")));
        let head = ask(&server, Method::HEAD, path, &[]).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (401, 0));
        // Neither by a query, where it would stay in logs.
        let query = plain::get(&format!("{}{path}?authorization={operator}", server.url())).await;
        assert_eq!(query.status, 401);
        assert_eq!(get(&server, path, &operator).await.status, 200);
    }
    let status = get(&server, "/console/status", &operator).await;
    assert_eq!((&status.json()["mode"], header(&status, "cache-control")), (&json!("configured"), "no-store"));
    let settings = get(&server, "/console/settings", &operator).await.json();
    assert_eq!(settings["domains"][0]["name"], "PLAYLIST");
    assert_eq!(settings["domains"][0]["publishers"], json!(["the key back-end, to publish only"]));
    assert_eq!(settings["domains"][0]["subscribers"], "everyone");
    assert!(!settings.to_string().contains("sha256"), "{settings}");
}

#[tokio::test]
async fn rights_that_are_replaced_while_it_runs_show() {
    let (config, operator, _) = configured().await;
    let server = Server::start(config.clone()).await;
    let before = get(&server, "/console/status", &operator).await.json();
    let (_, others) = api_key().await;
    let config = config.set("keys.other", others).text("domains.SCORE.publishers", "anyone");
    server.rewrite(&config);
    let settings = eventually("the new domain", async || {
        let settings = get(&server, "/console/settings", &operator).await.json();
        (settings["domains"][1]["name"] == "SCORE").then_some(settings)
    })
    .await;
    assert_eq!(settings["domains"][1]["publishers"], json!(["whoever reaches the server"]));
    eventually("the count of reloads, by which a page knows", async || {
        let status = get(&server, "/console/status", &operator).await.json();
        (status["configReloads"].as_u64() > before["configReloads"].as_u64()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn its_headers_let_nothing_else_in() {
    let server = Server::start_in_development().await;
    for path in RESOURCES {
        let answer = plain::get(&format!("{}{path}", server.url())).await;
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header(&answer, "cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(header(&answer, "set-cookie"), "", "{path}");
        let elsewhere = ask(&server, Method::GET, path, &[("origin", "http://localhost:5173")]).await;
        assert_eq!(header(&elsewhere, "access-control-allow-origin"), "", "{path} for a page of another origin");
    }
    let page = plain::get(&format!("{}/console", server.url())).await;
    let policy = header(&page, "content-security-policy");
    for directive in [
        "default-src 'none'",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(directive), "{directive} in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
}

#[tokio::test]
async fn it_is_only_for_reading() {
    let server = Server::start_in_development().await;
    for path in RESOURCES {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            let answer = ask(&server, method.clone(), path, &[]).await;
            assert_eq!((answer.status.as_u16(), header(&answer, "allow")), (405, "GET, HEAD"), "{method} {path}");
        }
    }
    for path in ["/console/x", "/consoles", "/console/status/", "/Console"] {
        assert_eq!(plain::get(&format!("{}{path}", server.url())).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_has_the_page_gets_it_once_in_both_versions_of_http() {
    let server = Server::start_in_development().await;
    let page = ask(&server, Method::GET, "/console", &[]).await;
    let tag = header(&page, "etag").to_owned();
    assert_eq!(header(&page, "cache-control"), "no-cache");
    assert!(tag.starts_with("\"sha256-"), "{tag}");
    let zipped = ask(&server, Method::GET, "/console", &[("accept-encoding", "gzip")]).await;
    assert_eq!((header(&zipped, "content-encoding"), header(&zipped, "vary")), ("gzip", "accept-encoding"));
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(&zipped.body[..]).read_to_end(&mut unzipped).unwrap();
    assert_eq!(unzipped, page.body);
    for (method, headers, status, length) in [
        (Method::GET, vec![], 200, page.body.len()),
        (Method::HEAD, vec![], 200, 0),
        (Method::GET, vec![("if-none-match", tag.as_str())], 304, 0),
        (Method::HEAD, vec![("if-none-match", tag.as_str())], 304, 0),
        (Method::GET, vec![("if-none-match", "\"another\"")], 200, page.body.len()),
        (Method::GET, vec![("accept-encoding", "gzip"), ("if-none-match", tag.as_str())], 200, zipped.body.len()),
    ] {
        let tag =
            if headers.iter().any(|(name, _)| *name == "accept-encoding") { header(&zipped, "etag") } else { &tag };
        let request = || asking(&server, method.clone(), "/console", &headers);
        let answers = [plain::send(request().map(Full::new)).await, plain::send_http2(request()).await.unwrap()];
        for answer in answers {
            assert_eq!((answer.status.as_u16(), answer.body.len()), (status, length), "{method} {headers:?}");
            assert_eq!(header(&answer, "etag"), tag);
            if status == 200 {
                let whole = if method == Method::HEAD { page.body.len() } else { length };
                assert_eq!(header(&answer, "content-length"), whole.to_string(), "{method}");
            }
        }
    }
}

#[tokio::test]
async fn it_is_there_over_tls_in_both_versions_of_http() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let server = Server::start(files.config().set("console.enabled", true)).await;
    let mut socket = connect(server.address(), &client(&authority, &["http/1.1"], &["1.3"], None)).await.unwrap();
    socket.write_all(b"GET /console HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("</html>"), "{answer}");

    let socket = connect(server.address(), &client(&authority, &["h2"], &["1.3"], None)).await.unwrap();
    let (mut sender, connection) = h2::client::Builder::new()
        .initial_window_size(WIDEST)
        .initial_connection_window_size(WIDEST)
        .handshake::<_, Bytes>(socket)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let uri: Uri = format!("https://localhost:{}/console", server.address().port()).parse().unwrap();
    let (answer, _) = sender.send_request(Request::get(uri).body(()).unwrap(), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let mut page = Vec::new();
    while let Some(data) = body.data().await {
        page.extend_from_slice(&data.unwrap());
    }
    assert!(page.ends_with(b"</html>\n") || page.ends_with(b"</html>"));
    connection.abort();
}

#[tokio::test]
async fn a_certificate_can_be_an_admins_credential() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let config = files.config_for_clients(&authority, "optional").set("console.enabled", true);
    let server = Server::start(config.set("admins", r#"[{ certificate = "ops.example" }]"#)).await;
    let pair = authority.client(&["ops.example"]);
    for (own, status) in [(None, "401"), (Some(&pair), "200")] {
        let client = client(&authority, &["http/1.1"], &["1.3"], own);
        let mut socket = connect(server.address(), &client).await.unwrap();
        let request = b"GET /console/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn who_asks_without_pause_gets_what_was_made_once_a_second() {
    let server = Server::start_in_development().await;
    let mut texts = Vec::new();
    let began = std::time::Instant::now();
    for _ in 0..200 {
        texts.push(plain::get(&format!("{}/console/status", server.url())).await.text());
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    texts.dedup();
    assert!(texts.len() <= seconds + 2, "{} pictures in {seconds} s", texts.len());
}

#[tokio::test]
async fn what_the_page_sends_is_held_to_the_rights_of_its_bearer() {
    let (config, operator, back_end) = configured().await;
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let poke = || poke_tests::request(&interest("f"), Some(text("x")));
    let refused = publisher.send(bearing(&operator, poke())).await.unwrap_err();
    assert_eq!(refusal(&refused).reason, "NOT_A_PUBLISHER", "to administer gives no right to publish");
    publisher.send(bearing(&back_end, poke())).await.unwrap();
}
