//! Reads what a rule says of its breakers.

use kit::config::Fields;
use kit::units::Ratio;

use super::bounds::{
    AT_ONCE, CONSECUTIVE, DEFAULT_AT_ONCE, DEFAULT_FAILURES, DEFAULT_GROWTH, DEFAULT_HEADROOM,
    DEFAULT_JITTER, DEFAULT_LEASE, DEFAULT_MAX_OPEN, DEFAULT_MAX_SHARE, DEFAULT_MIN_REQUESTS,
    DEFAULT_PROBES, DEFAULT_RAMP, DEFAULT_RATIO_OF_PROBES, DEFAULT_RELAPSE, DEFAULT_SHARES,
    DEFAULT_SLOW, DEFAULT_SLOW_RATIO, GROWTH, HEADROOM, JITTER, LAST_REQUESTS, LEASE, MAX_SHARE,
    MIN_REQUESTS, N_SHARES, OPEN, PROBES, RAMP, RATIO, SHARE, SLOW, WINDOW,
};
use super::preset::{PRESETS, Preset, STANDARD};
use super::{Per, own_probe};
use crate::breaker::backoff::OpenTime;
use crate::breaker::settings::{ProbeMethods, Probing, Ramp, Settings, Slow, Trip};
use crate::breaker::shedding::Shedding;
use crate::breaker::window::Span;
use crate::probe::ProbeRequest;

/// What a breaker does when an upstream fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    /// It opens.
    #[default]
    Trip,
    /// It sheds.
    Shed,
    /// It sheds, and opens when that is not enough.
    Both,
}

const MODES: [(&str, Mode); 3] = [("trip", Mode::Trip), ("shed", Mode::Shed), ("both", Mode::Both)];

/// Reads the fields of a rule that make its [`Settings`].
pub(super) fn read(fields: &mut Fields<'_>, per: Per) -> (Settings, Option<ProbeRequest>) {
    let preset = fields.optional_choice("preset", &PRESETS).unwrap_or(STANDARD);
    let mode = fields.optional_choice("mode", &MODES).unwrap_or_default();
    let (consecutive, ratio, slow) = read_trips(fields, &preset, mode);
    let window = read_window(fields, &preset, mode);
    let mut own_probe = None;
    let settings = Settings {
        consecutive,
        ratio,
        slow,
        window,
        shedding: read_shedding(fields, mode),
        open: fields
            .optional_object("open", |fields| read_open(fields, &preset))
            .unwrap_or_else(|| open_time(&preset)),
        probes: fields
            .optional_object("probes", |fields| {
                let (probing, own) = read_probes(fields, &preset, per);
                own_probe = own;
                probing
            })
            .unwrap_or_else(|| probing(&preset)),
        ramp: fields.optional_object("ramp", read_ramp).flatten(),
    };
    (settings, own_probe)
}

/// What opens; with `mode: shed` nothing does.
fn read_trips(
    fields: &mut Fields<'_>,
    preset: &Preset,
    mode: Mode,
) -> (Option<u32>, Option<Trip>, Option<Slow>) {
    if mode == Mode::Shed {
        for name in ["consecutive", "ratio", "slow", "open", "probes", "ramp"] {
            if fields.has(name) {
                let mend = "set mode to both, or remove it";
                fields.problem(name, "it beside mode: shed", "it where breakers open", mend);
                fields.know(&[name]);
            }
        }
        return (None, None, None);
    }
    let consecutive = fields
        .optional_object("consecutive", |fields| read_consecutive(fields, preset))
        .unwrap_or(Some(preset.consecutive));
    let ratio = fields
        .optional_object("ratio", |fields| read_ratio(fields, preset))
        .unwrap_or(Some(preset.ratio));
    let slow = fields.optional_object("slow", read_slow).flatten();
    if consecutive.is_none() && ratio.is_none() && slow.is_none() {
        fields.problem(
            "consecutive",
            "enabled: false here and in ratio, and no slow",
            "at least one of them on",
            "remove the rule if it is to open no breaker",
        );
    }
    (consecutive, ratio, slow)
}

fn is_on(fields: &mut Fields<'_>) -> bool {
    let enabled = fields.optional_bool("enabled").unwrap_or(true);
    let off = format!("to switch it off set {} to false", fields.path("enabled"));
    fields.remedy(off);
    enabled
}

fn read_consecutive(fields: &mut Fields<'_>, preset: &Preset) -> Option<u32> {
    let enabled = is_on(fields);
    let failures = fields.optional_integer("failures", CONSECUTIVE);
    enabled.then_some(failures.unwrap_or(preset.consecutive))
}

fn read_ratio(fields: &mut Fields<'_>, preset: &Preset) -> Option<Trip> {
    let enabled = is_on(fields);
    enabled.then_some(read_trip(fields, preset.ratio)).or_else(|| {
        fields.know(&["threshold", "min_requests"]);
        None
    })
}

fn read_slow(fields: &mut Fields<'_>) -> Option<Slow> {
    let enabled = is_on(fields);
    let usual = Trip { threshold: DEFAULT_SLOW_RATIO, min_requests: DEFAULT_MIN_REQUESTS };
    let trip = read_trip(fields, usual);
    let duration = fields.optional_duration("duration", SLOW).unwrap_or(DEFAULT_SLOW);
    enabled.then_some(Slow { duration, trip })
}

fn read_trip(fields: &mut Fields<'_>, usual: Trip) -> Trip {
    Trip {
        threshold: fields.optional_ratio("threshold", RATIO).unwrap_or(usual.threshold),
        min_requests: fields
            .optional_integer("min_requests", MIN_REQUESTS)
            .unwrap_or(usual.min_requests),
    }
}

fn read_window(fields: &mut Fields<'_>, preset: &Preset, mode: Mode) -> Span {
    let time = fields.optional_duration("window", WINDOW).unwrap_or(preset.window);
    let Some(count) = fields.optional_integer("last_requests", LAST_REQUESTS) else {
        return Span::Time(time);
    };
    if fields.has("window") {
        let mend = "keep the one that the shares are to be taken of";
        fields.problem("last_requests", "it beside window", "one of them", mend);
    }
    if mode != Mode::Trip {
        let mend = "use window, or set mode to trip";
        let found = "it in a rule that sheds";
        fields.problem("last_requests", found, "window: shedding counts in time", mend);
    }
    Span::Count(count)
}

fn read_shedding(fields: &mut Fields<'_>, mode: Mode) -> Option<Shedding> {
    if mode == Mode::Trip && fields.has("shed") {
        let mend = "set mode to shed or both, or remove it";
        fields.problem("shed", "it beside mode: trip", "it where requests are shed", mend);
    }
    let read = |fields: &mut Fields<'_>| Shedding {
        headroom: headroom(fields.optional_ratio("headroom", HEADROOM).unwrap_or(DEFAULT_HEADROOM)),
        min_requests: fields
            .optional_integer("min_requests", MIN_REQUESTS)
            .unwrap_or(DEFAULT_MIN_REQUESTS),
        max_share: fields.optional_ratio("max_share", MAX_SHARE).unwrap_or(DEFAULT_MAX_SHARE),
    };
    let usual = Shedding {
        headroom: headroom(DEFAULT_HEADROOM),
        min_requests: DEFAULT_MIN_REQUESTS,
        max_share: DEFAULT_MAX_SHARE,
    };
    let shedding = fields.optional_object("shed", read).unwrap_or(usual);
    (mode != Mode::Trip).then_some(shedding)
}

/// One and the headroom, in thousandths.
const fn headroom(more: Ratio) -> u32 {
    1_000 + more.as_ppm() / 1_000
}

fn read_open(fields: &mut Fields<'_>, preset: &Preset) -> OpenTime {
    let base = fields.optional_duration("time", OPEN).unwrap_or(preset.open);
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
    OpenTime {
        base,
        growth: read_growth(fields),
        max: max.unwrap_or(DEFAULT_MAX_OPEN).max(base),
        jitter: fields.optional_ratio("jitter", JITTER).unwrap_or(DEFAULT_JITTER),
    }
}

/// A percentage that, unlike a share, is the whole or more.
fn read_growth(fields: &mut Fields<'_>) -> u32 {
    let parse = |text: &str| {
        let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
        percent.filter(|percent| GROWTH.contains(percent)).ok_or("\"200%\" doubles each time")
    };
    fields.optional_parsed("growth", "\"100%\" to \"1000%\"", parse).unwrap_or(DEFAULT_GROWTH)
}

const fn open_time(preset: &Preset) -> OpenTime {
    OpenTime {
        base: preset.open,
        growth: DEFAULT_GROWTH,
        max: DEFAULT_MAX_OPEN,
        jitter: DEFAULT_JITTER,
    }
}

fn read_probes(
    fields: &mut Fields<'_>,
    preset: &Preset,
    per: Per,
) -> (Probing, Option<ProbeRequest>) {
    let methods = [
        ("safe_first", ProbeMethods::SafeFirst),
        ("safe_only", ProbeMethods::SafeOnly),
        ("any", ProbeMethods::Any),
    ];
    let successes = fields.optional_integer("successes", PROBES);
    let failures = fields.optional_integer("failures", PROBES);
    let (n_successes, n_failures) = read_share_of_probes(fields).unwrap_or_else(|| {
        (successes.unwrap_or(preset.n_successes), failures.unwrap_or(DEFAULT_FAILURES))
    });
    let methods = fields.optional_choice("methods", &methods).unwrap_or_default();
    let at_once = fields.optional_integer("at_once", AT_ONCE).unwrap_or(DEFAULT_AT_ONCE);
    let lease = fields.optional_duration("lease", LEASE);
    let own = fields.optional_object("request", |fields| own_probe::read(fields, per)).flatten();
    if fields.has("request") && fields.has("methods") {
        let mend =
            "keep request to have the filter probe, or methods to have clients' requests do it";
        fields.problem("methods", "it beside request", "one of them", mend);
    }
    let Some(own) = own else {
        let lease = lease.unwrap_or(DEFAULT_LEASE);
        return (Probing { at_once, n_successes, n_failures, lease, methods }, None);
    };
    let least = own_probe::least_lease(own.timeout);
    if let Some(lease) = lease.filter(|lease| *lease < least) {
        let (found, timeout) = (format!("\"{lease}\""), own.timeout);
        let allowed = format!("at least \"{least}\", twice the timeout \"{timeout}\" of request");
        fields.problem("lease", found, allowed, "raise it, or lower the timeout");
    }
    let lease = lease.unwrap_or(least).max(least);
    let methods = ProbeMethods::Own;
    (Probing { at_once, n_successes, n_failures, lease, methods }, Some(own))
}

/// `requests` and `threshold` of the probes: with that share of failures among so many it opens again.
///
/// What decides is known before all of them are back: so many failures are enough, or so many successes.
fn read_share_of_probes(fields: &mut Fields<'_>) -> Option<(u16, u16)> {
    if !fields.has("requests") && !fields.has("threshold") {
        return None;
    }
    let requests = fields.optional_integer("requests", PROBES).unwrap_or(DEFAULT_PROBES);
    let threshold = fields.optional_ratio("threshold", RATIO).unwrap_or(DEFAULT_RATIO_OF_PROBES);
    for name in ["successes", "failures"] {
        if fields.has(name) {
            let mend = "keep either successes and failures, or requests and threshold";
            fields.problem(name, "it beside requests or threshold", "one or the other", mend);
        }
    }
    let n_failures = (1..=requests)
        .find(|n| threshold.is_reached_by(u64::from(*n), u64::from(requests)))
        .unwrap_or(requests);
    Some((requests.saturating_sub(n_failures).saturating_add(1), n_failures))
}

fn probing(preset: &Preset) -> Probing {
    Probing {
        at_once: DEFAULT_AT_ONCE,
        n_successes: preset.n_successes,
        n_failures: DEFAULT_FAILURES,
        lease: DEFAULT_LEASE,
        methods: ProbeMethods::default(),
    }
}

fn read_ramp(fields: &mut Fields<'_>) -> Option<Ramp> {
    let enabled = is_on(fields);
    let time = fields.optional_duration("time", RAMP).unwrap_or(DEFAULT_RAMP);
    let shares = fields.optional_ratios("shares", N_SHARES, SHARE);
    let shares = shares.unwrap_or_else(|| DEFAULT_SHARES.to_vec());
    if !shares.is_sorted_by(|less, more| less < more) {
        let mend = "put the smallest first, each once";
        fields.problem("shares", "shares that do not grow", "growing shares", mend);
    }
    let n_failures = fields.optional_integer("failures", CONSECUTIVE).unwrap_or(DEFAULT_RELAPSE);
    (enabled && !shares.is_empty()).then_some(Ramp {
        time,
        shares: shares.into_boxed_slice(),
        n_failures,
    })
}
