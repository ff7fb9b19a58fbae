//! One question to a netlink family, and all of the kernel's answer.
//!
//! The kernel answers from memory, so waiting for it blocks for no longer than a read of a file in /proc. Each
//! question has a socket of its own, in the network namespace of the calling thread.

use std::io::{self, ErrorKind};

use netlink_packet_core::{
    NLM_F_DUMP_INTR, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};

use crate::kernel::retry::retried;

/// What netlink pads messages to, in bytes.
const ALIGNMENT: usize = 4;

/// Asks a netlink protocol, and gives the messages that it answers with. `flags` has either `NLM_F_DUMP`, or
/// `NLM_F_ACK` so that the kernel says where the answer ends.
///
/// # Errors
/// The kernel has no such protocol, refuses the question, or answers with what is no message of this kind.
pub(in crate::kernel) fn ask<M>(protocol: isize, flags: u16, question: M) -> io::Result<Vec<M>>
where
    M: NetlinkSerializable + NetlinkDeserializable + Into<NetlinkPayload<M>>,
{
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, question.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    // An answer that something changed during is asked for again too.
    retried(|| {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        retried(|| socket.send(&bytes, 0))?;
        let mut answer = Vec::new();
        loop {
            let (datagram, _) = retried(|| socket.recv_from_full())?;
            if read(&datagram, &mut answer)? {
                return Ok(answer);
            }
        }
    })
}

/// Adds the messages of one datagram to the answer; whether they were the last.
fn read<M: NetlinkDeserializable>(mut datagram: &[u8], answer: &mut Vec<M>) -> io::Result<bool> {
    while !datagram.is_empty() {
        let message = NetlinkMessage::<M>::deserialize(datagram).map_err(io::Error::other)?;
        let length = message.header.length as usize;
        if message.header.flags & NLM_F_DUMP_INTR != 0 {
            return Err(ErrorKind::Interrupted.into());
        }
        match message.payload {
            NetlinkPayload::InnerMessage(message) => answer.push(message),
            NetlinkPayload::Done(done) if done.code < 0 => {
                return Err(io::Error::from_raw_os_error(-done.code));
            }
            NetlinkPayload::Error(error) if error.raw_code() != 0 => return Err(error.to_io()),
            NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => return Ok(true),
            _ => {}
        }
        datagram = datagram.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    Ok(false)
}
