//! What is known about a server, for people and for programs.

use std::time::Duration;

use poke_client::Code;
use poke_proto::v1::{Limits, Rejected, Welcome};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::{
    Exit, Failure, duration,
    output::{Paint, Palette},
    server::code_name,
    text,
};

/// A server at one moment.
pub(crate) struct Report {
    pub(crate) url: String,
    pub(crate) health: &'static str,
    pub(crate) version: Option<String>,
    pub(crate) round_trip: Duration,
    pub(crate) welcome: Option<Welcome>,
    pub(crate) domain: Option<(String, DomainState)>,
}

/// Whether a domain can be listened to.
pub(crate) enum DomainState {
    Live,
    Rejected(Rejected),
}

impl Report {
    /// A line for each thing.
    pub(crate) fn lines(&self, palette: Palette) -> Vec<String> {
        let paint = match self.health {
            "serving" => Paint::Good,
            "unknown" => Paint::Warning,
            _ => Paint::Bad,
        };
        let version = self.version.as_deref().unwrap_or("unknown");
        let mut lines = vec![
            ("server", text::escape(&self.url).into_owned()),
            ("health", palette.paint(paint, self.health)),
            ("version", text::escape(version).into_owned()),
            ("round trip", text::duration(self.round_trip)),
        ];
        if let Some(welcome) = &self.welcome {
            if let Some(limits) = &welcome.limits {
                lines.extend(limits_lines(limits));
            }
            lines.push(("heartbeat", every(welcome.heartbeat_interval.as_ref())));
        }
        if let Some((domain, state)) = &self.domain {
            let domain = text::escape(domain);
            lines.push((
                "domain",
                match state {
                    DomainState::Live => format!("{domain}: {}", palette.paint(Paint::Good, "open to you")),
                    DomainState::Rejected(rejected) => {
                        format!("{domain}: {}", palette.paint(Paint::Bad, &refusal(rejected)))
                    }
                },
            ));
        }
        lines
            .into_iter()
            .map(|(name, value)| format!("{} {value}", palette.paint(Paint::Dim, &format!("{name:11}"))))
            .collect()
    }

    /// Whether a script should go on.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        match (&self.domain, self.health) {
            (_, "not serving") => Err(Failure::new(Exit::Unreachable, format_args!("{} is not serving", self.url))),
            (Some((domain, DomainState::Rejected(rejected))), _) => {
                Err(Failure::new(Exit::Refused, format_args!("domain {domain}: {}", refusal(rejected))))
            }
            _ => Ok(()),
        }
    }
}

fn limits_lines(limits: &Limits) -> [(&'static str, String); 4] {
    let bytes = u64::try_from(limits.max_poke_bytes).unwrap_or_default();
    [
        ("interests", format!("at most {} a stream", limits.max_interests)),
        ("poke size", format!("at most {} bytes", text::thousands(bytes))),
        ("data depth", format!("at most {} nested", limits.max_data_depth)),
        ("retention", every(limits.retention_window.as_ref())),
    ]
}

fn refusal(rejected: &Rejected) -> String {
    let code = code_name(Code::from(rejected.code));
    format!("{} ({code}, {})", text::escape(&rejected.message), text::escape(&rejected.reason))
}

fn every(duration: Option<&prost_types::Duration>) -> String {
    positive(duration).map_or_else(|| "unknown".to_owned(), text::duration)
}

fn positive(duration: Option<&prost_types::Duration>) -> Option<Duration> {
    duration.copied().and_then(|duration| Duration::try_from(duration).ok())
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis =
            |duration| positive(duration).map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let limits = self.welcome.as_ref().and_then(|welcome| welcome.limits.as_ref()).map(|limits| {
            json!({
                "maxInterests": limits.max_interests,
                "maxPokeBytes": limits.max_poke_bytes,
                "maxDataDepth": limits.max_data_depth,
                "retentionWindowMs": millis(limits.retention_window.as_ref()),
            })
        });
        let mut report = json!({
            "url": self.url,
            "health": self.health,
            "version": self.version,
            "roundTripMs": duration::millis(self.round_trip),
            "limits": limits,
            "heartbeatIntervalMs": self.welcome.as_ref().and_then(|welcome| millis(welcome.heartbeat_interval.as_ref())),
        });
        if let Some((domain, state)) = &self.domain {
            report["domain"] = match state {
                DomainState::Live => json!({"name": domain, "open": true}),
                DomainState::Rejected(rejected) => json!({
                    "name": domain,
                    "open": false,
                    "code": code_name(Code::from(rejected.code)),
                    "reason": rejected.reason,
                    "message": rejected.message,
                }),
            };
        }
        report.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(health: &'static str, domain: Option<DomainState>) -> Report {
        let duration = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        Report {
            url: "http://127.0.0.1:8080".to_owned(),
            health,
            version: Some("poke-server/0.1.0".to_owned()),
            round_trip: Duration::from_micros(412),
            welcome: Some(Welcome {
                stream_id: "s".to_owned(),
                heartbeat_interval: duration(20),
                limits: Some(Limits {
                    max_interests: 100,
                    max_poke_bytes: 131_072,
                    max_data_depth: 24,
                    retention_window: duration(600),
                }),
                reconnect_spread: duration(5),
            }),
            domain: domain.map(|state| ("PLAYLIST".to_owned(), state)),
        }
    }

    fn rejected() -> DomainState {
        DomainState::Rejected(Rejected {
            code: 5,
            reason: "UNKNOWN_DOMAIN".to_owned(),
            message: "no such domain".to_owned(),
            ..Rejected::default()
        })
    }

    #[test]
    fn people_read_a_table() {
        let lines = report("serving", Some(DomainState::Live)).lines(Palette::PLAIN).join("\n");
        assert_eq!(
            lines,
            "\
server      http://127.0.0.1:8080
health      serving
version     poke-server/0.1.0
round trip  412 µs
interests   at most 100 a stream
poke size   at most 131,072 bytes
data depth  at most 24 nested
retention   10 min
heartbeat   20 s
domain      PLAYLIST: open to you"
        );
    }

    #[test]
    fn programs_read_numbers() {
        let json = json!(report("serving", Some(rejected())));
        assert_eq!(json["limits"]["maxPokeBytes"], json!(131_072));
        assert_eq!(json["limits"]["retentionWindowMs"], json!(600_000));
        assert_eq!(json["domain"]["reason"], json!("UNKNOWN_DOMAIN"));
        assert_eq!(json["roundTripMs"], json!(0.412));
    }

    #[test]
    fn the_verdict_is_for_scripts() {
        assert_eq!(report("serving", None).verdict(), Ok(()));
        let exit = |report: Report| match report.verdict() {
            Err(Failure::Said { exit, .. }) => Some(exit),
            _ => None,
        };
        assert_eq!(exit(report("not serving", None)), Some(Exit::Unreachable));
        assert_eq!(exit(report("serving", Some(rejected()))), Some(Exit::Refused));
    }
}
