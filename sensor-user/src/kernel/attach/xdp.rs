//! Attaches the XDP program to an interface, or takes over the link of an earlier agent, and says what it
//! really got.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use anyhow::{Context, Error, Result, anyhow, bail};

use super::above::Others;
use super::explain::{explain, explain_native};
use crate::config::Mode;
use crate::kernel::host::{AttachedMode, Framing, Interface, XdpFeatures, above_with_xdp};
use crate::kernel::link::{Hook, Link};
use crate::kernel::maps::detach_command_of;
use crate::kernel::program::{self, Loaded, Variant};
use crate::obstacle::Obstacle;

/// The largest MTU whose frames drivers put into one page beside the headroom (256 bytes) and the shared
/// info (320 bytes): what virtio, veth and ENA agree on.
pub const SINGLE_BUFFER_MTU: u32 = 3_498;

/// The link that keeps the XDP program attached, and what it got.
#[derive(Debug)]
pub struct Ingress {
    /// The link.
    pub link: Link,
    /// Where in the kernel the program runs, as the kernel says.
    pub mode: AttachedMode,
    /// The program's number, by which it is recognised later.
    pub program: u32,
}

/// Attaches to `interface`, natively where the driver can and `mode` lets it. Where what is not configured any more
/// stands on it, that is detached from.
///
/// # Errors
/// The interface is down or has another XDP program, or the kernel refuses every mode that is allowed.
pub fn attach(
    loaded: &mut Loaded,
    interface: &Interface,
    mode: Mode,
    others: &mut Others<'_>,
) -> Result<Ingress> {
    let name = &interface.name;
    check_interface(interface)?;
    if let Some(other) = interface.xdp {
        return Err(taken(interface, other.program));
    }
    if mode == Mode::Native {
        check_native(interface, None)?;
    }
    let mut attempts = attempts(loaded, interface, mode);
    let above = above_with_xdp(interface)?;
    if !above.is_empty() {
        // The kernel verifies them before a moment without a program may begin.
        keep_loadable(loaded, &mut attempts, |(variant, _)| *variant)?;
    }
    let way = others.make_way(interface, &above)?;
    let mut native_error = None;
    for (variant, hook) in attempts {
        match Link::create(loaded.xdp(variant)?.fd()?.as_fd(), interface.index, hook) {
            Ok(link) => {
                let gap = way.map(|(start, from)| (start.elapsed(), from));
                let (mode, program) = confirm(loaded, interface, variant)?;
                report(loaded, interface, mode, native_error.as_ref());
                if let Some((gap, from)) = gap {
                    tracing::warn!(
                        "detached from {from}, which is not configured any more, to attach to {name} below; what \
                         came in between passed uncounted, for {gap:?}"
                    );
                }
                return Ok(Ingress { link, mode, program });
            }
            // The first variant is the one that fits the interface: its error tells what stands in the way.
            Err(error) if hook == Hook::XdpNative => native_error = native_error.or(Some(error)),
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

/// Refuses interfaces that nothing can be attached to with success, whatever the configuration.
///
/// # Errors
/// The interface is down, or its frames are not Ethernet's.
pub fn check_interface(interface: &Interface) -> Result<(), Obstacle> {
    let name = &interface.name;
    if !interface.up {
        return Err(Obstacle::new(
            format!("interface {name} is down"),
            format!("bring it up with `ip link set {name} up`"),
        ));
    }
    if interface.framing == Framing::Other {
        return Err(Obstacle::new(
            format!("interface {name} has no Ethernet header: tunnelled traffic cannot be counted here"),
            "attach to the Ethernet interface that its packets come in by",
        ));
    }
    Ok(())
}

/// Whether the driver runs programs natively as far as can be told without attaching; `None` if the kernel does not
/// say. `from` is the mode in which an earlier agent attached, if one did.
///
/// # Errors
/// It does not.
pub fn check_native(interface: &Interface, from: Option<AttachedMode>) -> Result<Option<()>> {
    let name = &interface.name;
    match (XdpFeatures::of(interface.index), from) {
        (Ok(Some(features)), _) if features.native() => Ok(Some(())),
        (Ok(Some(_)), None) => {
            // It is not the MTU, which some drivers refuse with the same error.
            let interface = Interface { mtu: 0, ..interface.clone() };
            let error = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
            bail!("cannot attach to {name} in native mode: {}", explain_native(&error, &interface, true))
        }
        (Ok(Some(_)), Some(from)) => {
            bail!(
                "cannot change {name} from {from} to native mode: the driver does not have it; use --mode generic"
            )
        }
        _ => Ok(None),
    }
}

impl Ingress {
    /// Takes over the link of an earlier agent. What it runs is still the earlier agent's.
    ///
    /// # Errors
    /// The kernel does not say what it runs, or where.
    pub fn of_earlier_agent(link: Link, interface: &Interface) -> Result<Self> {
        let xdp = interface.xdp.with_context(|| format!("{} runs no program", interface.name))?;
        let mode =
            xdp.mode.with_context(|| format!("{} runs the program in an unknown mode", interface.name))?;
        Ok(Self { link, mode, program: xdp.program })
    }

    /// Runs the loaded program instead of the one that runs: every packet sees one of the two, unless `mode` asks
    /// for another place in the kernel.
    ///
    /// # Errors
    /// The kernel refuses; what ran there goes on, or where the mode was to change, the loaded program runs in the
    /// mode that there was.
    pub fn replace(&mut self, loaded: &mut Loaded, interface: &Interface, mode: Mode) -> Result<()> {
        match (mode, self.mode) {
            (Mode::Native, AttachedMode::Generic) => self.change_mode(loaded, interface, Hook::XdpNative),
            (Mode::Generic, AttachedMode::Native) => self.change_mode(loaded, interface, Hook::XdpGeneric),
            _ => self.update(loaded, interface),
        }
    }

    fn update(&mut self, loaded: &mut Loaded, interface: &Interface) -> Result<()> {
        let name = &interface.name;
        let mut refused = None;
        for variant in variants(loaded, interface) {
            match self.link.update(loaded.xdp(variant)?.fd()?.as_fd()) {
                Ok(()) => {
                    (self.mode, self.program) = confirm(loaded, interface, variant)?;
                    return Ok(());
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let error = refused.context("no program is left to try")?;
        bail!(
            "cannot replace the program on {name}: {}",
            explain_native(&error, interface, loaded.has_multi_buffer())
        )
    }

    /// The kernel takes no native program beside a generic one, nor the other way round: for a moment there is none.
    fn change_mode(&mut self, loaded: &mut Loaded, interface: &Interface, hook: Hook) -> Result<()> {
        let name = &interface.name;
        let (from, to) = (self.mode, hook.mode());
        if to == AttachedMode::Native {
            check_native(interface, Some(from))?;
        }
        if let Some(above) = above_with_xdp(interface)?.first() {
            bail!(
                "cannot change {name} from {from} to {to} mode beside the program on {above}, which stands on it: \
                 leave {above} out with the mode as it was first, or stop what has attached its program",
                above = above.name
            );
        }
        let mut variants =
            if to == AttachedMode::Native { variants(loaded, interface) } else { vec![Variant::Linear] };
        // The kernel verifies them before the moment without a program begins.
        keep_loadable(loaded, &mut variants, |variant| *variant)?;
        let start = Instant::now();
        self.link.detach().with_context(|| format!("cannot detach from {name}"))?;
        let mut refused = None;
        for variant in variants {
            match Link::create(loaded.xdp(variant)?.fd()?.as_fd(), interface.index, hook) {
                Ok(link) => {
                    let gap = start.elapsed();
                    self.link = link;
                    (self.mode, self.program) = confirm(loaded, interface, variant)?;
                    tracing::warn!(
                        "{name} runs the program in {to} mode now, and no longer in {from} mode; what came in \
                         between passed uncounted, for {gap:?}"
                    );
                    return Ok(());
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let (back, variant) = match from {
            AttachedMode::Native => (Hook::XdpNative, preferred(loaded, interface)),
            AttachedMode::Generic => (Hook::XdpGeneric, Variant::Linear),
        };
        self.link = Link::create(loaded.xdp(variant)?.fd()?.as_fd(), interface.index, back)
            .with_context(|| format!("cannot attach to {name} again in {from} mode"))?;
        let gap = start.elapsed();
        (self.mode, self.program) = confirm(loaded, interface, variant)?;
        let error = refused.context("no program is left to try")?;
        bail!(
            "cannot change {name} from {from} to {to} mode, and it runs in {from} mode again after {gap:?} without a \
             program: {}",
            explain_native(&error, interface, loaded.has_multi_buffer())
        )
    }
}

/// Says whose program is in the way, and what to do about it.
pub(super) fn taken(interface: &Interface, program: u32) -> Error {
    in_the_way(&format!("interface {}", interface.name), interface, program)
}

/// Likewise, where `subject` is what begins the sentence, and `holder` has the program.
pub(super) fn in_the_way(subject: &str, holder: &Interface, program: u32) -> Error {
    match program::is_ours(program) {
        Ok(true) => anyhow!(
            "{subject} already has the program of a sensor that was started with other --pins, with \
             --detach-on-exit or by another version: stop that one, or remove it with {}, which ends its counts",
            detach_command_of(holder)
        ),
        Ok(false) => anyhow!(
            "{subject} already has the XDP program {program}: stop the program that attached it; `bpftool net` \
             and `bpftool link` show it"
        ),
        Err(_) => anyhow!(
            "{subject} already has the XDP program {program}, and whether it is a sensor's cannot be known \
             without root: stop the program that attached it; `bpftool net` and `bpftool link` show it to root"
        ),
    }
}

/// The program that fits the interface.
fn preferred(loaded: &Loaded, interface: &Interface) -> Variant {
    if loaded.has_multi_buffer() && interface.mtu > SINGLE_BUFFER_MTU {
        Variant::MultiBuffer
    } else {
        Variant::Linear
    }
}

/// The programs to try, the one that fits the interface first.
fn variants(loaded: &Loaded, interface: &Interface) -> Vec<Variant> {
    match preferred(loaded, interface) {
        Variant::Linear if loaded.has_multi_buffer() => vec![Variant::Linear, Variant::MultiBuffer],
        Variant::Linear => vec![Variant::Linear],
        Variant::MultiBuffer => vec![Variant::MultiBuffer, Variant::Linear],
    }
}

/// What to try, in order.
fn attempts(loaded: &Loaded, interface: &Interface, mode: Mode) -> Vec<(Variant, Hook)> {
    let native = variants(loaded, interface).into_iter().map(|variant| (variant, Hook::XdpNative));
    // The kernel copies frames into one buffer before a generic program sees them.
    let generic = [(Variant::Linear, Hook::XdpGeneric)];
    match mode {
        Mode::Auto => native.chain(generic).collect(),
        Mode::Native => native.collect(),
        Mode::Generic => generic.to_vec(),
    }
}

/// Loads what is to be tried, and leaves out what the kernel does not load.
///
/// # Errors
/// It loads none.
fn keep_loadable<T>(loaded: &mut Loaded, attempts: &mut Vec<T>, variant: fn(&T) -> Variant) -> Result<()> {
    let mut refused = None;
    attempts.retain(|attempt| match loaded.xdp(variant(attempt)) {
        Ok(_) => true,
        Err(error) => {
            refused.get_or_insert(error);
            false
        }
    });
    refused.filter(|_| attempts.is_empty()).map_or(Ok(()), Err)
}

/// Asks the kernel what is attached now: where, and the program's number.
fn confirm(loaded: &mut Loaded, interface: &Interface, variant: Variant) -> Result<(AttachedMode, u32)> {
    let name = &interface.name;
    let program = loaded.xdp(variant)?.info().context("cannot ask the kernel about the program")?.id();
    let now = Interface::named(name)?;
    let Some(xdp) = now.xdp.filter(|xdp| xdp.program == program) else {
        bail!("the kernel took the program for {name}, but does not show it as attached");
    };
    let mode = xdp.mode.with_context(|| format!("{name} runs the program in an unknown mode"))?;
    Ok((mode, program))
}

fn report(loaded: &Loaded, interface: &Interface, mode: AttachedMode, native_error: Option<&io::Error>) {
    let name = &interface.name;
    match native_error {
        Some(error) if mode == AttachedMode::Generic => tracing::warn!(
            "attached to {name} in generic mode, which costs several times more a packet; native mode was \
             refused: {}",
            explain_native(error, interface, loaded.has_multi_buffer())
        ),
        _ => tracing::info!("attached to {name} in {mode} mode"),
    }
}
