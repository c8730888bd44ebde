//! Configuration files.

use poke_server::config::Config;

/// Any text as a configuration file. What is accepted is printed so that it reads back to the same; what is refused is
/// refused in words, a line for each mistake.
///
/// # Panics
/// When a rule is broken.
pub fn config(text: &str) -> bool {
    match Config::from_toml("poke.toml", text) {
        Ok(config) => {
            let printed = config.to_toml();
            assert_eq!(Config::from_toml("poke.toml", &printed).unwrap(), config);
            true
        }
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty());
            for line in mistakes.to_string().lines() {
                assert!(!line.is_empty() && line.len() < 2000 + text.len(), "{} bytes", line.len());
                assert!(!line.chars().any(char::is_control), "{line:?}");
            }
            false
        }
    }
}
