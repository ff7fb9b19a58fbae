//! The sensor as it is in the kernel: programs, the maps they share, and the interfaces they are attached to.
//!
//! Starting takes over whatever an earlier agent left pinned. Reloading loads the new programs beside the old
//! ones and then swaps them, so that a packet sees either all of the old rules or all of the new ones; whatever
//! goes wrong before the last swap, the old ones stay. In between, what is configured is compared with what the
//! kernel says, as often as somebody has a reason to, and what differs is mended.

use anyhow::{Result, anyhow, bail};
use aya_log::EbpfLogger;

use super::above::is_among;
use super::attachment::{Attachment, pinned, runs_here};
use super::options::AttachOptions;
use super::reconcile::{
    Admit, Plan, attachments, bring_about, leave_detached, rename, replace_all, was_admitted,
};
use super::state::State;
use super::watch::Watch;
use crate::config::{Config, KernelLog, Members, Mode, NumberedConstituency, NumberedSensor};
use crate::kernel::host::Interface;
use crate::kernel::maps::{
    Confirmation, Counters, Direction, Earlier, Guard, KernelSeries, Ledger, Pins, Ring, Shared,
    detach_command, rules,
};
use crate::kernel::program::{Loaded, Options, RateLimited};

/// Programs and the interfaces they are attached to. Dropping it detaches them, unless they are pinned.
pub struct Deployment {
    // Before what they attach: a link that is let go detaches.
    attachments: Vec<Attachment>,
    loaded: Loaded,
    shared: Shared,
    sensors: Vec<NumberedSensor>,
    constituencies: Vec<NumberedConstituency>,
    guard: Guard,
    mode: Mode,
}

/// The rules that an earlier agent's programs enforce now, and confirmed, on all of these interfaces; `None` if on one
/// they do not, or if that is not known.
#[must_use]
pub fn rules_in_effect(options: &AttachOptions, interfaces: &[Interface]) -> Option<String> {
    let earlier = Earlier::below(&options.pins);
    let is_attached = |interface: &Interface| {
        let link = earlier.link(Direction::Ingress, interface.index);
        link.is_some_and(|link| runs_here(&link, interface))
    };
    let all = !options.detach_on_exit && interfaces.iter().all(is_attached) && earlier.is_confirmed();
    all.then(|| rules::read(earlier.directory())).flatten()
}

impl Deployment {
    /// Loads the programs, with the counters that an earlier agent left, if one did. Nothing is attached yet.
    ///
    /// # Errors
    /// Another agent is at it, or the kernel refuses the programs.
    pub fn load(config: &Config, constituencies: Vec<Members>, options: &AttachOptions) -> Result<Self> {
        let pins =
            if options.detach_on_exit { Pins::passing(&options.pins) } else { Pins::keep(&options.pins) }?;
        let mut shared = Shared::open(pins)?;
        let sensors = shared.assign(&config.sensors, &[])?;
        let constituencies = shared.number(constituencies)?;
        let awaited = awaits_confirmation(options, &shared)?;
        let options = Options {
            config,
            sensors: &sensors,
            constituencies: &constituencies,
            guarded: awaited,
            tools: true,
        };
        let loaded = Loaded::new(&options, &mut shared)?;
        let guard = shared.guard()?;
        let mode = config.mode;
        Ok(Self { attachments: Vec::new(), loaded, shared, sensors, constituencies, guard, mode })
    }

    /// Attaches the programs to every interface, or replaces those that an earlier agent left there. `admitted` are
    /// the interfaces that were looked at already; one that cannot be attached to now is tried again later.
    ///
    /// # Errors
    /// There is none that can be attached to. What was not attached before is not attached then.
    pub fn attach(&mut self, config: &Config, options: &AttachOptions, admitted: &[Interface]) -> Result<()> {
        // What an earlier agent attached still runs, and looks at the guard until it is replaced: one that has
        // undone itself must not come back to life before that.
        let before = self.guard.confirmation()?;
        match (options.confirm_within, before) {
            (Some(within), Confirmation::Given) => self.guard.arm(within)?,
            // Starting again is no reason to wait any longer.
            (Some(within), Confirmation::Awaited(left)) => self.guard.arm(within.min(left))?,
            _ => {}
        }
        self.attachments = attachments(config.interfaces.iter(), admitted);
        let mut leaving = self.left_behind(&config.interfaces)?;
        self.bring_about(&mut leaving, None);
        if !self.attachments.iter().any(Attachment::is_held) {
            let trouble = self.attachments.iter().find_map(Attachment::trouble);
            leaving.retain(|attachment| !attachment.is_held());
            if !leaving.is_empty() {
                // What made way for one below it that cannot be attached to. The mode may be one that it has not.
                self.attachments = leaving;
                self.mode = Mode::Auto;
                self.bring_about(&mut [], None);
                self.pin()?;
            }
            bail!("{}", trouble.unwrap_or_else(|| "there is nothing to attach to".to_owned()));
        }
        if before == Confirmation::Missed {
            match options.confirm_within {
                Some(within) => self.guard.arm(within)?,
                None => self.guard.confirm()?,
            }
        }
        for mut attachment in leaving {
            attachment.let_go(&self.shared)?;
        }
        self.attachments.iter_mut().for_each(Attachment::log);
        self.pin()?;
        self.keep_rules(config);
        self.retire_older()
    }

    /// Keeps what is pinned: until then, nothing stays that this deployment was the first to pin.
    pub fn settle(&mut self) {
        self.shared.settle();
    }

    /// For the agent that takes this over. Without, it is only more careful than it need be.
    fn keep_rules(&self, config: &Config) {
        if let Err(error) = rules::write(self.shared.pins(), &config.rules()) {
            tracing::warn!("{error:#}");
        }
    }

    /// Brings what is attached in line with what is configured. `admit` is asked about interfaces that were not
    /// there yet. `told`: `sensor detach` can tell this agent what it does.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn reconcile(&mut self, admit: Admit<'_>, told: bool) -> Result<()> {
        // Nobody has confirmed: whoever waits for that is about to detach all of it.
        if self.guard.confirmation()? == Confirmation::Missed {
            return Ok(());
        }
        if !told {
            leave_detached(&mut self.attachments, &self.shared)?;
        }
        self.bring_about(&mut [], Some(admit));
        self.attachments.iter_mut().for_each(Attachment::log);
        self.pin()?;
        self.retire_older()
    }

    /// Lets go of what an older build has left, once none of its programs counts any more.
    fn retire_older(&self) -> Result<()> {
        let counts_there = |it: &Attachment| !it.is_held() && it.is_pinned(&self.shared);
        if self.attachments.iter().any(counts_there) {
            return Ok(());
        }
        self.shared.pins().retire_older()
    }

    /// Detaches from the interface of this number since a person says so: it stays detached until a reload.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach_one(&mut self, index: u32) -> Result<()> {
        let name = Interface::of_number(index)?.map(|interface| interface.name);
        for attachment in &mut self.attachments {
            if attachment.is_to(index) || Some(&attachment.name) == name.as_ref() {
                // Whatever fails is what `sensor detach` does next.
                attachment.state = State::Detached;
                attachment.log();
                attachment.let_go(&self.shared)?;
            }
        }
        Ok(())
    }

    /// Interfaces of this network namespace that an earlier agent was attached to and that are not configured any
    /// more.
    fn left_behind(&self, configured: &[String]) -> Result<Vec<Attachment>> {
        let mut left = Vec::new();
        for interface in Interface::all()? {
            let Some(link) = pinned(&self.shared, Direction::Ingress, &interface) else { continue };
            if runs_here(&link, &interface) && !is_among(&interface, configured)? {
                left.push(Attachment::of_earlier_agent(interface, link, &self.shared)?);
            }
        }
        Ok(left)
    }

    /// Attaches what is configured and not attached; `leaving` is what is not configured any more.
    fn bring_about(&mut self, leaving: &mut [Attachment], admit: Option<Admit<'_>>) {
        let plan = Plan { mode: self.mode, staying: Vec::new(), leaving, admit };
        bring_about(&mut self.attachments, &mut self.loaded, &self.shared, plan);
    }

    /// Whether everything that is there is attached.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.attachments.iter().all(|it| matches!(it.state, State::Attached(_) | State::Missing))
    }

    /// Applies a changed configuration. `admitted` are the interfaces that were looked at.
    ///
    /// # Errors
    /// Anything that stands in the way of the rules, or of an interface that was not configured before; everything
    /// is as before then.
    pub fn reload(
        &mut self,
        config: &Config,
        constituencies: Vec<Members>,
        admitted: &[Interface],
    ) -> Result<()> {
        let sensors = self.shared.assign(&config.sensors, &self.sensors)?;
        let constituencies = self.shared.number(constituencies)?;
        let awaited = match self.guard.confirmation()? {
            Confirmation::Given => false,
            Confirmation::Awaited(_) => true,
            Confirmation::Missed => {
                bail!("nobody has confirmed in time: the sensor is about to detach itself")
            }
        };
        let options = Options {
            config,
            sensors: &sensors,
            constituencies: &constituencies,
            guarded: awaited,
            tools: true,
        };
        let mut loaded = Loaded::new(&options, &mut self.shared)?;
        let renamed = rename(&mut self.attachments, &self.shared, &config.interfaces);
        let is_new = |name: &&String| !self.attachments.iter().any(|attachment| attachment.name == **name);
        // Until they are pinned, or kept here, they are detached by letting them go.
        let mut fresh = attachments(config.interfaces.iter().filter(is_new), admitted);
        let (mut stay, mut go): (Vec<_>, Vec<_>) = std::mem::take(&mut self.attachments)
            .into_iter()
            .partition(|attachment| config.interfaces.contains(&attachment.name));
        let staying = stay.iter().filter_map(Attachment::attached_to).collect();
        let plan = Plan { mode: config.mode, staying, leaving: &mut go, admit: None };
        bring_about(&mut fresh, &mut loaded, &self.shared, plan);
        // What was configured before may be missing still.
        let was_there = |it: &&Attachment| renamed.iter().any(|(_, before)| *before == it.name);
        let mut troubles = fresh.iter().filter(|it| !was_there(it)).filter_map(Attachment::trouble);
        let mut refused = troubles.next().map(|trouble| anyhow!(trouble));
        if refused.is_none()
            && let Err((replaced, error)) = replace_all(&mut stay, &mut loaded, &self.shared, config.mode)
        {
            // The old programs ran there a moment ago. Should one be refused now, the new one runs on, with the
            // same counters.
            drop(replace_all(&mut stay[..=replaced], &mut self.loaded, &self.shared, self.mode));
            refused = Some(error);
        }
        if let Some(error) = refused {
            stay.extend(go);
            self.attachments = stay;
            for attachment in &mut self.attachments {
                if let Some((_, before)) = renamed.iter().find(|(now, _)| *now == attachment.name) {
                    attachment.name.clone_from(before);
                }
            }
            for attachment in &mut fresh {
                attachment.let_go(&self.shared)?;
            }
            // What was to leave, and made way for one below it.
            self.bring_about(&mut [], None);
            self.pin()?;
            return Err(error);
        }
        self.attachments = stay;
        self.attachments.extend(fresh);
        self.loaded = loaded;
        self.sensors = sensors;
        self.constituencies = constituencies;
        self.mode = config.mode;
        for mut gone in go {
            let name = gone.name.clone();
            if let Err(error) = gone.let_go(&self.shared) {
                let command = detach_command(&[&name], self.shared.pins().root());
                tracing::warn!("{error:#}: {command} tries again");
            }
        }
        for attachment in &mut self.attachments {
            attachment.admitted |= was_admitted(&attachment.name, admitted);
            if attachment.state == State::Detached {
                attachment.state = State::Unknown;
            }
        }
        self.bring_about(&mut [], None);
        self.attachments.iter_mut().for_each(Attachment::log);
        self.pin()?;
        self.keep_rules(config);
        Ok(())
    }

    /// Loads the same configuration without the guard, once a confirmation was given.
    ///
    /// # Errors
    /// As [`Deployment::reload`].
    pub fn unguard(&mut self, config: &Config) -> Result<()> {
        let constituencies = self.constituencies.iter().map(|it| it.members.clone()).collect();
        self.reload(config, constituencies, &[])
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

    /// What is handed over as evidence; `None` if nothing is.
    ///
    /// # Errors
    /// The kernel does not hand out the maps.
    pub fn ring(&self) -> Result<Option<Ring>> {
        self.shared.ring()
    }

    /// What became of it.
    ///
    /// # Errors
    /// The kernel does not hand out the maps.
    pub fn ledger(&self) -> Result<Ledger> {
        self.shared.ledger()
    }

    /// Does without the ring buffer of evidence, once nobody reads it any more.
    pub fn drop_ring(&mut self) {
        self.shared.drop_ring();
    }

    /// The constituencies, in the order of the configuration.
    #[must_use]
    pub fn constituencies(&self) -> &[NumberedConstituency] {
        &self.constituencies
    }

    /// The sensors, in the order of the configuration.
    #[must_use]
    pub fn sensors(&self) -> &[NumberedSensor] {
        &self.sensors
    }

    /// What should be attached, an entry for each configured interface.
    #[must_use]
    pub fn watches(&self) -> Vec<Watch> {
        let watch = |attachment: &Attachment| {
            let (ingress, egress) = attachment.programs();
            Watch { interface: attachment.name.clone(), ingress, egress, trouble: attachment.trouble() }
        };
        self.attachments.iter().map(watch).collect()
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

    /// The interfaces, by the names that they have now, that the kernel says the XDP program is attached to.
    #[must_use]
    pub fn attached_now(&self) -> Vec<String> {
        self.attachments.iter().filter_map(Attachment::attached_now).collect()
    }

    /// Whether the pins are of no use to anybody else: on a mount that only this process sees. `None` if that cannot be
    /// known.
    #[must_use]
    pub fn ends_with_this_process(&self) -> Option<bool> {
        self.shared.pins().are_private()
    }

    /// Detaches from every interface, and removes the pins.
    ///
    /// # Errors
    /// The kernel refuses; the others are detached from all the same.
    pub fn detach(&mut self) -> Result<()> {
        let mut result = Ok(());
        for mut attachment in std::mem::take(&mut self.attachments) {
            result = result.and(attachment.let_go(&self.shared));
        }
        result
    }

    /// Pins the links that are not pinned yet.
    fn pin(&self) -> Result<()> {
        self.attachments.iter().try_for_each(|attachment| attachment.pin(&self.shared))
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
