//! Every bound and default of the configuration; the README's table is made of them.

use std::ops::RangeInclusive;

use kit::Nanos;
use kit::units::Ratio;

use crate::breaker::permits::MAX_AT_ONCE;
use crate::breaker::window::MAX_COUNT;

/// Rules of one filter.
pub const N_RULES: RangeInclusive<usize> = 1..=64;
/// Breakers that the table is made for.
pub const MAX_BREAKERS: RangeInclusive<u32> = 1..=16_384;
/// More clusters than most gateways have; 470 KiB of shared memory once all are met.
pub const DEFAULT_MAX_BREAKERS: u32 = 64;
/// Failures in a row that open.
pub const CONSECUTIVE: RangeInclusive<u32> = 1..=100_000;
/// Share of bad calls that opens.
pub const RATIO: RangeInclusive<Ratio> = Ratio::MIN_POSITIVE..=Ratio::ONE;
/// Requests below which a share says nothing.
pub const MIN_REQUESTS: RangeInclusive<u32> = 1..=1_000_000;
/// Below ten requests a share of one half is chance.
pub const DEFAULT_MIN_REQUESTS: u32 = 10;
/// A call whose answer begins after this is slow.
pub const SLOW: RangeInclusive<Nanos> = Nanos::MILLISECOND..=Nanos::HOUR;
/// Clients have often given up by then.
pub const DEFAULT_SLOW: Nanos = Nanos::from_secs(5);
/// Half of the answers late: the service is as good as down.
pub const DEFAULT_SLOW_RATIO: Ratio = Ratio::from_percent(50);
/// The window over time.
pub const WINDOW: RangeInclusive<Nanos> = Nanos::SECOND..=Nanos::HOUR;
/// The window over a number of requests.
pub const LAST_REQUESTS: RangeInclusive<u16> = 1..=MAX_COUNT;
/// How many more requests pass than were accepted, as a share of these.
pub const HEADROOM: RangeInclusive<Ratio> = Ratio::from_percent(1)..=Ratio::ONE;
/// Twice what was accepted: the book's choice.
pub const DEFAULT_HEADROOM: Ratio = Ratio::ONE;
/// The largest share that is shed.
pub const MAX_SHARE: RangeInclusive<Ratio> = Ratio::from_percent(1)..=Ratio::from_percent(99);
/// One request of ten finds out when the upstream is well.
pub const DEFAULT_MAX_SHARE: Ratio = Ratio::from_percent(90);
/// Open time.
pub const OPEN: RangeInclusive<Nanos> = Nanos::from_millis(100)..=Nanos::from_hours(24);
/// The longest opening, unless the first is longer.
pub const DEFAULT_MAX_OPEN: Nanos = Nanos::from_mins(10);
/// How long an opening is by the one before, in percent.
pub const GROWTH: RangeInclusive<u32> = 100..=1_000;
/// Each twice as long as the one before.
pub const DEFAULT_GROWTH: u32 = 200;
/// What chance adds to an opening.
pub const JITTER: RangeInclusive<Ratio> = Ratio::ZERO..=Ratio::ONE;
/// A tenth keeps gateways apart and the time predictable.
pub const DEFAULT_JITTER: Ratio = Ratio::from_percent(10);
/// Probes at a time.
pub const AT_ONCE: RangeInclusive<u8> = 1..=16;
const _: () = assert!(*AT_ONCE.end() as usize == MAX_AT_ONCE);
/// The upstream may still be down: one request at a time finds out.
pub const DEFAULT_AT_ONCE: u8 = 1;
/// Probes that close, or open again.
pub const PROBES: RangeInclusive<u16> = 1..=1_000;
/// One failure is enough to know.
pub const DEFAULT_FAILURES: u16 = 1;
/// Probes of which a share decides.
pub const DEFAULT_PROBES: u16 = 10;
/// The share of failures among them that opens again.
pub const DEFAULT_RATIO_OF_PROBES: Ratio = Ratio::from_percent(50);
/// How long a probe may be out.
pub const LEASE: RangeInclusive<Nanos> = Nanos::from_millis(100)..=Nanos::HOUR;
/// Twice Envoy's default route timeout.
pub const DEFAULT_LEASE: Nanos = Nanos::from_secs(30);
/// How long traffic takes to return.
pub const RAMP: RangeInclusive<Nanos> = Nanos::from_millis(100)..=Nanos::HOUR;
/// Long enough for pools and caches of a service to warm up.
pub const DEFAULT_RAMP: Nanos = Nanos::from_secs(10);
/// Steps in which it returns.
pub const N_SHARES: RangeInclusive<usize> = 1..=16;
/// The share of a step.
pub const SHARE: RangeInclusive<Ratio> = Ratio::from_percent(1)..=Ratio::from_percent(99);
/// About twice as much each time.
pub const DEFAULT_SHARES: [Ratio; 4] = [
    Ratio::from_percent(10),
    Ratio::from_percent(25),
    Ratio::from_percent(50),
    Ratio::from_percent(75),
];
/// Two in a row while traffic returns are no chance.
pub const DEFAULT_RELAPSE: u32 = 2;
/// Entries of the list of statuses that are failures.
pub const N_STATUSES: RangeInclusive<usize> = 1..=32;
/// Server errors but 501 and 505 (RFC 9110, 15.6): these two are about the request's method and version, so
/// that a healthy service gives them to whoever asks for them. 4xx and 429 are the client's.
pub const DEFAULT_FAILURE_STATUS: [RangeInclusive<u16>; 3] = [500..=500, 502..=504, 506..=599];
/// How long the filter's own probe may take.
pub const PROBE_TIMEOUT: RangeInclusive<Nanos> = Nanos::from_millis(50)..=Nanos::MINUTE;
/// A health endpoint that takes longer is not well.
pub const DEFAULT_PROBE_TIMEOUT: Nanos = Nanos::from_secs(2);
/// The lease of an own probe is at least so many times its timeout: its call begins a moment after its permit.
pub const LEASE_PER_TIMEOUT: u64 = 2;
/// The longest path of an own probe, in bytes.
pub const MAX_PROBE_PATH: usize = 1_024;
/// What an own probe expects: any success.
pub const DEFAULT_EXPECT: RangeInclusive<u16> = 200..=299;
/// What Envoy itself answers a call whose upstream can not be reached, or is late.
pub const ENVOYS_OWN: [u16; 2] = [503, 504];
/// The longest name of a cluster, in bytes.
pub const MAX_CLUSTER: usize = 255;
/// Fallbacks of one rule.
pub const N_FALLBACKS: RangeInclusive<usize> = 1..=8;
/// The status of a static fallback.
pub const STATIC_STATUS: RangeInclusive<u16> = 200..=599;
/// An answer like another.
pub const DEFAULT_STATIC_STATUS: u16 = 200;
/// The status of a rejection.
pub const STATUS: RangeInclusive<u16> = 400..=599;
/// Service Unavailable: RFC 9110, 15.6.4.
pub const DEFAULT_STATUS: u16 = 503;
