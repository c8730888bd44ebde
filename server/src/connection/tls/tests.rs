//! Files, what they mean, and their replacement. Handshakes are tested from outside, by end-to-end tests.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{files::Contents, *};
use crate::changes::Changes;

/// A certificate for these names and its key, as PEM. `change` has the last word.
fn pair(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|name| san(name)).collect();
    change(&mut params);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn san(name: &str) -> SanType {
    let text = name.try_into().unwrap();
    if name.contains("://") { SanType::URI(text) } else { SanType::DnsName(text) }
}

fn usual() -> (String, String) {
    pair(&["localhost"], |_| {})
}

fn contents(certificate: &str, key: &str) -> Contents {
    Contents { certificate: Ok(certificate.into()), key: Ok(key.into()), client_ca: None }
}

fn files() -> Files {
    Files { certificate: "c.pem".into(), key: "k.pem".into(), client_ca: None }
}

/// What is wrong with these contents.
fn flaws(contents: &Contents) -> Vec<(&'static str, String)> {
    let files = Files { client_ca: contents.client_ca.as_ref().map(|_| "ca.pem".into()), ..files() };
    let result = Material::new(&files, contents, &Settings::default());
    let flaws = result.err().map_or_else(Vec::new, |Flaws(flaws)| flaws);
    flaws.into_iter().map(|flaw| (flaw.setting, flaw.message)).collect()
}

/// The only thing that is wrong.
fn flaw(contents: &Contents) -> (&'static str, String) {
    let [flaw] = flaws(contents).try_into().unwrap();
    flaw
}

#[test]
fn a_sound_pair_is_taken_with_the_expiry_of_its_chain() {
    let (leaf, key) = pair(&["localhost"], |params| params.not_after = date_time_ymd(2200, 1, 1));
    let (other, _) = pair(&["intermediate"], |params| params.not_after = date_time_ymd(2100, 1, 1));
    let chain = contents(&format!("{leaf}{other}"), &key);
    let material = Material::new(&files(), &chain, &Settings::default()).unwrap();
    assert_eq!(material.expires.as_secs(), 4_102_444_800);
}

#[test]
fn each_mistake_in_a_file_is_told_from_the_others() {
    let (certificate, key) = usual();
    let nothing = (
        "tls.certificate",
        "c.pem: there is no certificate in PEM form (no line BEGIN CERTIFICATE between dashes)".to_owned(),
    );
    assert_eq!(flaw(&contents("hello", &key)), nothing);
    // Swapped with the key.
    assert_eq!(flaw(&contents(&key, &key)), nothing);
    let no_key = "k.pem: there is no private key in PEM form (no line BEGIN PRIVATE KEY between dashes)";
    assert_eq!(flaw(&contents(&certificate, &certificate)), ("tls.key", no_key.to_owned()));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(flaw(&contents(&certificate, &encrypted)).1.starts_with("k.pem: the private key is encrypted"));
    let (setting, message) = flaw(&contents("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key));
    assert!(setting == "tls.certificate" && message.contains("malformed"), "{message}");
    let (setting, message) = flaw(&contents(&certificate, &usual().1));
    assert!(setting == "tls.key" && message.contains("doesn't belong to the first certificate"), "{message}");
}

#[test]
fn a_certificate_outside_of_its_time_is_a_mistake() {
    let (expired, key) = pair(&["localhost"], |params| params.not_after = date_time_ymd(2001, 2, 3));
    let message = "c.pem holds a certificate that expired at 2001-02-03T00:00:00Z";
    assert_eq!(flaw(&contents(&expired, &key)), ("tls.certificate", message.to_owned()));
    let (early, key) = pair(&["localhost"], |params| params.not_before = date_time_ymd(2200, 1, 1));
    assert!(flaw(&contents(&early, &key)).1.contains("isn't valid before 2200-01-01T00:00:00Z"));
}

#[test]
fn all_files_are_looked_at_whatever_is_wrong_with_the_first() {
    let missing = "c.pem can't be read: it isn't there".to_owned();
    let found = flaws(&Contents {
        certificate: Err(missing.clone()),
        key: Ok(Vec::new()),
        client_ca: Some(Ok(b"# nobody".to_vec())),
    });
    let settings: Vec<_> = found.iter().map(|(setting, _)| *setting).collect();
    assert_eq!(settings, ["tls.certificate", "tls.key", "tls.client_ca"]);
    assert_eq!(found[0].1, missing);
}

#[test]
fn settings_that_do_not_go_together_are_mistakes() {
    let wrong = |settings: Settings| settings.check().unwrap_err().0[0].setting;
    let file = || Some("x.pem".into());
    assert_eq!(wrong(Settings { certificate: file(), ..Settings::default() }), "tls.certificate");
    assert_eq!(wrong(Settings { key: file(), ..Settings::default() }), "tls.key");
    // Neither of these may pass for safe.
    let (certificate, key) = (file(), file());
    let both = Settings { certificate, key, ..Settings::default() };
    assert_eq!(wrong(Settings { client_ca: file(), ..both.clone() }), "tls.client_ca");
    let required = ClientCertificates::Required;
    assert_eq!(wrong(Settings { client_certificates: required, ..both }), "tls.client_certificates");
    let plain = Settings { client_certificates: required, client_ca: file(), ..Settings::default() };
    assert_eq!(wrong(plain), "tls.client_certificates");
    assert_eq!(Settings::default().check(), Ok(()));
}

fn identity(names: &[&str]) -> PeerIdentity {
    let (pem, _) = pair(names, |_| {});
    PeerIdentity::read(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap()
}

#[test]
fn an_identity_has_the_names_of_its_certificate() {
    let identity = identity(&["API.example.com", "spiffe://example.com/api", "*.example.com"]);
    assert_eq!(identity.dns_names().collect::<Vec<_>>(), ["api.example.com", "*.example.com"]);
    assert_eq!(identity.uris().collect::<Vec<_>>(), ["spiffe://example.com/api"]);
    assert_eq!(identity.spiffe_id(), Some("spiffe://example.com/api"));
    assert!(!identity.has_expired());
}

#[test]
fn who_has_two_uris_or_another_one_has_no_spiffe_id() {
    assert_eq!(identity(&["spiffe://a/b", "https://a/b"]).spiffe_id(), None);
    assert_eq!(identity(&["https://a/b"]).spiffe_id(), None);
    assert_eq!(identity(&[]).spiffe_id(), None);
}

/// A server whose files are these contents, and what it knows of them.
fn running(contents: &Contents) -> (Tls, Changes) {
    let material = Material::new(&files(), contents, &Settings::default()).unwrap();
    let (current, first) = (Mutex::new(material.config), contents.fingerprint());
    let tls = Tls { settings: Settings::default(), files: files(), current, first, metrics: Arc::default() };
    (tls, Changes::new(first))
}

/// Reloads that went well, and others.
fn reloads(tls: &Tls) -> (u64, u64) {
    (tls.metrics.tls_reloads.get(), tls.metrics.tls_reload_failed.get())
}

#[test]
fn a_new_pair_is_taken_once_both_files_are_there() {
    let ((old_certificate, old_key), (certificate, key)) = (usual(), usual());
    let (tls, mut changes) = running(&contents(&old_certificate, &old_key));
    let before = Arc::clone(&tls.current.lock());
    tls.look(&mut changes, &contents(&old_certificate, &old_key), false);
    // Between two writes.
    tls.look(&mut changes, &contents(&certificate, &old_key), false);
    tls.look(&mut changes, &contents(&certificate, &key), false);
    assert_eq!(reloads(&tls), (0, 0));
    tls.look(&mut changes, &contents(&certificate, &key), false);
    assert_eq!(reloads(&tls), (1, 0));
    assert!(!Arc::ptr_eq(&before, &tls.current.lock()));
    tls.look(&mut changes, &contents(&certificate, &key), true);
    assert_eq!(reloads(&tls), (1, 0));
}

#[test]
fn a_broken_pair_leaves_the_old_one_and_is_complained_about_once() {
    let ((certificate, key), (_, other_key)) = (usual(), usual());
    let (tls, mut changes) = running(&contents(&certificate, &key));
    let before = Arc::clone(&tls.current.lock());
    for _ in 0..5 {
        tls.look(&mut changes, &contents(&certificate, &other_key), false);
    }
    assert_eq!(reloads(&tls), (0, 1));
    // Who asks is answered.
    tls.look(&mut changes, &contents(&certificate, &other_key), true);
    assert_eq!(reloads(&tls), (0, 2));
    assert!(Arc::ptr_eq(&before, &tls.current.lock()));
    // Another fault is another complaint; and so is the first, once it had been mended.
    let missing = || Contents { certificate: Err("c.pem can't be read".into()), ..contents("", &key) };
    tls.look(&mut changes, &missing(), false);
    tls.look(&mut changes, &missing(), false);
    assert_eq!(reloads(&tls), (0, 3));
    tls.look(&mut changes, &contents(&certificate, &key), false);
    tls.look(&mut changes, &missing(), false);
    tls.look(&mut changes, &missing(), false);
    assert_eq!(reloads(&tls), (0, 4));
}

#[test]
fn who_asks_need_not_wait_for_a_second_look() {
    let ((certificate, key), (new_certificate, new_key)) = (usual(), usual());
    let (tls, mut changes) = running(&contents(&certificate, &key));
    tls.look(&mut changes, &contents(&new_certificate, &new_key), true);
    assert_eq!(reloads(&tls), (1, 0));
}
