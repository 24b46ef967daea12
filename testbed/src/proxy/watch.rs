//! Looks whether the service answers, without asking it anything.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::arguments::Upstream;

/// How long a connection may take before the service counts as not answering.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a service that does not answer is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Connects once; says why it did not work.
///
/// Resolving a name is up to the system and may take longer than connecting.
pub(super) fn look(upstream: &Upstream) -> Result<(), String> {
    let text = upstream.to_string();
    let addresses = text.to_socket_addrs().map_err(|_| "the name is not known".to_owned())?;
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = reason(&error),
        }
    }
    Err(last)
}

/// Gives one message when the service answers for the first time.
///
/// The thread behind it ends with that, or when the receiver is gone.
pub(super) fn until_it_answers(upstream: Upstream) -> Receiver<()> {
    let (answers, heard) = channel();
    let (pause, never) = channel::<()>();
    std::thread::spawn(move || {
        // A wait that only time ends: nobody sends on the channel, and it is held here.
        let _held = pause;
        while look(&upstream).is_err() {
            if never.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
        let _ = answers.send(());
    });
    heard
}

fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{ConnectionRefused, TimedOut, WouldBlock};

    // The two that an operator meets daily, without the number of the operating system's error.
    if error.kind() == ConnectionRefused {
        "connection refused".to_owned()
    } else if matches!(error.kind(), TimedOut | WouldBlock) {
        "no answer within 1 s".to_owned()
    } else {
        error.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net;
    use std::net::SocketAddr;

    #[test]
    fn a_service_that_comes_up_is_noticed_once() {
        // Ours, but nobody listens there for now.
        let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).unwrap();
        net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address: SocketAddr = net::getsockname(&socket).unwrap().try_into().unwrap();
        let upstream: Upstream = address.to_string().parse().unwrap();
        assert_eq!(look(&upstream), Err("connection refused".to_owned()));
        let heard = until_it_answers(upstream.clone());
        net::listen(&socket, 16).unwrap();
        heard.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(look(&upstream), Ok(()));
    }

    #[test]
    fn an_unknown_name_is_told_from_a_refusal() {
        let upstream: Upstream = "no-such-host.invalid:80".parse().unwrap();
        assert_eq!(look(&upstream), Err("the name is not known".to_owned()));
    }
}
