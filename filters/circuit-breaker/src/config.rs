//! The configuration, read into what can not be wrong.
//!
//! Every bound and default is a constant here, and the README's table is made of them.

use std::ops::RangeInclusive;

use kit::Nanos;
use kit::config::{Fields, Names};
use kit::matching::Matcher;
use kit::status::Statuses;
use kit::units::Ratio;

use crate::backoff::OpenTime;
use crate::permits::MAX_AT_ONCE;
use crate::settings::{ProbeMethods, Probing, RatioTrip, Settings};

/// Rules of one filter.
pub const N_RULES: RangeInclusive<usize> = 1..=64;
/// Breakers that the table is made for.
pub const MAX_BREAKERS: RangeInclusive<u32> = 1..=16_384;
/// More clusters than most gateways have; 64 KiB of shared memory.
pub const DEFAULT_MAX_BREAKERS: u32 = 64;
/// Failures in a row that open.
pub const CONSECUTIVE: RangeInclusive<u32> = 1..=100_000;
/// Few enough to react at once, more than the odd error.
pub const DEFAULT_CONSECUTIVE: u32 = 5;
/// Share of failures that opens.
pub const RATIO: RangeInclusive<Ratio> = Ratio::MIN_POSITIVE..=Ratio::ONE;
/// Half of all requests.
pub const DEFAULT_RATIO: Ratio = Ratio::from_percent(50);
/// Requests below which the share says nothing.
pub const MIN_REQUESTS: RangeInclusive<u32> = 1..=1_000_000;
/// Below ten requests a share of one half is chance.
pub const DEFAULT_MIN_REQUESTS: u32 = 10;
/// The window of the share.
pub const WINDOW: RangeInclusive<Nanos> = Nanos::SECOND..=Nanos::from_hours(1);
/// A minute: services with a request every few seconds still reach the minimum volume.
pub const DEFAULT_WINDOW: Nanos = Nanos::from_secs(60);
/// Open time.
pub const OPEN: RangeInclusive<Nanos> = Nanos::from_millis(100)..=Nanos::from_hours(24);
/// The first opening.
pub const DEFAULT_OPEN: Nanos = Nanos::from_secs(60);
/// The longest opening, unless the first is longer.
pub const DEFAULT_MAX_OPEN: Nanos = Nanos::from_mins(10);
/// What chance adds to an opening.
pub const JITTER: RangeInclusive<Ratio> = Ratio::ZERO..=Ratio::ONE;
/// A tenth keeps gateways apart and the time predictable.
pub const DEFAULT_JITTER: Ratio = Ratio::from_percent(10);
/// Probes at a time.
pub const AT_ONCE: RangeInclusive<u8> = 1..=8;
const _: () = assert!(*AT_ONCE.end() as usize == MAX_AT_ONCE);
/// The upstream may still be down: one request at a time finds out.
pub const DEFAULT_AT_ONCE: u8 = 1;
/// Successful probes that close.
pub const SUCCESSES: RangeInclusive<u16> = 1..=1_000;
/// One success may be luck.
pub const DEFAULT_SUCCESSES: u16 = 2;
/// How long a probe may be out.
pub const LEASE: RangeInclusive<Nanos> = Nanos::from_millis(100)..=Nanos::from_hours(1);
/// Twice Envoy's default route timeout.
pub const DEFAULT_LEASE: Nanos = Nanos::from_secs(30);
/// Entries of the list of statuses that are failures.
pub const N_STATUSES: RangeInclusive<usize> = 1..=32;
/// Server errors but 501 and 505 (RFC 9110, 15.6): these two are about the request's method and version, so
/// that a healthy service gives them to whoever asks for them. 4xx and 429 are the client's.
pub const DEFAULT_FAILURE_STATUS: [RangeInclusive<u16>; 3] = [500..=500, 502..=504, 506..=599];
/// The status of a rejection.
pub const STATUS: RangeInclusive<u16> = 400..=599;
/// Service Unavailable: RFC 9110, 15.6.4.
pub const DEFAULT_STATUS: u16 = 503;

/// A circuit breaker's configuration.
#[derive(Debug)]
pub struct Config {
    /// What becomes of a request whose breaker's state can not be told.
    pub on_failure: OnFailure,
    /// How many breakers the shared table has room for.
    pub max_breakers: u32,
    /// The rules; the first that matches a request decides.
    pub rules: Vec<Rule>,
    /// The names of the rules that are switched off.
    pub switched_off: Vec<String>,
}

/// What becomes of a request whose breaker's state can not be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It passes.
    #[default]
    Admit,
    /// It is rejected.
    Deny,
}

/// Breakers for some requests.
#[derive(Debug)]
pub struct Rule {
    /// Unique among the rules; part of the breakers' identity.
    pub name: String,
    /// The requests that it is for.
    pub matcher: Matcher,
    /// What tells the breakers of the rule apart.
    pub per: Per,
    /// When they change their state.
    pub settings: Settings,
    /// The statuses that are failures.
    pub failure_status: Statuses,
    /// The status of a rejection.
    pub status: u16,
}

/// What tells the breakers of one rule apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Per {
    /// Each cluster has its own.
    #[default]
    Cluster,
    /// Each route has its own.
    Route,
    /// The rule is one breaker.
    Rule,
}

impl Per {
    /// The word in the configuration and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Route => "route",
            Self::Rule => "rule",
        }
    }
}

impl Config {
    /// Reads the configuration; every problem is recorded in `fields`.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        let modes = [("admit", OnFailure::Admit), ("deny", OnFailure::Deny)];
        let on_failure = fields.optional_choice("on_failure", &modes).unwrap_or_default();
        let max_breakers =
            fields.optional_integer("max_breakers", MAX_BREAKERS).unwrap_or(DEFAULT_MAX_BREAKERS);
        let mut names = Names::default();
        fields.remedy("remove the filter from the chain if nothing is to be broken");
        let rules = fields.objects("rules", N_RULES, |fields| {
            let is_enabled = fields.optional_bool("enabled").unwrap_or(true);
            (is_enabled, Rule::read(fields, &mut names))
        });
        let (on, off): (Vec<_>, Vec<_>) = rules.into_iter().partition(|(enabled, _)| *enabled);
        Self {
            on_failure,
            max_breakers,
            rules: on.into_iter().map(|(_, rule)| rule).collect(),
            switched_off: off.into_iter().map(|(_, rule)| rule.name).collect(),
        }
    }
}

impl Rule {
    fn read(fields: &mut Fields<'_>, names: &mut Names) -> Self {
        let name = names.read(fields);
        let matcher = fields.optional_object("match", Matcher::read).unwrap_or_default();
        let scopes = [("cluster", Per::Cluster), ("route", Per::Route), ("rule", Per::Rule)];
        let per = fields.optional_choice("per", &scopes).unwrap_or_default();
        let settings = read_settings(fields);
        let failure_status = fields
            .optional_statuses("failure_status", N_STATUSES)
            .unwrap_or_else(|| DEFAULT_FAILURE_STATUS.into_iter().collect());
        let status = fields.optional_integer("status", STATUS).unwrap_or(DEFAULT_STATUS);
        Self { name: name.unwrap_or_default(), matcher, per, settings, failure_status, status }
    }
}

fn read_settings(fields: &mut Fields<'_>) -> Settings {
    let consecutive = fields
        .optional_object("consecutive", read_consecutive)
        .unwrap_or(Some(DEFAULT_CONSECUTIVE));
    let ratio = fields.optional_object("ratio", read_ratio).unwrap_or(Some(RatioTrip {
        threshold: DEFAULT_RATIO,
        min_requests: DEFAULT_MIN_REQUESTS,
    }));
    if consecutive.is_none() && ratio.is_none() {
        fields.problem(
            "consecutive",
            "enabled: false here and in ratio",
            "at least one of them on",
            "remove the rule if it is to open no breaker",
        );
    }
    Settings {
        consecutive,
        ratio,
        window: fields.optional_duration("window", WINDOW).unwrap_or(DEFAULT_WINDOW),
        open: fields.optional_object("open", read_open).unwrap_or(OpenTime {
            base: DEFAULT_OPEN,
            max: DEFAULT_MAX_OPEN,
            jitter: DEFAULT_JITTER,
        }),
        probes: fields.optional_object("probes", read_probes).unwrap_or_else(|| Probing {
            at_once: DEFAULT_AT_ONCE,
            n_successes: DEFAULT_SUCCESSES,
            lease: DEFAULT_LEASE,
            methods: ProbeMethods::default(),
        }),
    }
}

fn read_consecutive(fields: &mut Fields<'_>) -> Option<u32> {
    let enabled = fields.optional_bool("enabled").unwrap_or(true);
    let off = format!("to switch it off set {} to false", fields.path("enabled"));
    let failures = fields.remedy(off).optional_integer("failures", CONSECUTIVE);
    enabled.then_some(failures.unwrap_or(DEFAULT_CONSECUTIVE))
}

fn read_ratio(fields: &mut Fields<'_>) -> Option<RatioTrip> {
    let enabled = fields.optional_bool("enabled").unwrap_or(true);
    let off = format!("to switch it off set {} to false", fields.path("enabled"));
    let threshold = fields.remedy(off).optional_ratio("threshold", RATIO).unwrap_or(DEFAULT_RATIO);
    let min_requests =
        fields.optional_integer("min_requests", MIN_REQUESTS).unwrap_or(DEFAULT_MIN_REQUESTS);
    enabled.then_some(RatioTrip { threshold, min_requests })
}

fn read_open(fields: &mut Fields<'_>) -> OpenTime {
    let base = fields.optional_duration("time", OPEN).unwrap_or(DEFAULT_OPEN);
    let max = fields.optional_duration("max_time", OPEN);
    if let Some(max) = max
        && max < base
    {
        fields.problem(
            "max_time",
            format!("\"{max}\""),
            format!("at least the value of time, \"{base}\""),
            "raise it, or lower time",
        );
    }
    let jitter = fields.optional_ratio("jitter", JITTER).unwrap_or(DEFAULT_JITTER);
    OpenTime { base, max: max.unwrap_or(DEFAULT_MAX_OPEN).max(base), jitter }
}

fn read_probes(fields: &mut Fields<'_>) -> Probing {
    let methods = [
        ("safe_first", ProbeMethods::SafeFirst),
        ("safe_only", ProbeMethods::SafeOnly),
        ("any", ProbeMethods::Any),
    ];
    Probing {
        at_once: fields.optional_integer("at_once", AT_ONCE).unwrap_or(DEFAULT_AT_ONCE),
        n_successes: fields.optional_integer("successes", SUCCESSES).unwrap_or(DEFAULT_SUCCESSES),
        lease: fields.optional_duration("lease", LEASE).unwrap_or(DEFAULT_LEASE),
        methods: fields.optional_choice("methods", &methods).unwrap_or_default(),
    }
}
