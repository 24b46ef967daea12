//! The filters' own words among Envoy's log lines.
//!
//! Envoy writes what a module logs as `… wasm log <plugin> <root id> <vm id>: <message>`; the two
//! names may be missing. A start that fails adds some forty lines of Envoy's around them, so what an
//! operator wants to read is picked out here.

/// How every Envoy that we start writes its log: time, level in brackets, logger in brackets, text.
pub(super) const LOG_FORMAT: &str = "%H:%M:%S.%e [%l] [%n] %v";

/// One line that a module logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Envoy's word for the level: `debug`, `info`, `warning`, `error`, `critical`.
    pub level: String,
    /// What the module said.
    pub text: String,
}

/// The lines that modules logged, in order; what several workers said alike is there once.
pub fn own_messages<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for message in lines.into_iter().filter_map(message) {
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    messages
}

/// Envoy's own complaint, for a failure in which no module spoke: its first and its last error line.
///
/// The first has the cause, the last what it stopped; they may be one.
pub(super) fn complaint<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let grave = |line: &&str| line.contains(" [critical] ") || line.contains(" [error] ");
    let graves: Vec<&str> = lines.filter(grave).map(plain).collect();
    let (first, last) = (graves.first()?, graves.last()?);
    if first == last { Some((*first).to_owned()) } else { Some(format!("{first}; {last}")) }
}

/// A line of Envoy's without its head, and without the configuration that it may quote in full.
fn plain(line: &str) -> &str {
    let text = line.splitn(4, ' ').nth(3).unwrap_or(line);
    let quoted = text.strip_prefix("error `").and_then(|rest| rest.split_once("` initializing"));
    quoted.map_or(text, |(cause, _configuration)| cause)
}

fn message(line: &str) -> Option<Message> {
    let (head, rest) = line.split_once("wasm log")?;
    let level = head.split(['[', ']']).nth(1)?.to_owned();
    // After the names comes a colon; the message itself may hold further ones.
    let (_names, text) = rest.split_once(": ")?;
    Some(Message { level, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 3] = [
        "10:00:00.000 [info] [main] initializing epoch 0",
        "10:00:00.100 [error] [wasm] wasm log weir weir weir: rate-limit: limits: found 0 entries",
        "10:00:00.101 [error] [wasm] wasm log weir weir weir: rate-limit: limits: found 0 entries",
    ];

    #[test]
    fn own_words_are_told_from_envoys_and_said_once() {
        let expected =
            Message { level: "error".into(), text: "rate-limit: limits: found 0 entries".into() };
        assert_eq!(own_messages(LINES), [expected]);
    }

    #[test]
    fn the_complaint_is_the_cause_and_what_it_stopped() {
        let lines = [
            "10:00:00.000 [info] [main] initializing epoch 0",
            "10:00:00.100 [error] [wasm] Wasm VM failed Missing or unknown Proxy-Wasm ABI version",
            "10:00:00.101 [critical] [wasm] Plugin weir-x failed to load",
            "10:00:00.102 [critical] [main] error `Unable to create Wasm plugin weir-x` \
             initializing config 'node { id: \"a\" } /tmp/bootstrap.json'",
        ];
        assert_eq!(
            complaint(lines.into_iter()).unwrap(),
            "Wasm VM failed Missing or unknown Proxy-Wasm ABI version; \
             Unable to create Wasm plugin weir-x"
        );
        assert_eq!(complaint(lines.into_iter().take(2)).unwrap().matches("ABI").count(), 1);
        assert_eq!(complaint(lines.into_iter().take(1)), None);
    }
}
