//! Tokens that Envoy's JWT filter verifies, with a key that both sides know.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The issuer of all tokens.
const ISSUER: &str = "tests";

/// What tokens are signed with.
const KEY: [u8; 32] = *b"a key of the tests, and no other";

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// Envoy's JWT filter: a token is no duty, but one that is there must be right; its claims are `jwt_payload`.
pub fn filter() -> Value {
    let jwks = json!({"keys": [{"kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(KEY)}]});
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"tests": {
                "issuer": ISSUER,
                "local_jwks": {"inline_string": jwks.to_string()},
                "payload_in_metadata": "jwt_payload",
            }},
            "rules": [{
                "match": {"prefix": "/"},
                "requires": {"requires_any": {"requirements": [
                    {"provider_name": "tests"}, {"allow_missing": {}},
                ]}},
            }],
        },
    })
}

/// The value of `authorization` that carries these claims.
pub fn bearer(claims: &Value) -> String {
    let mut payload = json!({"iss": ISSUER});
    for (name, claim) in claims.as_object().expect("claims are an object") {
        payload[name] = claim.clone();
    }
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": "HS256", "typ": "JWT"})), encode(&payload));
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(&KEY, signed.as_bytes()));
    format!("Bearer {signed}.{signature}")
}

/// RFC 2104, for a key that is no longer than a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// The SHA-256 of a text in hexadecimal digits, as configurations have it.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
