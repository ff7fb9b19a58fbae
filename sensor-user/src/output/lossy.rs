//! Lines for a file that may be full, closed, or read by nobody.

use std::io::{ErrorKind, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sensor_common::noun::noun;

/// Bytes of lines that may wait to be written.
const ROOM: usize = 256 << 10;

/// Hands lines to a thread that writes them. Nobody ever waits for the file: what finds no room, or can't be
/// written, is lost and counted, and the count is written where the lines would have been.
pub(super) struct Lossy<F> {
    shared: Arc<Shared>,
    /// For the thread, which begins with the first line.
    file: Mutex<Option<F>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Lines lost so far.
    lost: AtomicU64,
}

#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    /// Lines that came after these and found no room.
    dropped: u64,
    /// Whether there is something that the thread has taken and not yet written.
    writing: bool,
}

impl<F: Write + AsFd + Send + 'static> Lossy<F> {
    /// For a file without a buffer of its own; without a file, all is lost.
    pub(super) fn new(file: impl Into<Option<F>>) -> Self {
        Self { shared: Arc::default(), file: Mutex::new(file.into()) }
    }

    /// Adds whole lines, or loses them.
    pub(super) fn add(&self, lines: &[u8]) {
        self.start();
        let mut queue = self.shared.lock();
        // Behind a gap nothing is added before the thread has taken what stands before it: order is kept.
        if queue.dropped > 0 || queue.lines.len() + lines.len() > ROOM {
            queue.dropped += self.shared.lose(lines);
        } else {
            queue.lines.extend_from_slice(lines);
        }
        self.shared.changed.notify_all();
    }

    /// Lines lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.shared.lost.load(Relaxed)
    }

    /// Waits until everything is written or lost, but no longer than this.
    pub(super) fn wait(&self, patience: Duration) {
        let under_way = |queue: &mut Queue| queue.writing || !queue.lines.is_empty() || queue.dropped > 0;
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), patience, under_way);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn start(&self) {
        let Some(file) = self.file.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let writer = Writer { file, shared: Arc::clone(&self.shared), unsaid: 0, torn: false };
        // Without the thread, which only a host at its end refuses, lines are lost once there is no more room.
        let _thread = thread::Builder::new().name("output".into()).spawn(move || writer.run());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing under the lock panics half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts these lines as lost; says how many they are.
    fn lose(&self, lines: &[u8]) -> u64 {
        let count = lines.split_inclusive(|byte| *byte == b'\n').count() as u64;
        self.lost.fetch_add(count, Relaxed);
        count
    }
}

/// The thread that writes.
struct Writer<F> {
    file: F,
    shared: Arc<Shared>,
    /// Lines lost that the file does not tell of yet.
    unsaid: u64,
    /// Whether what was written last ends within a line.
    torn: bool,
}

impl<F: Write + AsFd> Writer<F> {
    fn run(mut self) {
        let mut lines = Vec::new();
        loop {
            let dropped = self.take(&mut lines);
            self.say_what_is_lost();
            self.write_or_lose(&lines);
            self.unsaid += dropped;
            // At once only after what came before it: else it is tried with the next line.
            if dropped > 0 {
                self.say_what_is_lost();
            }
        }
    }

    /// Waits for lines; gives the number of those after them that were dropped.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        lines.clear();
        let mut queue = self.shared.lock();
        queue.writing = false;
        self.shared.changed.notify_all();
        let empty = |queue: &mut Queue| queue.lines.is_empty() && queue.dropped == 0;
        let mut queue = self.shared.changed.wait_while(queue, empty).unwrap_or_else(PoisonError::into_inner);
        queue.writing = true;
        mem::swap(&mut queue.lines, lines);
        mem::take(&mut queue.dropped)
    }

    fn write_or_lose(&mut self, lines: &[u8]) {
        let written = self.write(lines);
        self.unsaid += self.shared.lose(&lines[written..]);
    }

    fn say_what_is_lost(&mut self) {
        if self.unsaid == 0 {
            return;
        }
        let start = if self.torn { "\n" } else { "" };
        let missing =
            noun(self.unsaid, "line is missing here: it could", "lines are missing here: they could");
        let notice = format!("{start}sensor: {} {missing} not be written\n", self.unsaid);
        if self.write(notice.as_bytes()) == notice.len() {
            self.unsaid = 0;
        }
    }

    /// Writes as much as can be; says how much that is. Waits for a reader that is slow.
    fn write(&mut self, text: &[u8]) -> usize {
        let mut written = 0;
        while written < text.len() {
            match self.file.write(&text[written..]) {
                Ok(0) => break,
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_for_room(),
                Err(_) => break,
            }
        }
        if written > 0 {
            self.torn = text[written - 1] != b'\n';
        }
        written
    }

    /// Whoever shares a terminal or pipe with others may find it set to return at once.
    fn wait_for_room(&self) {
        let mut poll = libc::pollfd { fd: self.file.as_fd().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: `poll` is one valid record, and the descriptor is open as long as `self.file`.
        unsafe { libc::poll(&raw mut poll, 1, -1) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::{BufRead, BufReader, PipeWriter, Read, Result, pipe};
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::AtomicUsize;

    use rstest::rstest;

    use super::*;

    /// Far longer than anything here takes: it only keeps a test from hanging.
    const PATIENCE: Duration = Duration::from_mins(1);

    #[test]
    fn lines_are_written_in_order() {
        let (mut read, write) = pipe().unwrap();
        let lossy = Lossy::new(write);
        for number in 0..1000 {
            lossy.add(format!("{number}\n").as_bytes());
        }
        lossy.wait(PATIENCE);
        let expected = (0..1000).map(|number| format!("{number}\n")).collect::<Vec<_>>().concat();
        let mut text = vec![0; expected.len()];
        read.read_exact(&mut text).unwrap();
        assert_eq!(text, expected.as_bytes());
        assert_eq!(lossy.lost(), 0);
    }

    #[rstest]
    #[case::blocking(false)]
    #[case::returning_at_once(true)]
    fn a_reader_that_stops_holds_nobody_up_and_is_told_how_much_it_missed(#[case] nonblocking: bool) {
        let (read, write) = pipe().unwrap();
        if nonblocking {
            // SAFETY: F_SETFL takes flags and touches no memory.
            unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        }
        let lossy = Lossy::new(write);
        // More than the pipe and the queue hold together.
        let line = [vec![b'a'; 999], vec![b'\n']].concat();
        for _ in 0..1000 {
            lossy.add(&line);
        }
        assert!(lossy.lost() > 0);
        lossy.wait(Duration::from_millis(1));

        let reading = thread::spawn(move || {
            let lines = BufReader::new(read).lines().map(|line| line.unwrap());
            lines.take_while(|line| line != "next").collect::<Vec<_>>()
        });
        lossy.wait(PATIENCE);
        lossy.add(b"next\n");
        let (kept, told): (Vec<_>, Vec<_>) =
            reading.join().unwrap().into_iter().partition(|line| line.starts_with('a'));
        assert_eq!(kept.len() as u64 + lossy.lost(), 1000);
        assert!(!told.is_empty(), "nothing says how many were lost");
    }

    #[test]
    fn a_reader_that_has_gone_costs_lines_only() {
        let (read, write) = pipe().unwrap();
        drop(read);
        let lossy = Lossy::new(write);
        for _ in 0..10 {
            lossy.add(b"one\ntwo\n");
        }
        lossy.wait(PATIENCE);
        assert_eq!(lossy.lost(), 20);
    }

    #[test]
    fn a_full_disk_costs_lines_only() {
        let lossy = Lossy::new(OpenOptions::new().write(true).open("/dev/full").unwrap());
        lossy.add(b"one\n");
        lossy.wait(PATIENCE);
        assert_eq!(lossy.lost(), 1);
    }

    /// A disk with room for so many bytes.
    struct Disk {
        room: Arc<AtomicUsize>,
        pipe: PipeWriter,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let room = self.room.load(Relaxed);
            if room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let written = self.pipe.write(&bytes[..room.min(bytes.len())])?;
            self.room.store(room - written, Relaxed);
            Ok(written)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    impl AsFd for Disk {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.pipe.as_fd()
        }
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_told_once_it_has_room() {
        let (read, pipe) = pipe().unwrap();
        let room = Arc::new(AtomicUsize::new(3));
        let lossy = Lossy::new(Disk { room: room.clone(), pipe });
        for line in ["1\n", "2\n", "3\n"] {
            lossy.add(line.as_bytes());
            lossy.wait(PATIENCE);
        }
        room.store(usize::MAX, Relaxed);
        lossy.add(b"next\n");
        let lines = BufReader::new(read).lines().map(|line| line.unwrap());
        let expected = ["1", "2", "sensor: 2 lines are missing here: they could not be written", "next"];
        assert!(lines.take(4).eq(expected));
        assert_eq!(lossy.lost(), 2);
    }
}
