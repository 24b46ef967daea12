//! A store of one bucket on the in-memory host, and responses to put into it.
#![allow(unreachable_pub, reason = "a module of several test programs")]

use kit::Nanos;
use kit::fake::FakeHost;
use kit::headers::Headers;
use weir_response_cache::store::stored::Stored;
use weir_response_cache::store::{Geometry, Opened, Store};

pub const ONE_BUCKET: Geometry =
    Geometry { n_buckets: 1, bucket_bytes: 10_000, max_variants: 8, local_bytes: 0 };
pub const T0: Nanos = Nanos::from_secs(100);

pub fn open(geometry: Geometry) -> (FakeHost, Store) {
    let host = FakeHost::default();
    let (store, opened) = Store::open(&host, "t", geometry);
    assert_eq!(opened, Opened::Empty);
    (host, store)
}

pub fn response(key: &str, lifetime: u64, size: usize) -> Stored {
    Stored {
        key: key.into(),
        received: T0.0,
        lifetime: Nanos::from_secs(lifetime).0,
        status: 200,
        fields: Headers::default().as_pairs().to_vec(),
        body: vec![b'x'; size],
        ..Stored::default()
    }
}
