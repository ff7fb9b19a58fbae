//! Attaches a loaded program to an interface, and says what it really got.

use std::{fmt, io};

use anyhow::{Context, Result, anyhow, bail};
use aya::programs::links::FdLink;
use aya::programs::xdp::{XdpError, XdpLinkId};
use aya::programs::{ProgramError, XdpMode};

use super::load::{Loaded, Variant};
use super::netlink::{Framing, Interface, Netlink};
use crate::config::Mode;

/// The largest MTU whose frames drivers put into one page beside the headroom (256 bytes) and the shared
/// info (320 bytes): what virtio, veth and ENA agree on.
const SINGLE_BUFFER_MTU: u32 = 3_498;

/// Where in the kernel a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachedMode {
    /// In the driver.
    Native,
    /// In the network stack, behind the driver: several times slower.
    Generic,
}

impl AttachedMode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Native, Self::Generic];
}

impl fmt::Display for AttachedMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// An attached program; dropping the [`Loaded`] it came from detaches it.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The interface's name.
    pub interface: String,
    /// Where in the kernel it runs, as the kernel says.
    pub mode: AttachedMode,
    /// The program's number, by which it is recognised later.
    pub program: u32,
}

/// Attaches to `interface`, natively where the driver can and `mode` lets it.
///
/// # Errors
/// The interface is down or has another XDP program, or the kernel refuses every mode that is allowed.
pub async fn attach(
    loaded: &mut Loaded,
    netlink: &Netlink,
    interface: &Interface,
    mode: Mode,
) -> Result<Attached> {
    let name = &interface.name;
    if !interface.up {
        bail!("interface {name} is down: bring it up with `ip link set {name} up`");
    }
    if interface.framing == Framing::Other {
        bail!(
            "interface {name} has no Ethernet header, and the program would misread its packets: attach to the \
             Ethernet interface that its packets come in by"
        );
    }
    if let Some(other) = interface.xdp {
        bail!(
            "interface {name} already has the XDP program {}: stop the program that attached it; \
             `bpftool net` and `bpftool link` show it",
            other.program,
        );
    }
    let mut native_error = None;
    for (variant, kernel_mode) in attempts(loaded, interface, mode) {
        match try_attach(loaded, interface, variant, kernel_mode) {
            Ok(()) => return confirm(loaded, netlink, interface, variant, native_error).await,
            // The first variant is the one that fits the interface: its error tells what stands in the way.
            Err(error) if kernel_mode == XdpMode::Driver => native_error = native_error.or(Some(error)),
            Err(error) => {
                return Err(anyhow!("cannot attach to {name} in generic mode: {}", explain(&error)));
            }
        }
    }
    let error = native_error.context("no mode is left to try")?;
    bail!(
        "cannot attach to {name} in native mode: {}",
        explain_native(&error, interface, loaded.has_multi_buffer())
    )
}

/// What to try, in order.
fn attempts(loaded: &Loaded, interface: &Interface, mode: Mode) -> Vec<(Variant, XdpMode)> {
    let mut variants = vec![Variant::Linear];
    if loaded.has_multi_buffer() {
        let preferred = usize::from(interface.mtu <= SINGLE_BUFFER_MTU);
        variants.insert(preferred, Variant::MultiBuffer);
    }
    let native = variants.into_iter().map(|variant| (variant, XdpMode::Driver));
    // The kernel copies frames into one buffer before a generic program sees them.
    let generic = [(Variant::Linear, XdpMode::Skb)];
    match mode {
        Mode::Auto => native.chain(generic).collect(),
        Mode::Native => native.collect(),
        Mode::Generic => generic.to_vec(),
    }
}

fn try_attach(
    loaded: &mut Loaded,
    interface: &Interface,
    variant: Variant,
    mode: XdpMode,
) -> Result<(), ProgramError> {
    let program = loaded.xdp(variant).map_err(|_| ProgramError::NotLoaded)?;
    let id: XdpLinkId = program.attach_to_if_index(interface.index, mode)?;
    let link = program.take_link(id)?;
    let Ok(link) = FdLink::try_from(link) else {
        // Where the kernel refuses a link, aya attaches through netlink instead, and nothing would undo that
        // when the agent dies. The link is gone with the conversion; attaching again gives one to detach.
        let id = program.attach_to_if_index(interface.index, mode)?;
        program.detach(id)?;
        return Err(ProgramError::NotAttached);
    };
    loaded.keep(link);
    Ok(())
}

/// Asks the kernel what is attached now.
async fn confirm(
    loaded: &mut Loaded,
    netlink: &Netlink,
    interface: &Interface,
    variant: Variant,
    native_error: Option<ProgramError>,
) -> Result<Attached> {
    let name = &interface.name;
    let program = loaded.xdp(variant)?.info().context("cannot ask the kernel about the program")?.id();
    let now = netlink.interface(name).await?;
    let Some(xdp) = now.xdp.filter(|xdp| xdp.program == program) else {
        bail!("the kernel took the program for {name}, but does not show it as attached");
    };
    let mode = xdp.mode.with_context(|| format!("{name} runs the program in an unknown mode"))?;
    match native_error {
        Some(error) if mode == AttachedMode::Generic => tracing::warn!(
            "attached to {name} in generic mode, which costs several times more a packet; native mode was \
             refused: {}",
            explain_native(&error, interface, loaded.has_multi_buffer())
        ),
        _ => tracing::info!("attached to {name} in {mode} mode"),
    }
    Ok(Attached { interface: name.clone(), mode, program })
}

/// The system call's error, if there was one.
fn os_error(error: &ProgramError) -> Option<i32> {
    let io_error: &io::Error = match error {
        ProgramError::SyscallError(error) => &error.io_error,
        ProgramError::XdpError(XdpError::NetlinkError(error)) => return error.raw_os_error(),
        _ => return None,
    };
    io_error.raw_os_error()
}

fn explain(error: &ProgramError) -> String {
    match os_error(error) {
        Some(libc::EBUSY | libc::EEXIST) => {
            "another XDP program is attached; `bpftool net` and `bpftool link` show it".to_owned()
        }
        Some(libc::EPERM | libc::EACCES) => {
            "not permitted: run as root, or grant CAP_NET_ADMIN and CAP_BPF".to_owned()
        }
        Some(code) => io::Error::from_raw_os_error(code).to_string(),
        None => format!("{:#}", anyhow!(error.to_string())),
    }
}

/// Why a driver refused, as far as its error code tells.
fn explain_native(error: &ProgramError, interface: &Interface, multi_buffer: bool) -> String {
    let Interface { name, mtu, .. } = interface;
    let offloads = format!("`ethtool -K {name} lro off rx-gro-hw off`");
    match os_error(error) {
        Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::EACCES) | None => explain(error),
        Some(_) if *mtu > SINGLE_BUFFER_MTU => {
            let kernel = if multi_buffer { "driver" } else { "kernel, older than 5.18," };
            format!(
                "an MTU of {mtu} is too large for this {kernel}: lower it with `ip link set {name} mtu \
                 {SINGLE_BUFFER_MTU}` or less, or use --mode generic"
            )
        }
        Some(libc::EOPNOTSUPP) => format!(
            "the driver does not support it, or not with its present offloads: try {offloads}, or use --mode \
             generic"
        ),
        Some(libc::ENOMEM | libc::ENOSPC) => format!(
            "the driver has too few queues or too little memory: `ethtool -l {name}` shows the queues; lower \
             them with `ethtool -L {name} combined N`, or use --mode generic"
        ),
        Some(libc::EINVAL) => format!(
            "the driver refuses its present settings: switch offloads off with {offloads}, see `dmesg`, or use \
             --mode generic"
        ),
        Some(_) => explain(error),
    }
}

#[cfg(test)]
mod tests {
    use aya::sys::SyscallError;
    use rstest::rstest;

    use super::*;

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
    fn a_refusal_names_its_mend(
        #[case] code: i32,
        #[case] mtu: u32,
        #[case] multi_buffer: bool,
        #[case] words: &str,
    ) {
        let io_error = io::Error::from_raw_os_error(code);
        let error = ProgramError::SyscallError(SyscallError { call: "bpf_link_create", io_error });
        let interface = Interface {
            name: "eth0".to_owned(),
            index: 2,
            mtu,
            up: true,
            framing: Framing::Ethernet,
            xdp: None,
        };
        let said = explain_native(&error, &interface, multi_buffer);
        assert!(said.contains(words), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }
}
