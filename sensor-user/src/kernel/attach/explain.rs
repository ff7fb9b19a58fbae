//! Why a program was refused, and what to do about it.

use std::io;

use super::xdp::SINGLE_BUFFER_MTU;
use crate::kernel::host::{Interface, Nature};

pub(super) fn explain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => {
            "another XDP program is attached; `bpftool net` and `bpftool link` show it".to_owned()
        }
        Some(libc::EPERM | libc::EACCES) => {
            "not permitted: run as root, or grant CAP_NET_ADMIN and CAP_BPF".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Why a driver refused, as far as its error code tells, and what the interface is.
pub(super) fn explain_native(error: &io::Error, interface: &Interface, multi_buffer: bool) -> String {
    explain_native_of(Nature::of(interface), error, interface, multi_buffer)
}

fn explain_native_of(nature: Nature, error: &io::Error, interface: &Interface, multi_buffer: bool) -> String {
    let Interface { name, mtu, .. } = interface;
    if let (
        Nature::StandsOn { kind, lower },
        Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ENOMEM | libc::ENOSPC),
    ) = (nature, error.raw_os_error())
    {
        return format!("a {kind} has none: attach to its {lower}, or use --mode generic");
    }
    let offloads = format!("`ethtool -K {name} lro off rx-gro-hw off`");
    match error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::EACCES) | None => explain(error),
        Some(_) if *mtu > SINGLE_BUFFER_MTU => {
            let kernel = if multi_buffer { "driver" } else { "kernel, older than 5.18," };
            format!(
                "an MTU of {mtu} is too large for this {kernel}: lower it with `ip link set {name} mtu \
                 {SINGLE_BUFFER_MTU}` or less, or use --mode generic"
            )
        }
        Some(libc::EOPNOTSUPP) if nature == Nature::Virtual => {
            "the driver does not support it: use --mode generic".to_owned()
        }
        Some(libc::EOPNOTSUPP) => format!(
            "the driver does not support it, or not with its present offloads: try {offloads}, or use --mode \
             generic"
        ),
        Some(libc::ENOMEM | libc::ENOSPC) => format!(
            "the driver has too few queues or too little memory: `ethtool -l {name}` shows the queues; lower \
             them with `ethtool -L {name} combined N`, or use --mode generic"
        ),
        Some(libc::EINVAL) if nature == Nature::Virtual => {
            "the driver refuses it as the interface is set: see `dmesg`, or use --mode generic".to_owned()
        }
        Some(libc::EINVAL) => format!(
            "the driver refuses its present settings: switch offloads off with {offloads}, see `dmesg`, or use \
             --mode generic"
        ),
        Some(_) => explain(error),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::kernel::host::Framing;

    const BRIDGE: Nature = Nature::StandsOn { kind: "bridge", lower: "port" };

    #[rstest]
    #[case::bridge(
        BRIDGE,
        libc::EOPNOTSUPP,
        1_500,
        "a bridge has none: attach to its port, or use --mode generic"
    )]
    #[case::bridge_with_a_large_mtu(BRIDGE, libc::EOPNOTSUPP, 9_000, "attach to its port")]
    #[case::bridge_refuses(BRIDGE, libc::EINVAL, 1_500, "attach to its port")]
    #[case::bridge_lacks_queues(BRIDGE, libc::ENOMEM, 1_500, "attach to its port")]
    #[case::pair(Nature::Virtual, libc::EOPNOTSUPP, 1_500, "does not support it: use --mode generic")]
    #[case::pair_refuses(Nature::Virtual, libc::EINVAL, 1_500, "--mode generic")]
    fn what_is_no_nic_has_no_offloads(
        #[case] nature: Nature,
        #[case] code: i32,
        #[case] mtu: u32,
        #[case] words: &str,
    ) {
        let said = explain_native_of(nature, &io::Error::from_raw_os_error(code), &interface(mtu), true);
        assert!(said.contains(words) && !said.contains("ethtool") && !said.contains("MTU"), "{said}");
    }

    fn interface(mtu: u32) -> Interface {
        Interface { name: "eth0".to_owned(), index: 2, mtu, up: true, framing: Framing::Ethernet, xdp: None }
    }

    #[rstest]
    #[case::no_native_xdp(libc::EOPNOTSUPP, 1_500, true, "does not support it")]
    #[case::offloads(libc::EINVAL, 1_500, true, "`ethtool -K eth0 lro off rx-gro-hw off`")]
    #[case::queues(libc::ENOMEM, 1_500, true, "`ethtool -L eth0 combined N`")]
    #[case::mtu(
        libc::ERANGE,
        9_000,
        true,
        "MTU of 9000 is too large for this driver: lower it with `ip link set eth0 mtu 3498`"
    )]
    #[case::mtu_on_an_old_kernel(libc::EINVAL, 9_000, false, "too large for this kernel, older than 5.18,")]
    #[case::taken(libc::EBUSY, 9_000, true, "another XDP program is attached")]
    #[case::not_permitted(libc::EPERM, 9_000, true, "run as root")]
    #[case::anything_else(libc::EIO, 1_500, true, "Input/output error")]
    fn a_refusal_names_its_remedy(
        #[case] code: i32,
        #[case] mtu: u32,
        #[case] multi_buffer: bool,
        #[case] words: &str,
    ) {
        let error = io::Error::from_raw_os_error(code);
        let said = explain_native_of(Nature::Nic, &error, &interface(mtu), multi_buffer);
        assert!(said.contains(words), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }
}
