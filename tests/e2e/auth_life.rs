//! Rights that change while the server runs, and tokens that end.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use poke_client::{Client, ErrorKind, Event as SdkEvent, Interest as SdkInterest, Publish};
use poke_tests::{
    Config, Event, Publisher, Server, Stream, eventually, interest, new_pokes, refusal, request, text,
    tls::{Authority, Files},
    token::{Issuer, api_key, bearing, seconds},
    tools::{poke, run, run_well},
    v1::{Outcome, ReconnectReason, SubscribeRequest},
    within,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tonic::Code;

/// A Subscribe to PLAYLIST/f with a token.
async fn listen(server: &Server, token: &str) -> Stream {
    let mut client = server.connect().await;
    let request = SubscribeRequest { subscriptions: vec![new_pokes(interest("f"))] };
    Stream::try_send(&mut client, bearing(token, request)).await.unwrap()
}

async fn publish(publisher: &mut Publisher, key: &str) -> Result<(), (Code, String)> {
    let sent = publisher.send(bearing(key, request(&interest("f"), Some(text("x"))))).await;
    sent.map(drop).map_err(|status| (status.code(), refusal(&status).reason))
}

#[tokio::test]
async fn a_new_configuration_holds_within_seconds_or_at_once_and_a_broken_one_does_not() {
    let (key, hash) = api_key().await;
    let config = |publishers: &str| {
        Config::without_domains()
            .set("keys.back-end", &hash)
            .set("domains.PLAYLIST.publishers", publishers)
            .text("domains.PLAYLIST.subscribers", "open")
    };
    let listed = config(r#"[{ key = "back-end" }]"#);
    let server = Server::start(listed.clone()).await;
    let mut listener = server.subscribe([new_pokes(interest("f"))]).await;
    listener.live(Outcome::Fresh).await;
    let mut publisher = server.publisher().await;
    assert_eq!(publish(&mut publisher, &key).await, Ok(()));

    // By itself.
    server.rewrite(&config("[]"));
    let nobody = Err((Code::PermissionDenied, "NO_PUBLISHERS".to_owned()));
    eventually("the new list", async || (publish(&mut publisher, &key).await == nobody).then_some(())).await;
    // When told, at once, and a new domain with it.
    server.rewrite(&listed.clone().open("NEW"));
    server.sighup();
    server.metric_becomes("poke_config_reloads_total", |reloads| reloads == 2.0).await;
    assert_eq!(publish(&mut publisher, &key).await, Ok(()));
    let new = poke_tests::v1::Interest { domain: "NEW".into(), ..interest("f") };
    assert!(publisher.send(request(&new, None)).await.is_ok());

    // What is broken changes nothing, and is said each time that somebody asks.
    server.rewrite_as("[domains.PLAYLIST]\npublishers = [{ key = \"stranger\" }]\n");
    server.metric_becomes("poke_config_reload_failed_total", |failed| failed == 1.0).await;
    assert_eq!(publish(&mut publisher, &key).await, Ok(()));
    server.sighup();
    server.metric_becomes("poke_config_reload_failed_total", |failed| failed == 2.0).await;
    let why = |line: &String| line.contains("the old one stays") && line.contains("there is no key stranger");
    assert!(server.log().iter().any(why), "{:#?}", server.log());
    // No stream has noticed any of it.
    assert_eq!(listener.poke().await.data, Some(text("x")));
    assert_eq!(listener.poke().await.data, Some(text("x")));
}

#[tokio::test]
async fn streams_that_new_rules_no_longer_allow_end() {
    let issuer = Issuer::new("app");
    let config = |subscribers: &str| {
        issuer
            .known(Config::without_domains(), false)
            .text("domains.PLAYLIST.publishers", "anyone")
            .text("domains.PLAYLIST.subscribers", subscribers)
            .open("OPEN")
    };
    let server = Server::start(config("open")).await;
    let open = poke_tests::v1::Interest { domain: "OPEN".into(), ..interest("f") };
    let mut anyone = server.subscribe([new_pokes(interest("f")), new_pokes(open.clone())]).await;
    let mut ann = listen(&server, &issuer.token_with(json!({}))).await;
    anyone.live(Outcome::Fresh).await;
    anyone.live(Outcome::Fresh).await;
    ann.live(Outcome::Fresh).await;

    server.rewrite(&config("authenticated"));
    server.sighup();
    let Event::Rejected(rejected) = anyone.next_but_heartbeat().await else { panic!("it is withdrawn") };
    assert_eq!((rejected.code, rejected.reason.as_str()), (Code::Unauthenticated as i32, "CREDENTIALS_REQUIRED"));
    let mut publisher = server.publisher().await;
    publisher.poke(&interest("f"), "for ann").await;
    publisher.poke(&open, "for all").await;
    assert_eq!(anyone.poke().await.data, Some(text("for all")), "the other interest goes on");
    assert_eq!(ann.poke().await.data, Some(text("for ann")));

    // The issuer goes, and with it whoever is known by it.
    server.rewrite(&Config::without_domains().open("PLAYLIST"));
    server.sighup();
    let ended = loop {
        if let Err(status) = ann.try_next().await {
            break status;
        }
    };
    assert_eq!((ended.code(), refusal(&ended).reason.as_str()), (Code::Unauthenticated, "INVALID_CREDENTIALS"));
    let Event::Rejected(rejected) = anyone.next_but_heartbeat().await else { panic!("the domain is gone") };
    assert_eq!(rejected.reason, "UNKNOWN_DOMAIN");
}

#[tokio::test]
async fn a_token_that_expires_is_announced_and_nothing_is_delivered_after_it() {
    let issuer = Issuer::new("app");
    let config = issuer.known(Config::without_domains(), false).text("domains.PLAYLIST.publishers", "anyone");
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let expires = seconds() + 6;
    let mut listener = listen(&server, &issuer.token_with(json!({"exp": expires}))).await;
    listener.live(Outcome::Fresh).await;
    let publishing = async {
        while seconds() <= expires + 3 {
            publisher.poke(&interest("f"), &seconds().to_string()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let listening = async {
        let (mut last, mut announced) = (0, false);
        let status = loop {
            match listener.try_next().await {
                Ok(Event::Poke(poke)) => {
                    let at = poke.data.unwrap().to_value().unwrap();
                    last = at.as_str().unwrap().parse::<u64>().unwrap();
                }
                Ok(Event::Reconnect(reconnect)) => {
                    assert_eq!(reconnect.reason(), ReconnectReason::TokenExpiring);
                    announced = true;
                }
                Ok(_) => {}
                Err(status) => break status,
            }
        };
        (last, announced, status)
    };
    let ((), (last, announced, status)) = tokio::join!(publishing, listening);
    assert!(announced && last <= expires, "{last} {expires}");
    assert_eq!((status.code(), refusal(&status).reason.as_str()), (Code::Unauthenticated, "TOKEN_EXPIRED"));
}

#[tokio::test]
async fn on_a_full_connection_the_successors_of_streams_whose_tokens_expire_are_live_before_those_end() {
    let issuer = Issuer::new("app");
    let config = issuer.known(Config::without_domains(), false).text("domains.PLAYLIST.publishers", "anyone");
    let server = Server::start(config.set("limits.streams_per_connection", 2)).await;
    let mut client = server.connect().await;
    let request = || SubscribeRequest { subscriptions: vec![new_pokes(interest("f"))] };
    let [short, long] = [10, 600].map(|life| issuer.token_with(json!({"exp": seconds() + life})));
    let mut old = Vec::new();
    for _ in 0..2 {
        old.push(Stream::try_send(&mut client, bearing(&short, request())).await.unwrap());
    }
    for stream in &mut old {
        assert_eq!(stream.asked_to_move().await.reason(), ReconnectReason::TokenExpiring);
    }
    let mut new = Vec::new();
    for _ in 0..2 {
        let mut stream = Stream::try_send(&mut client, bearing(&long, request())).await.unwrap();
        stream.live(Outcome::Fresh).await;
        new.push(stream);
    }
    assert_eq!(server.metrics().await.sum("poke_streams_open"), 4.0, "the old ones go on");
    for stream in &mut old {
        assert_eq!(refusal(&stream.end().await).reason, "TOKEN_EXPIRED");
    }
    server.publisher().await.poke(&interest("f"), "x").await;
    for stream in &mut new {
        stream.poke().await;
    }
}

#[tokio::test]
async fn the_sdk_listens_across_the_ends_of_its_tokens_and_misses_nothing() {
    let issuer = Arc::new(Issuer::new("app"));
    let config = issuer.known(Config::without_domains(), false).text("domains.PLAYLIST.publishers", "anyone");
    let server = Server::start(config).await;
    let (asked, provider) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&issuer));
    let count = Arc::clone(&asked);
    let client = Client::builder(server.url()).token_provider(move || {
        count.fetch_add(1, SeqCst);
        let token = provider.token_with(json!({"exp": seconds() + 4}));
        async move { Ok::<_, std::io::Error>(token) }
    });
    let mut pokes = client.build().unwrap().subscribe([SdkInterest::new("PLAYLIST", "f")]);
    let mut next = async || loop {
        match within("an event", pokes.next()).await.unwrap().unwrap() {
            SdkEvent::Live(_) => return None,
            SdkEvent::Poke(poke) => return poke.data,
            SdkEvent::Gap(gap) => panic!("{gap:?}"),
            _ => {}
        }
    };
    assert_eq!(next().await, None);
    let mut publisher = server.publisher().await;
    let mut sent = 0;
    while asked.load(SeqCst) < 4 {
        sent += 1;
        publisher.poke(&interest("f"), &sent.to_string()).await;
        let received = loop {
            if let Some(poke) = next().await {
                break poke;
            }
        };
        assert_eq!(received, text(&sent.to_string()), "in order, once, and none is missing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew_once() {
    let issuer = Arc::new(Issuer::new("app"));
    let editors = r#"[{ issuer = "app", claims = { role = "editor" } }]"#;
    let config = issuer.known(Config::without_domains(), false).set("domains.PLAYLIST.publishers", editors);
    let server = Server::start(config).await;
    let (asked, provider) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&issuer));
    let count = Arc::clone(&asked);
    // Good for a moment, then for a minute, and then not at all.
    let lives = [2, 60, 0];
    let client = Client::builder(server.url()).token_provider(move || {
        let life = lives[count.fetch_add(1, SeqCst).min(2)];
        let token = provider.token_with(json!({"exp": seconds() + life - 1, "role": "editor"}));
        async move { Ok::<_, std::io::Error>(token) }
    });
    let client = client.build().unwrap();
    let publish = async || within("Publish", client.publish(Publish::new("PLAYLIST", "f"))).await.map(drop);
    publish().await.unwrap();
    let began = seconds();
    eventually("the token's end", async || (seconds() > began + 2).then_some(())).await;
    publish().await.unwrap();
    assert_eq!(asked.load(SeqCst), 2);
    // A token that was fetched for the call itself and is refused is no reason to fetch another.
    let provider = Arc::clone(&issuer);
    let hopeless = Client::builder(server.url())
        .token_provider(move || {
            let token = provider.token_with(json!({"exp": seconds() - 60}));
            async move { Ok::<_, std::io::Error>(token) }
        })
        .build()
        .unwrap();
    let refused = within("Publish", hopeless.publish(Publish::new("PLAYLIST", "f"))).await.unwrap_err();
    assert_eq!((refused.kind(), refused.reason()), (ErrorKind::Refused, Some("TOKEN_EXPIRED")));
}

/// Answers every request with the key set of the day, and counts them.
async fn key_server(set: Arc<Mutex<String>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, SeqCst);
            let _ = socket.read(&mut [0; 4096]).await;
            let set = set.lock().unwrap().clone();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", set.len());
            let _ = socket.write_all((head + &set).as_bytes()).await;
        }
    });
    (url, fetches)
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_the_issuer_two_fetches_and_a_rotated_key_works() {
    let old = Issuer::new("app");
    let new = old.rotated("new");
    let set = Arc::new(Mutex::new(old.key_set()));
    let (url, fetches) = key_server(Arc::clone(&set)).await;
    let config = Config::without_domains()
        .text("issuers.app.issuer", &old.name())
        .set("issuers.app.audience", r#"["poke"]"#)
        .text("issuers.app.jwks_url", &url)
        .set("domains.PLAYLIST.publishers", r#"[{ issuer = "app", claims = { role = "editor" } }]"#);
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let role = json!({"role": "editor"});
    assert_eq!(publish(&mut publisher, &old.token_with(role.clone())).await, Ok(()));
    *set.lock().unwrap() = new.key_set();
    assert_eq!(publish(&mut publisher, &new.token_with(role.clone())).await, Ok(()), "a rotated key works at once");
    for i in 0..200 {
        let made_up = old.rotated(&format!("made-up-{i}")).token_with(role.clone());
        let (code, reason) = publish(&mut publisher, &made_up).await.unwrap_err();
        assert_eq!((code, reason.as_str()), (Code::Unavailable, "KEYS_UNAVAILABLE"), "it can't be told yet");
    }
    assert_eq!(publish(&mut publisher, &new.token_with(role.clone())).await, Ok(()));
    assert_eq!(fetches.load(SeqCst), 2);
}

#[tokio::test]
async fn a_key_that_the_issuer_replaces_under_the_same_id_is_accepted_at_once() {
    let old = Issuer::new("app");
    // Its id is that of the first.
    let new = old.rotated("app");
    let set = Arc::new(Mutex::new(old.key_set()));
    let (url, fetches) = key_server(Arc::clone(&set)).await;
    let config = Config::without_domains()
        .text("issuers.app.issuer", &old.name())
        .set("issuers.app.audience", r#"["poke"]"#)
        .text("issuers.app.jwks_url", &url)
        .set("domains.PLAYLIST.publishers", r#"[{ issuer = "app", claims = { role = "editor" } }]"#);
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let role = json!({"role": "editor"});
    assert_eq!(publish(&mut publisher, &old.token_with(role.clone())).await, Ok(()));
    *set.lock().unwrap() = new.key_set();
    assert_eq!(publish(&mut publisher, &new.token_with(role.clone())).await, Ok(()));
    // Wrong signatures can't be told from those of another new key until the issuer may be asked again.
    for _ in 0..20 {
        let forged = old.token_with(role.clone());
        assert_eq!(publish(&mut publisher, &forged).await.unwrap_err().1, "KEYS_UNAVAILABLE");
    }
    assert_eq!(publish(&mut publisher, &new.token_with(role)).await, Ok(()), "others notice nothing");
    assert_eq!(fetches.load(SeqCst), 2);
}

#[tokio::test]
async fn a_key_set_in_a_file_is_taken_while_the_server_runs() {
    let old = Issuer::new("app");
    let new = old.rotated("new");
    let editors = r#"[{ issuer = "app", claims = { role = "editor" } }]"#;
    let server =
        Server::start(old.known(Config::without_domains(), false).set("domains.PLAYLIST.publishers", editors)).await;
    let mut publisher = server.publisher().await;
    let role = json!({"role": "editor"});
    assert_eq!(publish(&mut publisher, &old.token_with(role.clone())).await, Ok(()));
    fs::write(old.file(), "{").unwrap();
    server.metric_becomes("poke_jwks_fetches_total", |_| true).await;
    assert_eq!(
        publish(&mut publisher, &old.token_with(role.clone())).await,
        Ok(()),
        "a broken file leaves the old keys"
    );
    // As editors of other systems save it.
    fs::write(old.file(), format!("\u{feff}{}", new.key_set())).unwrap();
    assert_eq!(publish(&mut publisher, &new.token_with(role.clone())).await, Ok(()));
}

#[tokio::test]
async fn a_certificates_names_are_rights() {
    let (authority, partners) = (Authority::new(), Authority::new());
    let files = Files::new(&authority.server());
    let config = files.config_for_clients(&partners, "optional").set(
        "domains.PLAYLIST.publishers",
        r#"[{ certificate = "spiffe://example/back-end" }, { certificate = "API.example" }]"#,
    );
    let server = Server::start(config).await;
    let publish = async |names: Option<&[&str]>| {
        let mut client = Client::builder(server.url()).authorities(authority.pem());
        if let Some(names) = names {
            let pair = partners.client(names);
            client = client.certificate(pair.certificate.as_str(), pair.key.as_str());
        }
        let sent = within("Publish", client.build().unwrap().publish(Publish::new("PLAYLIST", "f"))).await;
        sent.err().map(|error| error.reason().unwrap_or_default().to_owned())
    };
    assert_eq!(publish(Some(&["x.example", "spiffe://example/back-end"])).await, None);
    assert_eq!(publish(Some(&["api.example"])).await, None);
    for other in ["api.example.com", "*.example", "spiffe://example/back-end/x"] {
        assert_eq!(publish(Some(&[other])).await.as_deref(), Some("NOT_A_PUBLISHER"), "{other}");
    }
    assert_eq!(publish(None).await.as_deref(), Some("CREDENTIALS_REQUIRED"));
}

#[tokio::test]
async fn the_commands_make_keys_and_tokens_that_work() {
    let (key, hash) = api_key().await;
    let folder = std::env::temp_dir().join(format!("poke-token-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let token = async |arguments: &[&str]| {
        let mut command = poke("http://unused");
        command.current_dir(&folder).arg("token").args(arguments);
        run_well(command).await.trim().to_owned()
    };
    let grants = ["ann", "--grant", "PLAYLIST/f", "--grant-prefix", "PLAYLIST/team/", "--claim", "role=editor"];
    let ann = token(&grants).await;
    let config = Config::without_domains()
        .set("keys.back-end", hash)
        .text("issuers.dev.issuer", "poke-dev")
        .set("issuers.dev.audience", r#"["poke"]"#)
        .text("issuers.dev.jwks_file", &folder.join("poke-dev.key.jwks.json").display().to_string())
        .set(
            "domains.PLAYLIST.publishers",
            r#"[{ key = "back-end" }, { issuer = "dev", claims = { role = "editor" } }]"#,
        )
        .text("domains.PLAYLIST.subscribers", "grant");
    let server = Server::start(config).await;
    let call = async |token: &str, arguments: &[&str]| {
        let mut command = poke(&server.url());
        command.env("POKE_TOKEN", token).args(arguments);
        run(command).await.status.code()
    };
    let publish = ["publish", "PLAYLIST", "f", "hi"];
    let listen = |filter| ["subscribe", "PLAYLIST", filter, "--latest", "--count", "1", "--timeout", "20s"];
    assert_eq!(call(&key, &publish).await, Some(0));
    assert_eq!(call(&ann, &publish).await, Some(0));
    assert_eq!(call(&ann, &listen("f")).await, Some(0));
    // The pair that is there is used again.
    let bob = token(&["bob", "--grant-prefix", "PLAYLIST/"]).await;
    assert_eq!(call(&bob, &publish).await, Some(3));
    assert_eq!(call(&bob, &listen("f")).await, Some(0));
    assert_eq!(call(&token(&["carl"]).await, &listen("f")).await, Some(3));
    fs::remove_dir_all(&folder).unwrap();
}
