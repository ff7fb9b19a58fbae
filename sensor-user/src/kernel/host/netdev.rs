//! Whether a driver has native XDP, as the kernel says it since 6.3 over generic netlink's family `netdev`
//! (`Documentation/netlink/specs/netdev.yaml`).
//!
//! Nothing else tells without attaching, which may reset the NIC.

use std::io;

use netlink_packet_core::{
    DecodeError, Emitable, NLM_F_ACK, NLM_F_REQUEST, NlasIterator, ParseableParametrized, parse_u64,
};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use netlink_sys::protocols::NETLINK_GENERIC;

use super::ask::ask;

const FAMILY: &str = "netdev";
const DEV_GET: u8 = 1;
const IFINDEX: u16 = 1;
const XDP_FEATURES: u16 = 3;

/// Bytes of an attribute's header, and of one that holds 32 bits.
const ATTRIBUTE_HEADER: usize = 4;
const ATTRIBUTE_U32: usize = 8;

/// What a driver's XDP can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpFeatures(u64);

impl XdpFeatures {
    /// From the kernel's bits (`enum netdev_xdp_act`).
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Asks about the interface of this number; `None` if the kernel does not say, being older than 6.3.
    ///
    /// # Errors
    /// There is no such interface, or the kernel does not answer.
    pub fn of(index: u32) -> io::Result<Option<Self>> {
        let Some(family) = family()? else { return Ok(None) };
        let mut question = GenlMessage::from_payload(Device { index, features: None });
        question.set_resolved_family_id(family);
        let answer = ask(NETLINK_GENERIC, NLM_F_REQUEST | NLM_F_ACK, question)?;
        Ok(answer.into_iter().find_map(|message| message.payload.features).map(Self))
    }

    /// Whether the driver runs programs that drop and pass (`NETDEV_XDP_ACT_BASIC`).
    #[must_use]
    pub const fn native(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether it gives them frames in several buffers (`NETDEV_XDP_ACT_RX_SG`).
    #[must_use]
    pub const fn multi_buffer(self) -> bool {
        self.0 & 0x20 != 0
    }
}

/// The number that the kernel has given the family.
fn family() -> io::Result<Option<u16>> {
    let nlas = vec![GenlCtrlAttrs::FamilyName(FAMILY.to_owned())];
    let question = GenlMessage::from_payload(GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas });
    match ask(NETLINK_GENERIC, NLM_F_REQUEST | NLM_F_ACK, question) {
        Ok(answer) => Ok(answer.iter().flat_map(|message| &message.payload.nlas).find_map(|attribute| {
            if let GenlCtrlAttrs::FamilyId(id) = attribute { Some(*id) } else { None }
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A question about an interface, or its answer.
#[derive(Clone, Copy, Debug)]
struct Device {
    index: u32,
    features: Option<u64>,
}

impl GenlFamily for Device {
    fn family_name() -> &'static str {
        FAMILY
    }

    fn command(&self) -> u8 {
        DEV_GET
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Device {
    fn buffer_len(&self) -> usize {
        ATTRIBUTE_U32
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer[..2].copy_from_slice(&8_u16.to_ne_bytes());
        buffer[2..ATTRIBUTE_HEADER].copy_from_slice(&IFINDEX.to_ne_bytes());
        buffer[ATTRIBUTE_HEADER..ATTRIBUTE_U32].copy_from_slice(&self.index.to_ne_bytes());
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Device {
    fn parse_with_param(buffer: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let mut features = None;
        for attribute in NlasIterator::new(buffer) {
            let attribute = attribute?;
            if attribute.kind() == XDP_FEATURES {
                features = Some(parse_u64(attribute.value())?);
            }
        }
        Ok(Self { index: 0, features })
    }
}
