//! The sensor as it is in the kernel: programs, the maps they share, and the links that hold them to interfaces.
//!
//! Starting takes over whatever an earlier agent left pinned. Reloading loads the new programs beside the old
//! ones and then swaps them, so that a packet sees either all of the old rules or all of the new ones; whatever
//! goes wrong before the last swap, the old ones stay.

use std::os::fd::AsFd;

use anyhow::{Context, Result, bail};
use aya_log::EbpfLogger;

use super::egress::{self, Egress};
use super::options::AttachOptions;
use super::xdp::{self, Ingress};
use crate::config::{Config, KernelLog, Mode, NumberedSensor};
use crate::kernel::host::{AttachedMode, Interface};
use crate::kernel::link::Link;
use crate::kernel::maps::{Confirmation, Counters, Direction, Guard, KernelSeries, Pins, Shared};
use crate::kernel::program::{Loaded, Options, RateLimited};

/// Programs attached to interfaces. Dropping it detaches them, unless they are pinned.
pub struct Deployment {
    // Before what they attach: a link that is let go detaches.
    attached: Vec<Attached>,
    loaded: Loaded,
    shared: Shared,
    sensors: Vec<NumberedSensor>,
    guard: Guard,
}

/// An interface with the programs attached to it.
#[derive(Debug)]
struct Attached {
    interface: Interface,
    ingress: Ingress,
    egress: Egress,
}

/// What is attached to an interface, for who wants to look whether it still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The interface's name.
    pub interface: String,
    /// Where in the kernel the XDP program runs.
    pub mode: AttachedMode,
    /// The XDP program's number.
    pub program: u32,
}

impl Deployment {
    /// Loads the programs, with the counters that an earlier agent left, if one did. Nothing is attached yet.
    ///
    /// # Errors
    /// Another agent is at it, or the kernel refuses the programs.
    pub fn load(config: &Config, options: &AttachOptions) -> Result<Self> {
        let pins =
            if options.detach_on_exit { Pins::passing(&options.pins) } else { Pins::keep(&options.pins) }?;
        let mut shared = Shared::open(pins)?;
        let sensors = shared.assign(&config.sensors, &[])?;
        let awaited = awaits_confirmation(options, &shared)?;
        let loaded = Loaded::new(&Options { config, sensors: &sensors, guarded: awaited }, &mut shared)?;
        let guard = shared.guard()?;
        Ok(Self { attached: Vec::new(), loaded, shared, sensors, guard })
    }

    /// Attaches the programs to every interface, or replaces those that an earlier agent left there.
    ///
    /// # Errors
    /// Anything that stands in the way. What was not attached before is not attached then.
    pub fn attach(
        &mut self,
        config: &Config,
        options: &AttachOptions,
        interfaces: &[Interface],
    ) -> Result<()> {
        // What an earlier agent attached still runs, and looks at the guard until it is replaced: one that has
        // undone itself must not come back to life before that.
        let before = self.guard.confirmation()?;
        match (options.confirm_within, before) {
            (Some(within), Confirmation::Given) => self.guard.arm(within)?,
            // Starting again is no reason to wait any longer.
            (Some(within), Confirmation::Awaited(left)) => self.guard.arm(within.min(left))?,
            _ => {}
        }
        let wanted: Vec<_> = interfaces.iter().collect();
        self.attached = attach_or_take_over(&mut self.loaded, &self.shared, &wanted, config)?;
        if before == Confirmation::Missed {
            match options.confirm_within {
                Some(within) => self.guard.arm(within)?,
                None => self.guard.confirm()?,
            }
        }
        self.let_go_of_others()?;
        self.pin()?;
        self.shared.pins().retire_older()
    }

    /// Detaches from interfaces of this network namespace that an earlier agent was attached to and that are
    /// not configured any more.
    fn let_go_of_others(&self) -> Result<()> {
        for interface in Interface::all()? {
            if self.attached.iter().any(|attached| attached.is_to(&interface)) {
                continue;
            }
            let Some(link) = pinned(&self.shared, Direction::Ingress, &interface) else { continue };
            if runs_here(&link, &interface) {
                link.detach().with_context(|| format!("cannot detach from {}", interface.name))?;
                egress::detach(&interface)?;
                self.unpin(&interface)?;
                tracing::info!("detached from {}, which is not configured any more", interface.name);
            }
        }
        Ok(())
    }

    /// Whether everything is attached that was.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.attached.iter().all(|attached| is_attached(&attached.ingress.link))
    }

    /// Applies a changed configuration.
    ///
    /// # Errors
    /// Anything that stands in the way; everything is as before then.
    pub fn reload(&mut self, config: &Config, interfaces: &[Interface]) -> Result<()> {
        let sensors = self.shared.assign(&config.sensors, &self.sensors)?;
        let awaited = match self.guard.confirmation()? {
            Confirmation::Given => false,
            Confirmation::Awaited(_) => true,
            Confirmation::Missed => {
                bail!("nobody has confirmed in time: the sensor is about to detach itself")
            }
        };
        let mut loaded =
            Loaded::new(&Options { config, sensors: &sensors, guarded: awaited }, &mut self.shared)?;

        let new: Vec<_> = interfaces
            .iter()
            .filter(|interface| !self.attached.iter().any(|attached| attached.is_to(interface)))
            .collect();
        // Until they are pinned, or kept here, they are detached by letting them go.
        let fresh = attach_or_take_over(&mut loaded, &self.shared, &new, config)?;
        let (mut stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut self.attached)
            .into_iter()
            .partition(|attached| interfaces.iter().any(|interface| attached.is_to(interface)));
        let replaced = replace_all(&mut stay, &mut loaded, config);
        if let Err((replaced, error)) = replaced {
            // The old programs ran there a moment ago. Should one be refused now, the new one runs on, with the
            // same counters.
            drop(replace_all(&mut stay[..=replaced], &mut self.loaded, config));
            stay.extend(go);
            self.attached = stay;
            return Err(error);
        }
        self.attached = stay;
        self.attached.extend(fresh);
        self.loaded = loaded;
        self.sensors = sensors;
        self.pin()?;
        for gone in go {
            let name = gone.interface.name.clone();
            if let Err(error) = self.let_go(gone) {
                tracing::warn!("{error:#}: `sensor detach --interface {name}` tries again");
            }
        }
        Ok(())
    }

    /// Loads the same configuration without the guard, once a confirmation was given.
    ///
    /// # Errors
    /// As [`Deployment::reload`].
    pub fn unguard(&mut self, config: &Config) -> Result<()> {
        let interfaces: Vec<_> = self.attached.iter().map(|attached| attached.interface.clone()).collect();
        self.reload(config, &interfaces)
    }

    /// Whether the attachment was confirmed.
    ///
    /// # Errors
    /// The kernel does not read the map.
    pub fn confirmation(&self) -> Result<Confirmation> {
        self.guard.confirmation()
    }

    /// The counters of the sensors, in the order of the configuration.
    ///
    /// # Errors
    /// The kernel does not hand out the maps.
    pub fn counters(&self) -> Result<Counters> {
        self.shared.counters(&self.sensors)
    }

    /// The records of the exported series.
    ///
    /// # Errors
    /// The kernel does not hand out the map.
    pub fn series(&self) -> Result<KernelSeries> {
        self.shared.series()
    }

    /// The sensors, in the order of the configuration.
    #[must_use]
    pub fn sensors(&self) -> &[NumberedSensor] {
        &self.sensors
    }

    /// What is attached.
    #[must_use]
    pub fn attachments(&self) -> Vec<Attachment> {
        let attachment = |Attached { interface, ingress, .. }: &Attached| Attachment {
            interface: interface.name.clone(),
            mode: ingress.mode,
            program: ingress.program,
        };
        self.attached.iter().map(attachment).collect()
    }

    /// Starts handing what the programs log to the agent's own log; `None` when logging is off.
    ///
    /// # Errors
    /// The ring buffer is not there.
    pub fn take_log(&mut self, level: KernelLog) -> Result<Option<EbpfLogger<RateLimited>>> {
        self.loaded.take_log(level)
    }

    /// Whether the programs stay when the agent ends.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.shared.pins().are_kept()
    }

    /// Detaches from every interface, and removes the pins.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach(&mut self) -> Result<()> {
        for attached in std::mem::take(&mut self.attached) {
            self.let_go(attached)?;
        }
        Ok(())
    }

    fn let_go(&self, attached: Attached) -> Result<()> {
        let Attached { interface, ingress, egress } = attached;
        let name = &interface.name;
        ingress.link.detach().with_context(|| format!("cannot detach from {name}"))?;
        match egress {
            Egress::Tcx(link) => {
                link.detach().with_context(|| format!("cannot detach from what {name} sends"))?;
            }
            Egress::Clsact => egress::detach(&interface)?,
        }
        self.unpin(&interface)?;
        tracing::info!("detached from {name}");
        Ok(())
    }

    fn unpin(&self, interface: &Interface) -> Result<()> {
        for direction in [Direction::Ingress, Direction::Egress] {
            let path = self.shared.pins().pinned_link(direction, interface.index);
            if path.exists() {
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Pins the links that are not pinned yet.
    fn pin(&self) -> Result<()> {
        if !self.is_kept() {
            return Ok(());
        }
        for Attached { interface, ingress, egress } in &self.attached {
            let mut links = vec![(Direction::Ingress, &ingress.link)];
            if let Egress::Tcx(link) = egress {
                links.push((Direction::Egress, link));
            }
            for (direction, link) in links {
                let path = self.shared.pins().link(direction, interface.index);
                let is_there =
                    Link::from_pin(&path).is_ok_and(|pinned| pinned.info().ok() == link.info().ok());
                if !is_there {
                    // What is there is a link that was detached.
                    drop(std::fs::remove_file(&path));
                    link.pin(&path).with_context(|| format!("cannot pin {}", path.display()))?;
                }
            }
        }
        Ok(())
    }
}

/// Whether the programs must look at the guard: a confirmation is asked for now, or was and is awaited still.
fn awaits_confirmation(options: &AttachOptions, shared: &Shared) -> Result<bool> {
    if options.confirm_within.is_some() {
        return Ok(true);
    }
    // Before the first load there is no guard.
    let Ok(guard) = shared.guard() else { return Ok(false) };
    match guard.confirmation()? {
        Confirmation::Awaited(left) => {
            tracing::warn!(
                "the attachment of an earlier agent is not confirmed yet, and undoes itself in {} s unless \
                 `sensor confirm` is run",
                left.as_secs()
            );
            Ok(true)
        }
        Confirmation::Given | Confirmation::Missed => Ok(false),
    }
}

/// Attaches to interfaces, or takes over what an earlier agent left pinned there. What the host sends is
/// remembered, and what it has begun before is known, before anything that comes in is dropped.
fn attach_or_take_over(
    loaded: &mut Loaded,
    shared: &Shared,
    interfaces: &[&Interface],
    config: &Config,
) -> Result<Vec<Attached>> {
    let mut egresses = Vec::new();
    for interface in interfaces {
        egresses.push(egress::attach(loaded, interface, pinned(shared, Direction::Egress, interface))?);
    }
    let seeded = shared.memory()?.seed().context("cannot learn of the conversations of this host")?;
    tracing::debug!("{seeded} conversations of this host were there before");
    let mut attached = Vec::new();
    for (&interface, egress) in interfaces.iter().zip(egresses) {
        match ingress(loaded, shared, interface, config.mode) {
            Ok(ingress) => attached.push(Attached { interface: interface.clone(), ingress, egress }),
            Err(error) => {
                // Links are detached by letting them go; a filter would stay.
                if matches!(egress, Egress::Clsact) && interface.xdp.is_none() {
                    egress::detach(interface)?;
                }
                return Err(error);
            }
        }
    }
    Ok(attached)
}

fn ingress(loaded: &mut Loaded, shared: &Shared, interface: &Interface, mode: Mode) -> Result<Ingress> {
    match pinned(shared, Direction::Ingress, interface) {
        Some(link) if runs_here(&link, interface) => {
            let (mode, program) = xdp::replace(loaded, interface, &link)?;
            tracing::info!("took over {} in {mode} mode, as an earlier agent left it", interface.name);
            Ok(Ingress { link, mode, program })
        }
        Some(_) => bail!(
            "the pins in {} belong to another network namespace: give this agent a --pins of its own",
            shared.pins().directory().display()
        ),
        None => xdp::attach(loaded, interface, mode),
    }
}

/// An interface's pinned link, unless it is detached.
fn pinned(shared: &Shared, direction: Direction, interface: &Interface) -> Option<Link> {
    let link = Link::from_pin(&shared.pins().pinned_link(direction, interface.index)).ok()?;
    is_attached(&link).then_some(link)
}

/// Whether the link's program is what this namespace's interface of that number runs.
fn runs_here(link: &Link, interface: &Interface) -> bool {
    let attached = interface.xdp.map(|xdp| xdp.program);
    link.info().is_ok_and(|info| Some(info.program) == attached)
}

/// Has the interfaces run other programs. On failure says at how many it has succeeded.
fn replace_all(
    attached: &mut [Attached],
    loaded: &mut Loaded,
    config: &Config,
) -> Result<(), (usize, anyhow::Error)> {
    for (replaced, attached) in attached.iter_mut().enumerate() {
        if let Err(error) = attached.replace(loaded, config) {
            return Err((replaced, error));
        }
    }
    Ok(())
}

impl Attached {
    fn is_to(&self, interface: &Interface) -> bool {
        self.interface.index == interface.index
    }

    /// Runs other programs. On failure those that count and drop stay.
    fn replace(&mut self, loaded: &mut Loaded, config: &Config) -> Result<()> {
        self.interface = Interface::named(&self.interface.name)?;
        let Self { interface, ingress, egress } = self;
        match egress {
            Egress::Tcx(link) if is_attached(link) => {
                link.update(loaded.egress()?.fd()?.as_fd())
                    .with_context(|| format!("cannot replace the egress program on {}", interface.name))?;
            }
            _ => *egress = egress::attach(loaded, interface, None)?,
        }
        if is_attached(&ingress.link) {
            (ingress.mode, ingress.program) = xdp::replace(loaded, interface, &ingress.link)?;
        } else {
            // Somebody detached it.
            *ingress = xdp::attach(loaded, interface, config.mode)?;
        }
        Ok(())
    }
}

fn is_attached(link: &Link) -> bool {
    link.info().is_ok_and(|info| info.interface != 0)
}
