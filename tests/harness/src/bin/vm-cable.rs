//! The far end of the cable that the network interface of a virtual machine hangs on: a socket, as standard input.
//!
//! Tests in the machine ask for packets with a frame, and get them: a number of those that a seed stands for.
//! Both sides make the same row of packets, so the machine knows what must arrive. When the machine is gone, the
//! number of frames sent is printed.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use sensor_harness::mix::Mix;
use sensor_harness::order::Order;

fn main() -> io::Result<()> {
    let cable = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    writeln!(io::stdout(), "{}", serve(&cable))
}

/// Answers orders until the machine is gone; then gives the number of frames sent.
fn serve(cable: &UnixStream) -> u64 {
    let mut sent = 0;
    // An error is the machine's end.
    let _ = answer(cable, &mut sent);
    sent
}

fn answer(cable: &UnixStream, sent: &mut u64) -> io::Result<()> {
    let mut from = BufReader::new(cable);
    let mut to = BufWriter::new(cable);
    loop {
        let Some(order) = Order::parse(&receive(&mut from)?) else { continue };
        let count = usize::try_from(order.packets).map_err(io::Error::other)?;
        for sample in Mix::new(order.seed).take(count) {
            send(&mut to, &sample.frame)?;
            *sent += 1;
        }
        to.flush()?;
    }
}

/// Frames go over QEMU's sockets behind their length, in network order.
fn receive(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn send(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(frame)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn an_order_is_answered_with_its_packets() -> io::Result<()> {
        let (machine, cable) = UnixStream::pair()?;
        let serving = thread::spawn(move || serve(&cable));
        let mut machine = BufReader::new(machine);
        send(machine.get_mut(), b"not an order")?;
        send(machine.get_mut(), &Order { seed: 7, packets: 300 }.frame())?;
        for sample in Mix::new(7).take(300) {
            assert_eq!(receive(&mut machine)?, sample.frame);
        }
        drop(machine);
        assert_eq!(serving.join().expect("it does not panic"), 300);
        Ok(())
    }
}
