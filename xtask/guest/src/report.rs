//! The serial port on which the guest speaks to the host.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};
use sensor_guest::{ALIVE_SECONDS, Line};

/// The second one. On 64-bit ARM the first is of another kind, and counted by itself (`ttyAMA0`).
const PORT: &str = if cfg!(target_arch = "aarch64") { "/dev/ttyS0" } else { "/dev/ttyS1" };

/// The port; clones are the same one, and lines of several threads stay whole.
#[derive(Clone)]
pub struct Report(Arc<Mutex<File>>);

impl Report {
    /// Opens the port, as it is: no echo, nothing translated.
    ///
    /// # Errors
    /// If there is no second serial port.
    pub fn open() -> io::Result<Self> {
        let port = OpenOptions::new().read(true).write(true).open(PORT)?;
        let mut settings = tcgetattr(&port)?;
        cfmakeraw(&mut settings);
        tcsetattr(&port, SetArg::TCSANOW, &settings)?;
        Ok(Self(Arc::new(Mutex::new(port))))
    }

    /// Writes a line.
    pub fn say(&self, line: &Line) {
        let mut port = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The host misses what cannot be written: that is its failure to report.
        let _ = port.write_all(format!("{line}\n").as_bytes());
    }

    /// Says in the background, for ever, that the machine lives.
    pub fn keep_saying_alive(&self) {
        let report = self.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_secs(ALIVE_SECONDS));
                report.say(&Line::Alive);
            }
        });
    }

    /// Waits until everything is on its way.
    pub fn drain(&self) {
        let port = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = tcdrain(&*port);
    }
}
