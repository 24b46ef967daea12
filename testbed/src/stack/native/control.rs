//! The socket through which others kill and start single processes, or end all.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use super::super::lever::{self, Action};
use super::super::run::Stop;
use super::super::trouble::Trouble;
use super::Native;

/// How long a client of the socket may take to say its line.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The socket, removed when dropped.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Opens the socket of a project.
    ///
    /// # Errors
    /// It cannot be made; another stack of the same project may be running.
    pub fn open(project: &str) -> Result<Self, Trouble> {
        let path = lever::socket(project);
        if UnixStream::connect(&path).is_ok() {
            return Err(Trouble::file(
                &path,
                "a testbed of this name runs already; stop it with `make testbed-down`",
            ));
        }
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        listener
            .map(|listener| Self { listener, path: path.clone() })
            .map_err(|e| Trouble::file(&path, e))
    }

    /// Serves the socket until the user asks to stop, here or through the socket.
    ///
    /// # Errors
    /// A process ended that nobody killed.
    pub fn serve(&self, native: &mut Native, stop: &Stop) -> Result<(), Trouble> {
        while !stop.is_asked() {
            let caller = stop.or_until(LOOK, || self.listener.accept().ok());
            if let Some((stream, _)) = caller
                && answer(&stream, native, stop).is_none()
            {
                return Ok(());
            }
            if let Some(trouble) = native.fallen() {
                return Err(trouble);
            }
        }
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Does what one caller asks; `None` when that is to end.
fn answer(stream: &UnixStream, native: &mut Native, stop: &Stop) -> Option<()> {
    let mut line = String::new();
    let read = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
    if read.and_then(|()| BufReader::new(stream).read_line(&mut line)).is_err() {
        return Some(());
    }
    let done = match Action::read(&line) {
        Some((Action::Kill, service)) => native.kill(service),
        Some((Action::Start, service)) => native.start(service, stop),
        Some((Action::Down, _)) => {
            let _ = writeln!(&mut &*stream, "done");
            return None;
        }
        None => Err(Trouble::Setting { name: line, why: "allowed: kill, start, down".to_owned() }),
    };
    let said = match done {
        Ok(()) => "done".to_owned(),
        Err(trouble) => trouble.to_string().replace('\n', " "),
    };
    // A caller that has left does not change what was done.
    let _ = writeln!(&mut &*stream, "{said}");
    Some(())
}
