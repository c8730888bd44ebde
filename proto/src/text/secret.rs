//! Keys, tokens and hashes that people put where names or paths belong: messages repeat names, and must not repeat those.

use std::borrow::Cow;

/// The shortest run of characters that can be a part of a secret. Shorter ones say too little to be of use, and are names
/// more often.
const SHORTEST: usize = 16;

/// The length of an API key of this product (`poke_` and 256 bits), from which on its prefix tells one. A shorter part of a
/// key has capital letters, which names that begin in small letters haven't.
const API_KEY: usize = 40;

/// The length from which on what follows a part of a token, or the name of a hash, is masked too.
const SHORT_PART: usize = 8;

const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";

/// Returns a text for a message, with `…` in place of everything in it that may be a part of a key, a token or a hash: long
/// runs of characters that look random, and PEM.
///
/// It is for names and paths that come from users. Nobody relies on it where a message can do without the text.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    if let Some((before, _)) = text.split_once(BEGIN) {
        return Cow::Owned(format!("{}…", masked(before)));
    }
    // PEM that has lost its beginning.
    if let Some((_, behind)) = text.rsplit_once(END) {
        return Cow::Owned(format!("…{}", masked(behind)));
    }
    let mut masked = String::new();
    let (mut is_changed, mut follows) = (false, false);
    for run in runs(text) {
        // A part of a token behind a dot, or of a hash behind its name, may be too short to be told by itself.
        let is_secret = is_secret(run) || follows && run.len() >= SHORT_PART;
        follows = is_secret || run == "sha256" || follows && matches!(run, "." | ":");
        is_changed |= is_secret;
        masked.push_str(if is_secret { "…" } else { run });
    }
    if is_changed { Cow::Owned(masked) } else { Cow::Borrowed(text) }
}

/// The text in runs of the characters of base64, both alphabets, and those in between. A slash is in between, as it parts
/// the names of a path.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let is_base64 = |character: char| character.is_ascii_alphanumeric() || matches!(character, '+' | '=' | '_' | '-');
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = is_base64(rest.chars().next()?);
        let end = rest.find(|character| is_base64(character) != first).unwrap_or(rest.len());
        let run;
        (run, rest) = rest.split_at(end);
        Some(run)
    })
}

/// Returns true if a run changes between letters and digits, or between small and capital letters, more often than words and
/// dates do.
fn is_secret(run: &str) -> bool {
    if run.len() < SHORTEST {
        return false;
    }
    let has_capitals = run.bytes().any(|byte| byte.is_ascii_uppercase());
    if run.starts_with("poke_") && (has_capitals || run.len() >= API_KEY) || run.starts_with("eyJ") {
        return true;
    }
    let bytes = run.as_bytes();
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 'a',
        b'A'..=b'Z' => 'A',
        b'0'..=b'9' => '0',
        _ => '-',
    };
    // A word may begin with one capital letter.
    let changes = bytes.windows(3).filter(|three| match [class(three[0]), class(three[1]), class(three[2])] {
        ['A', 'A', 'a'] => true,
        [_, 'a', 'A'] => true,
        [_, a, b] => a != b && (a == '0' || b == '0') && a != '-' && b != '-',
    });
    let changes = changes.count();
    let is_mixed = ['a', 'A', '0'].iter().all(|wanted| bytes.iter().any(|byte| class(*byte) == *wanted));
    let is_hex = bytes.iter().all(u8::is_ascii_hexdigit) && changes > 0;
    is_hex || is_mixed && changes >= 2 || changes >= 3 && changes * 6 >= run.len()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn names_and_paths_stay_as_they_are() {
        for name in [
            "/etc/kubernetes/pki/apiserver-kubelet-client.crt",
            "/var/run/secrets/..2024_05_01_12_30_45.123456789/tls.key",
            "limits.connections_per_address",
            "PlaylistServiceClientFactory",
            "POKE_SERVER_STREAM_MAX_AGE",
            "poke_server::connection=debug",
            "poke_production_2024.toml",
            "C:\\Users\\Ann\\poke-dev.key.jwks.json",
            "2026-11-30T23:59:59Z",
            "/srv/my-app-v2-eu-west-1-prod/tls.key",
            "überlang-und-doch-kein-schlüssel",
            "",
        ] {
            assert_eq!(masked(name), name);
        }
    }

    #[test]
    fn secrets_in_a_text_are_left_out() {
        let key = "poke_ILlc6vJoZhqckAMWn_Wa1jeMtFq7NX3za73rOIgVrJ4";
        assert_eq!(masked(&format!("there is no key {key} in [keys]")), "there is no key … in [keys]");
        let hash = "ffc55d17548c4f75413207257c4f15feb2017d7cb8dafc4945d40f16da428c6b";
        assert_eq!(masked(&format!("sha256:{hash}: no")), "sha256:…: no");
        assert_eq!(masked("/a/eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJwb2tlLWRldiJ9.abcdefgh"), "/a/….….…");
        assert_eq!(masked("sha256:7d916327540bddccf and 7d916327540bddccf"), "sha256:… and …");
        assert_eq!(masked("a -----BEGIN PRIVATE KEY-----\nMC4CAQ"), "a …");
        assert_eq!(masked("KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----: no"), "… PRIVATE KEY-----: no");
        assert_eq!(masked(&format!("poke_{}", "a".repeat(43))), "…");
    }

    proptest! {
        #[test]
        fn no_random_key_or_hash_passes(bytes in vec(any::<u8>(), 32)) {
            let hash: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(masked(&hash), "…");
        }
    }
}
