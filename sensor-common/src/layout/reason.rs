//! Why a packet was let through, or called malformed; each reason has the label that metrics give it.

/// Declares an enum whose variants are numbered from 0 and carry the label they have in metrics.
macro_rules! labelled {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $label:literal,)+ }) => {
        $(#[$meta])*
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The value's name in metrics and in the slots API.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

pub(crate) use labelled;

labelled! {
    /// Why a packet is called malformed: the first thing found wrong, from the outside in.
    Malformed {
        /// The frame ends inside the fixed IPv4 header.
        Ipv4Truncated => "ipv4_truncated",
        /// The EtherType says IPv4, the version field does not.
        Ipv4Version => "ipv4_version",
        /// The header length is below 20 bytes, or beyond the total length.
        Ipv4HeaderLength => "ipv4_header_length",
        /// The total length is beyond the end of the frame.
        Ipv4TotalLength => "ipv4_total_length",
        /// The frame ends inside the fixed IPv6 header.
        Ipv6Truncated => "ipv6_truncated",
        /// The EtherType says IPv6, the version field does not.
        Ipv6Version => "ipv6_version",
        /// The payload length is beyond the end of the frame.
        Ipv6PayloadLength => "ipv6_payload_length",
        /// The packet ends inside an IPv6 extension header.
        Ipv6ExtensionTruncated => "ipv6_extension_truncated",
        /// More IPv6 extension headers than the parser follows.
        Ipv6ExtensionDepth => "ipv6_extension_depth",
        /// The packet ends inside the fixed TCP header.
        TcpTruncated => "tcp_truncated",
        /// The TCP data offset is below 20 bytes, or beyond the packet.
        TcpDataOffset => "tcp_data_offset",
        /// The packet ends inside the UDP header.
        UdpTruncated => "udp_truncated",
        /// The UDP length is below 8 bytes, or beyond the packet.
        UdpLength => "udp_length",
        /// The packet ends inside the ICMP header.
        IcmpTruncated => "icmp_truncated",
        /// The packet ends inside the ICMPv6 header.
        Icmpv6Truncated => "icmpv6_truncated",
    }
}

labelled! {
    /// Why a packet was let through: offsets in the page of [`PASSED`](super::PASSED).
    Passed {
        /// Neither IPv4 nor IPv6: ARP, LLDP, more than two VLAN tags.
        NonIp => "non_ip",
        /// To an address that no sensor monitors.
        NotMonitored => "not_monitored",
        /// Link control: IPv6 neighbour discovery, MLD, IGMP, DHCP.
        Link => "link",
        /// From an allow-listed source to an allowed service of the host.
        Management => "management",
        /// The answer to something that the host itself sent.
        Reply => "reply",
        /// Whatever it was: nobody confirmed the attachment in time, and it has undone itself.
        Unconfirmed => "unconfirmed",
    }
}
