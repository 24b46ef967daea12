//! Is a service well, asked from outside.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the service of this name, at this address, says that it is well.
pub fn is_well(service: &str, address: SocketAddr) -> bool {
    match service {
        "redis" => answers(address, b"PING\r\n", b"+PONG"),
        "envoy" => serves(address, "/ready"),
        "prometheus" => serves(address, "/-/ready"),
        _ => serves(address, "/healthz"),
    }
}

/// Whether Envoy, at this admin address, has so many healthy instances in each of its clusters.
///
/// A cluster is ready when the first of its names is resolved; the others follow within a second.
pub fn balances(admin: SocketAddr, n_instances: usize) -> bool {
    let path = "/stats?filter=^cluster%5C.(service%7Cfragile)%5C.membership_healthy$";
    let healthy = text(admin, path).unwrap_or_default();
    let wanted = format!(": {n_instances}");
    let lines: Vec<&str> =
        healthy.lines().filter(|line| line.contains("membership_healthy")).collect();
    lines.len() == 2 && lines.iter().all(|line| line.ends_with(&wanted))
}

fn text(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Whether a GET is answered with 200.
fn serves(address: SocketAddr, path: &str) -> bool {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    answers(address, request.as_bytes(), b"HTTP/1.1 200 ")
}

fn answers(address: SocketAddr, question: &[u8], beginning: &[u8]) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(question)?;
        let mut answer = vec![0; beginning.len()];
        stream.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().is_ok_and(|answer| answer == beginning)
}
