//! A configured interface, and what holds the programs to it: a state that is looked at again and again, since
//! interfaces go, come back and change their names, and others may detach what is attached.

use std::path::Path;

use anyhow::{Context, Result};

use super::above::Others;
use super::egress::{self, Egress, Holder};
use super::standing::Standing;
use super::state::State;
use super::xdp::{self, Ingress, check_interface};
use crate::config::Mode;
use crate::kernel::host::Interface;
use crate::kernel::link::Link;
use crate::kernel::maps::{Direction, Shared};
use crate::kernel::program::Loaded;

/// A configured interface.
#[derive(Debug)]
pub struct Attachment {
    /// The interface's name, as it is configured.
    pub name: String,
    /// What was found last.
    pub state: State,
    /// The state that the log has.
    logged: State,
    /// Somebody looked at who would be cut off by attaching here.
    pub admitted: bool,
    interface: Option<Interface>,
    ingress: Option<Ingress>,
    egress: Option<Egress>,
}

/// What an interface lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Nothing can be done, or nothing needs to be.
    Nothing,
    /// The program that remembers what the host sends.
    Egress,
    /// Both programs.
    Both,
}

impl Attachment {
    /// An interface that nothing is attached to yet; `admitted` as the field.
    #[must_use]
    pub fn new(name: &str, admitted: bool) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Unknown,
            logged: State::Unknown,
            admitted,
            interface: None,
            ingress: None,
            egress: None,
        }
    }

    /// An interface that an earlier agent has attached to by this link.
    ///
    /// # Errors
    /// The kernel does not say what is attached there.
    pub(super) fn of_earlier_agent(interface: Interface, link: Link, shared: &Shared) -> Result<Self> {
        let ingress = Ingress::of_earlier_agent(link, &interface)?;
        let holder = pinned(shared, Direction::Egress, &interface).map_or(Holder::Clsact, Holder::Tcx);
        let mut attachment = Self::new(&interface.name, true);
        attachment.state = State::Attached(ingress.mode);
        attachment.ingress = Some(ingress);
        attachment.egress = Some(Egress { holder, program: 0 });
        attachment.interface = Some(interface);
        Ok(attachment)
    }

    /// The XDP program's number and the egress program's, while they are thought to be attached.
    #[must_use]
    pub fn programs(&self) -> (Option<u32>, Option<u32>) {
        (self.ingress.as_ref().map(|it| it.program), self.egress.as_ref().map(|it| it.program))
    }

    /// Whether the XDP program is thought to be attached.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.ingress.is_some()
    }

    /// The name that the interface has now, if the kernel says that the XDP program is attached to it.
    #[must_use]
    pub fn attached_now(&self) -> Option<String> {
        let index = self.ingress.as_ref()?.link.info().ok()?.interface;
        Some(Interface::of_number(index).ok()??.name)
    }

    /// Whether an earlier agent's XDP program is attached, and pinned.
    #[must_use]
    pub fn is_pinned(&self, shared: &Shared) -> bool {
        let interface = self.interface.as_ref();
        interface.is_some_and(|interface| pinned(shared, Direction::Ingress, interface).is_some())
    }

    /// Whether it is attached to the interface of this number.
    #[must_use]
    pub fn is_to(&self, index: u32) -> bool {
        self.attached_to() == Some(index)
    }

    /// The number of the interface that it is attached to, if it is.
    #[must_use]
    pub fn attached_to(&self) -> Option<u32> {
        self.interface.as_ref().filter(|_| self.is_held()).map(|interface| interface.index)
    }

    /// Looks at what the kernel has, lets go of what is not there any more, and says what is lacking.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn look(&mut self, shared: &Shared) -> Result<Lack> {
        if self.state == State::Detached {
            return Ok(Lack::Nothing);
        }
        let now = Interface::find(&self.name)?;
        if self.ingress.as_ref().is_some_and(|ingress| !is_attached(&ingress.link)) {
            let gone = Interface::of_number(self.index())?.is_none();
            tracing::warn!(
                "the program is no longer attached to {}: {}",
                self.name,
                if gone { "the interface is gone" } else { "something has detached it" }
            );
            self.ingress = None;
            if gone {
                self.egress = None;
            }
            shared.pins().remove_links(self.index())?;
        }
        let Some(now) = now else {
            let renamed = if self.is_held() { Interface::of_number(self.index())? } else { None };
            self.state = renamed.map_or(State::Missing, |interface| State::Renamed(interface.name));
            return Ok(Lack::Nothing);
        };
        if self.is_held() && now.index != self.index() {
            // Another interface has the name now.
            self.let_go(shared)?;
        }
        self.interface = Some(now);
        let Some(Ingress { mode, .. }) = self.ingress else { return Ok(Lack::Both) };
        let egress = self.egress.as_ref().map(|egress| egress.program);
        let interface = self.interface.as_ref().context("it was just set")?;
        let sees_egress = match egress {
            Some(program) => egress::is_attached(program, interface)?,
            None => false,
        };
        if sees_egress {
            self.state = State::Attached(mode);
            return Ok(Lack::Nothing);
        }
        if egress.is_some() {
            tracing::warn!(
                "the program that sees what {} sends is gone: something has detached it",
                self.name
            );
            self.egress = None;
        }
        Ok(Lack::Egress)
    }

    /// Takes over what `other` keeps attached, if that is an interface which has this one's name now. `other` has none
    /// then.
    pub(super) fn take_over(&mut self, other: &mut Self) -> bool {
        let is_renamed = matches!(&other.state, State::Renamed(name) if *name == self.name);
        if !is_renamed || self.is_held() || self.index() != other.index() {
            return false;
        }
        self.ingress = other.ingress.take();
        self.egress = other.egress.take();
        self.admitted = true;
        other.interface = None;
        other.state = State::Missing;
        true
    }

    /// Attaches the program that remembers what the host sends, or takes over an earlier agent's.
    ///
    /// # Errors
    /// The kernel refuses, or the interface is not one to attach to.
    pub fn attach_egress(&mut self, loaded: &mut Loaded, shared: &Shared) -> Result<()> {
        let interface = self.interface()?;
        check_interface(interface)?;
        let is_there = match &self.egress {
            Some(egress) => egress::is_attached(egress.program, interface)?,
            None => false,
        };
        if !is_there {
            let earlier = pinned(shared, Direction::Egress, interface);
            self.egress = Some(egress::attach(loaded, interface, earlier)?);
        }
        if let Some(Ingress { mode, .. }) = self.ingress {
            tracing::info!("attached to what {} sends again", self.name);
            self.state = State::Attached(mode);
        }
        Ok(())
    }

    /// Attaches the XDP program, or takes over an earlier agent's.
    ///
    /// # Errors
    /// The kernel refuses, or another program is in the way. What was attached on the way out for this is not any
    /// more then.
    pub(super) fn attach_ingress(
        &mut self,
        loaded: &mut Loaded,
        shared: &Shared,
        mode: Mode,
        others: &mut Others<'_>,
    ) -> Result<()> {
        match self.try_attach_ingress(loaded, shared, mode, others) {
            Ok(ingress) => {
                self.state = State::Attached(ingress.mode);
                self.ingress = Some(ingress);
                Ok(())
            }
            Err(error) => {
                self.give_up()?;
                Err(error)
            }
        }
    }

    /// Lets go of what was attached on the way out for an XDP program that cannot be attached.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn give_up(&mut self) -> Result<()> {
        // Links are detached by letting them go; a filter would stay.
        let filter = self.egress.take().filter(|egress| matches!(egress.holder, Holder::Clsact));
        match &self.interface {
            Some(interface) if filter.is_some() && interface.xdp.is_none() => egress::detach(interface),
            _ => Ok(()),
        }
    }

    fn try_attach_ingress(
        &self,
        loaded: &mut Loaded,
        shared: &Shared,
        mode: Mode,
        others: &mut Others<'_>,
    ) -> Result<Ingress> {
        let interface = self.interface()?;
        let pin_path = shared.pins().pinned_link(Direction::Ingress, interface.index);
        match Standing::with(Some(&pin_path), interface) {
            Standing::Earlier(link) => {
                let mut ingress = Ingress::of_earlier_agent(link, interface)?;
                let replaced = ingress.replace(loaded, interface, mode);
                // Where the mode was to change, it is another link that keeps the program now.
                pin(&ingress.link, &pin_path)?;
                replaced?;
                tracing::info!(
                    "took over {} in {} mode, as an earlier agent left it",
                    self.name,
                    ingress.mode
                );
                Ok(ingress)
            }
            Standing::Taken(error) => Err(error),
            Standing::Free | Standing::Hidden(_) => xdp::attach(loaded, interface, mode, others),
        }
    }

    /// Runs other programs.
    ///
    /// # Errors
    /// The kernel refuses; those that count and drop stay.
    pub fn replace(&mut self, loaded: &mut Loaded, mode: Mode) -> Result<()> {
        let index = self.index();
        let interface =
            Interface::of_number(index)?.with_context(|| format!("interface {} is gone", self.name))?;
        match &mut self.egress {
            Some(egress) => egress.replace(loaded, &interface)?,
            None => self.egress = Some(egress::attach(loaded, &interface, None)?),
        }
        if let Some(ingress) = &mut self.ingress {
            ingress.replace(loaded, &interface, mode)?;
            self.state = match self.state {
                State::Attached(_) => State::Attached(ingress.mode),
                ref other => other.clone(),
            };
        }
        self.interface = Some(interface);
        Ok(())
    }

    /// Logs the state if it is another than the log has.
    pub fn log(&mut self) {
        if self.logged != self.state {
            self.state.log(&self.name, self.is_held());
            self.logged = self.state.clone();
        }
    }

    /// Why the programs are not attached; `None` if they are.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.state.trouble(&self.name)
    }

    /// Detaches the XDP program for one below that is to be attached; all else stays.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn vacate(&mut self) -> Result<()> {
        if let Some(ingress) = &self.ingress {
            ingress.link.detach()?;
            self.ingress = None;
            self.state = State::Unknown;
        }
        Ok(())
    }

    /// Detaches both programs and removes the pins.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn let_go(&mut self, shared: &Shared) -> Result<()> {
        let now = Interface::of_number(self.index())?;
        // What it is called by now.
        let name = now.as_ref().map_or(&self.name, |interface| &interface.name).clone();
        if let Some(ingress) = self.ingress.take() {
            ingress.link.detach().with_context(|| format!("cannot detach from {name}"))?;
            tracing::info!("detached from {name}");
        }
        match (self.egress.take().map(|egress| egress.holder), &now) {
            (Some(Holder::Tcx(link)), _) => {
                link.detach().with_context(|| format!("cannot detach from what {name} sends"))?;
            }
            (Some(Holder::Clsact), Some(interface)) => egress::detach(interface)?,
            _ => {}
        }
        shared.pins().remove_links(self.index())
    }

    /// Pins the links that are not pinned yet.
    ///
    /// # Errors
    /// They cannot be pinned.
    pub fn pin(&self, shared: &Shared) -> Result<()> {
        if !shared.pins().are_kept() {
            return Ok(());
        }
        if let Some(ingress) = &self.ingress {
            pin(&ingress.link, &shared.pins().link(Direction::Ingress, self.index()))?;
        }
        if let Some(Egress { holder: Holder::Tcx(link), .. }) = &self.egress {
            pin(link, &shared.pins().link(Direction::Egress, self.index()))?;
        }
        Ok(())
    }

    /// The interface, as it was when it was last looked at.
    ///
    /// # Errors
    /// It has not been there yet.
    pub fn interface(&self) -> Result<&Interface> {
        self.interface.as_ref().with_context(|| format!("there is no interface {}", self.name))
    }

    /// The number of the interface that was last looked at; that of none before.
    fn index(&self) -> u32 {
        self.interface.as_ref().map_or(0, |interface| interface.index)
    }
}

/// Pins a link in place of a detached one.
fn pin(link: &Link, path: &Path) -> Result<()> {
    let is_there = Link::from_pin(path).is_ok_and(|pinned| pinned.info().ok() == link.info().ok());
    if !is_there {
        drop(std::fs::remove_file(path));
        link.pin(path).with_context(|| format!("cannot pin {}", path.display()))?;
    }
    Ok(())
}

/// An interface's pinned link, unless it is detached.
pub fn pinned(shared: &Shared, direction: Direction, interface: &Interface) -> Option<Link> {
    let link = Link::from_pin(&shared.pins().pinned_link(direction, interface.index)).ok()?;
    is_attached(&link).then_some(link)
}

/// Whether the link's program is what this namespace's interface of that number runs.
pub fn runs_here(link: &Link, interface: &Interface) -> bool {
    let attached = interface.xdp.map(|xdp| xdp.program);
    link.info().is_ok_and(|info| Some(info.program) == attached)
}

fn is_attached(link: &Link) -> bool {
    link.info().is_ok_and(|info| info.interface != 0)
}
