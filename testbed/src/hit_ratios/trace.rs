//! Requests as a cache meets them, made up from a seed: every run makes the same ones.

/// Objects that a popularity has at one time.
const OBJECTS: u32 = 50_000;
/// Requests of one trace.
const REQUESTS: u32 = 400_000;
/// No object is larger: a cache lets those pass.
const MAX_SIZE: f64 = 262_144.0;
/// No object is smaller: a response has header fields.
const MIN_SIZE: f64 = 512.0;

/// Requests for objects.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trace {
    pub(super) name: &'static str,
    /// The objects in the order in which they are asked for.
    pub(super) requests: Vec<u32>,
    /// The bytes of each object; 1 where all are alike.
    pub(super) sizes: Vec<u32>,
}

impl Trace {
    /// Bytes of this object.
    pub(super) fn size(&self, object: u32) -> u32 {
        usize::try_from(object).ok().and_then(|idx| self.sizes.get(idx)).copied().unwrap_or(1)
    }

    /// Bytes of all objects that are asked for at least once.
    pub(super) fn footprint(&self) -> u64 {
        let mut objects = self.requests.clone();
        objects.sort_unstable();
        objects.dedup();
        objects.iter().map(|object| u64::from(self.size(*object))).sum()
    }

    /// Whether all objects are alike.
    pub(super) fn is_of_one_size(&self) -> bool {
        self.sizes.is_empty()
    }
}

/// Every trace of the comparison.
pub(super) fn all() -> Vec<Trace> {
    let lognormal = |random: &mut Random| (9.0 + 1.5 * random.normal()).exp();
    let pareto = |random: &mut Random| 2_048.0 / (1.0 - random.unit()).powf(1.0 / 1.1);
    vec![
        plain("Zipf 0.8", 0.8, |_, rank| rank),
        plain("Zipf 1.0", 1.0, |_, rank| rank),
        plain("Zipf 1.2", 1.2, |_, rank| rank),
        // A crawler: a fifth of all requests, in bursts, each for an object that is never asked for again.
        plain("Zipf 1.0 with scans", 1.0, |at, rank| {
            if at % 20_000 < 4_000 { OBJECTS.saturating_add(at) } else { rank }
        }),
        // Once in 100,000 requests every object has been replaced by a new one at its rank, one rank after the other.
        plain("Zipf 1.0, changing", 1.0, |at, rank| {
            let spread = rank.wrapping_mul(2_654_435_761) % 100_000;
            let round = at.saturating_add(spread) / 100_000;
            round.saturating_mul(OBJECTS).saturating_add(rank)
        }),
        sized(plain("Zipf 0.9, lognormal sizes", 0.9, |_, rank| rank), lognormal),
        sized(plain("Zipf 0.9, Pareto sizes", 0.9, |_, rank| rank), pareto),
    ]
}

/// A trace whose ranks are asked for with a probability of 1 / rank^`skew`; `object` says which object has a rank at
/// a request.
fn plain(name: &'static str, skew: f64, object: impl Fn(u32, u32) -> u32) -> Trace {
    let mut random = Random(0x5EED);
    let mut total = 0.0;
    let up_to: Vec<f64> = (1..=OBJECTS)
        .map(|rank| {
            total += f64::from(rank).powf(-skew);
            total
        })
        .collect();
    let requests = (0..REQUESTS)
        .map(|at| {
            let point = random.unit() * total;
            let rank = up_to.partition_point(|up_to| *up_to < point);
            object(at, u32::try_from(rank).unwrap_or(0).min(OBJECTS.saturating_sub(1)))
        })
        .collect();
    Trace { name, requests, sizes: Vec::new() }
}

/// The same requests for objects of these sizes, whatever their rank.
fn sized(trace: Trace, size: impl Fn(&mut Random) -> f64) -> Trace {
    let mut random = Random(0x512E5);
    let objects = trace.requests.iter().max().map_or(0, |object| object.saturating_add(1));
    let sizes = (0..objects).map(|_| whole(size(&mut random).clamp(MIN_SIZE, MAX_SIZE))).collect();
    Trace { sizes, ..trace }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes lie between MIN_SIZE and MAX_SIZE"
)]
fn whole(size: f64) -> u32 {
    size as u32
}

/// Numbers from a seed (SplitMix64: Steele, Lea and Flood, 2014).
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// At least 0, less than 1.
    fn unit(&mut self) -> f64 {
        let high = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(high) / 4_294_967_296.0
    }

    /// Of mean 0 and deviation 1 (Box and Muller, 1958).
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

/// Sixty-four bits that look like chance.
pub(super) const fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
