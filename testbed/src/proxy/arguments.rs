//! The command line of `weir-proxy`, parsed into values that cannot be wrong.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Parser, ValueEnum};

/// Puts a Weir filter in front of a service, with a real Envoy, until Ctrl-C.
#[derive(Debug, Clone, Parser)]
#[command(name = "weir-proxy", version, max_term_width = 100)]
pub struct Arguments {
    /// The service: HOST:PORT, a name or an address, plain HTTP; it may be down.
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Upstream,

    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 10_000)]
    pub port: u16,

    /// The address to listen on; 0.0.0.0 or :: opens the port to the network.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,

    /// Which module to run.
    #[arg(long, value_enum, default_value_t = Filter::Gateway)]
    pub filter: Filter,

    /// The filter's configuration: a .json file, or YAML; without it a sensible one of our own.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Envoy's worker threads.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,

    /// How many proxies in front of this one are ours; their X-Forwarded-For is then believed.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub trusted_hops: u8,

    /// Seconds that the service may take for a whole response.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub timeout: NonZeroU16,

    /// Send the upstream's own name as Host instead of the one that the client sent.
    #[arg(long)]
    pub rewrite_host: bool,

    /// Print a line per request; on by itself when the output is a terminal.
    #[arg(long, overrides_with = "no_access_log")]
    pub access_log: bool,

    /// Print no line per request, on a terminal neither.
    #[arg(long, action = ArgAction::SetTrue)]
    pub no_access_log: bool,

    /// Print the filter's configuration and end.
    #[arg(long)]
    pub print_config: bool,

    /// Print Envoy's bootstrap as JSON, for an Envoy of your own, and end.
    #[arg(long)]
    pub print_bootstrap: bool,
}

impl Arguments {
    /// The defaults, before this service.
    pub fn before(upstream: Upstream) -> Self {
        Self {
            upstream,
            port: 0,
            listen: IpAddr::from([127, 0, 0, 1]),
            filter: Filter::Gateway,
            config: None,
            workers: 1,
            trusted_hops: 0,
            timeout: NonZeroU16::MIN,
            rewrite_host: false,
            access_log: false,
            no_access_log: true,
            print_config: false,
            print_bootstrap: false,
        }
    }

    /// Whether requests are printed, given whether the output is a terminal.
    pub fn logs_requests(&self, terminal: bool) -> bool {
        !self.no_access_log && (self.access_log || terminal)
    }
}

/// The modules that can stand in front of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Filter {
    /// All four in one module.
    Gateway,
    /// Admits or answers 429.
    RateLimit,
    /// Answers from a shared cache.
    ResponseCache,
    /// Stops asking a service that fails.
    CircuitBreaker,
    /// Counts.
    Metrics,
}

impl Filter {
    /// All of them, in the order of the help text.
    pub const ALL: [Self; 5] =
        [Self::Gateway, Self::RateLimit, Self::ResponseCache, Self::CircuitBreaker, Self::Metrics];

    /// The name on the command line and of the folder under `filters/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::RateLimit => "rate-limit",
            Self::ResponseCache => "response-cache",
            Self::CircuitBreaker => "circuit-breaker",
            Self::Metrics => "metrics",
        }
    }
}

/// Where the service is: a name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name or address, without brackets.
    pub host: Host,
    /// The port, never zero.
    pub port: NonZeroU16,
}

/// The host half of an [`Upstream`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address, used as it is.
    Address(IpAddr),
    /// A name, resolved by Envoy while it runs.
    Name(String),
}

/// Why a text is no [`Upstream`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It starts like a URL.
    #[error("give HOST:PORT instead of a URL, for instance {0}")]
    Url(String),
    /// TLS to the service is asked for.
    #[error("TLS to the service is not offered here; give HOST:PORT of a plain HTTP port")]
    Tls,
    /// The host is missing.
    #[error("the host is missing; give for instance 127.0.0.1{0}")]
    NoHost(String),
    /// The port is missing.
    #[error("the port is missing; give for instance {0}:8000")]
    NoPort(String),
    /// The port is not one.
    #[error("{0:?} is not a port from 1 to 65535")]
    Port(String),
    /// The host is not one.
    #[error("{0:?} is neither a host name nor an address; an IPv6 address stands in brackets")]
    Host(String),
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        if text.starts_with("https://") {
            return Err(UpstreamError::Tls);
        }
        if let Some(rest) = text.strip_prefix("http://") {
            let host = rest.split('/').next().unwrap_or(rest);
            let port = if host.contains(':') { "" } else { ":80" };
            return Err(UpstreamError::Url(format!("{host}{port}")));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !port.ends_with(']') => (host, port),
            Some(("", _)) => return Err(UpstreamError::NoHost(text.to_owned())),
            Some(_) | None => return Err(UpstreamError::NoPort(text.to_owned())),
        };
        let host = Host::parse(host).ok_or_else(|| UpstreamError::Host(host.to_owned()))?;
        let port = port.parse().map_err(|_| UpstreamError::Port(port.to_owned()))?;
        Ok(Self { host, port })
    }
}

impl Host {
    /// A host as it stands before a port: an IPv6 address in brackets.
    fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse().ok().map(|ip| Self::Address(IpAddr::V6(ip)));
        }
        if let Ok(ip) = text.parse() {
            return Some(Self::Address(IpAddr::V4(ip)));
        }
        // All digits and dots but no address: a mistyped address, not a name.
        let letters = text.bytes().any(|b| b.is_ascii_alphabetic());
        let label = |label: &str| {
            let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            (1..=63).contains(&label.len()) && label.bytes().all(inside)
        };
        let name = text.strip_suffix('.').unwrap_or(text);
        let valid = letters && name.len() <= 253 && name.split('.').all(label);
        valid.then(|| Self::Name(text.to_owned()))
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Address(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["weir-proxy"].into_iter().chain(arguments.split_whitespace()))
    }

    #[test]
    fn an_upstream_is_printed_as_it_was_written() {
        for text in ["127.0.0.1:8000", "[::1]:8000", "localhost:1", "a.b-c.example.:65535"] {
            assert_eq!(text.parse::<Upstream>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_bad_upstream_says_what_to_write() {
        let cases = [
            ("127.0.0.1", "the port is missing; give for instance 127.0.0.1:8000"),
            (":8000", "the host is missing; give for instance 127.0.0.1:8000"),
            ("[::1]", "the port is missing; give for instance [::1]:8000"),
            ("host:0", "\"0\" is not a port from 1 to 65535"),
            ("host:70000", "\"70000\" is not a port from 1 to 65535"),
            (
                "1.2.3:80",
                "\"1.2.3\" is neither a host name nor an address; an IPv6 address stands in brackets",
            ),
            (
                "::1:80",
                "\"::1\" is neither a host name nor an address; an IPv6 address stands in brackets",
            ),
            ("http://h:1/x", "give HOST:PORT instead of a URL, for instance h:1"),
            ("http://h/x", "give HOST:PORT instead of a URL, for instance h:80"),
            (
                "https://h",
                "TLS to the service is not offered here; give HOST:PORT of a plain HTTP port",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(text.parse::<Upstream>().unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn only_the_upstream_is_needed() {
        let arguments = parse("--upstream localhost:8000").unwrap();
        assert_eq!((arguments.port, arguments.workers), (10_000, 2));
        assert_eq!(arguments.filter, Filter::Gateway);
        assert!(arguments.listen.is_loopback());
        assert!(parse("").is_err());
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for wrong in ["--workers 0", "--port 65536", "--timeout 0", "--filter all", "--listen x"] {
            assert!(parse(&format!("--upstream h:1 {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_on_the_command_line_are_the_names_of_the_filters() {
        for filter in Filter::ALL {
            let arguments = parse(&format!("--upstream h:1 --filter {}", filter.name())).unwrap();
            assert_eq!(arguments.filter, filter);
        }
    }

    #[test]
    fn requests_are_logged_on_a_terminal_or_when_asked() {
        let logs = |extra: &str, terminal| {
            parse(&format!("--upstream h:1 {extra}")).unwrap().logs_requests(terminal)
        };
        assert!(logs("", true) && !logs("", false));
        assert!(logs("--access-log", false) && !logs("--no-access-log", true));
    }
}
