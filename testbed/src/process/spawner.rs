//! The one thread that starts children.
//!
//! On Linux a child asks to be killed when its parent dies, and the kernel takes "parent" to be the
//! *thread* that forked. A test's thread ends long before an Envoy that several tests share, so all
//! children are started by one thread that lives as long as the process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

struct Order {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

/// Starts `command` in its own process group, tied to the life of this process.
pub(super) fn spawn(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();

    command.process_group(0);
    die_with_parent(&mut command);
    let (answer, child) = channel();
    let orders = SPAWNER.get_or_init(|| Mutex::new(start())).lock();
    let sent = orders.unwrap_or_else(PoisonError::into_inner).send(Order { command, answer });
    let gone = |_| io::Error::other("the thread that starts programs has ended");
    sent.map_err(|_| gone(()))?;
    child.recv().map_err(|_| gone(()))?
}

fn start() -> Sender<Order> {
    let (orders, queue) = channel::<Order>();
    std::thread::spawn(move || {
        for mut order in queue {
            let _ = order.answer.send(order.command.spawn());
        }
    });
    orders
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    let tie = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died between fork and the line above: then nobody would tell us.
        if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(tie);
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
