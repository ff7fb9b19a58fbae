//! Brings what is attached to interfaces in line with what is configured.

use std::collections::HashMap;

use anyhow::{Context as _, Result, anyhow, bail};

use super::above::Others;
use super::attachment::{Attachment, Lack};
use super::state::State;
use crate::config::Mode;
use crate::kernel::host::{Interface, stacked};
use crate::kernel::maps::Shared;
use crate::kernel::program::Loaded;
use crate::obstacle::{WrongUse, in_words};

/// How what is attached comes to be what is configured.
pub(super) struct Plan<'a> {
    /// Where in the kernel to attach.
    pub mode: Mode,
    /// Interfaces that have the program and keep it, beside those that are gone through.
    pub staying: Vec<u32>,
    /// Interfaces that are not configured any more and have the program: it goes once it is in the way.
    pub leaving: &'a mut [Attachment],
    /// Asked about interfaces that nobody has looked at; without, they wait until they are looked at.
    pub admit: Option<Admit<'a>>,
}

/// Whether the agent may attach to an interface that nobody has looked at yet: who that would cut off.
pub type Admit<'a> = &'a dyn Fn(&Interface) -> Result<()>;

/// Interfaces by their names, nothing attached to them yet.
pub(super) fn attachments<'a>(
    names: impl Iterator<Item = &'a String>,
    admitted: &[Interface],
) -> Vec<Attachment> {
    names.map(|name| Attachment::new(name, was_admitted(name, admitted))).collect()
}

/// Whether an interface was looked at: by its number, as the configuration may have another of its names.
pub(super) fn was_admitted(name: &str, admitted: &[Interface]) -> bool {
    let found = Interface::find(name).ok().flatten();
    found.is_some_and(|found| admitted.iter().any(|interface| interface.index == found.index))
}

/// Attaches what is not attached, to the interfaces that are there. What the host sends is remembered, and what it
/// has begun before is known, before anything that comes in is dropped.
pub(super) fn bring_about(
    attachments: &mut [Attachment],
    loaded: &mut Loaded,
    shared: &Shared,
    plan: Plan<'_>,
) {
    let Plan { mode, mut staying, leaving, admit } = plan;
    let mut lacking = Vec::new();
    let mut looked: Vec<_> = attachments.iter_mut().map(|attachment| attachment.look(shared)).collect();
    // After all were looked at: two interfaces may have exchanged their names.
    for place in exchanged(attachments) {
        looked[place] = attachments[place].look(shared);
    }
    let mut names: HashMap<_, _> =
        attachments.iter().filter_map(|it| Some((it.attached_to()?, it.name.clone()))).collect();
    for (attachment, lack) in attachments.iter_mut().zip(looked) {
        let prepared = lack.and_then(|lack| {
            if lack == Lack::Both {
                let name =
                    names.entry(attachment.interface()?.index).or_insert_with(|| attachment.name.clone());
                if *name != attachment.name {
                    // Names may have changed since they were looked at: the kernel tells of that, and it is gone
                    // through again.
                    return if are_one(name, &attachment.name, Interface::find)? {
                        Err(named_twice(name, &attachment.name))
                    } else {
                        Ok(Lack::Nothing)
                    };
                }
            }
            if lack == Lack::Both && !attachment.admitted {
                let Some(admit) = admit else { return Ok(Lack::Nothing) };
                admit(attachment.interface()?)?;
                attachment.admitted = true;
            }
            if lack != Lack::Nothing {
                attachment.attach_egress(loaded, shared)?;
            }
            Ok(lack)
        });
        match prepared {
            Ok(Lack::Both) => lacking.push(attachment),
            Ok(_) => {}
            Err(error) => attachment.state = State::Obstacle(in_words(&error)),
        }
    }
    if lacking.is_empty() {
        return;
    }
    let seeded = shared.memory().and_then(|mut memory| memory.seed());
    let seeded = seeded.context("cannot learn of the conversations of this host");
    if let Ok(seeded) = &seeded {
        tracing::debug!("{seeded} conversations of this host were there before");
    }
    staying.extend(names.keys());
    lowest_first(&mut lacking);
    let mut others = Others { staying: &staying, leaving };
    for attachment in lacking {
        let attached = match &seeded {
            Ok(_) => attachment.attach_ingress(loaded, shared, mode, &mut others),
            Err(error) => attachment.give_up().and_then(|()| bail!("{error:#}")),
        };
        if let Err(error) = attached {
            attachment.state = State::Obstacle(in_words(&error));
        }
    }
}

/// Takes what something has detached for detached by a person: an agent that `sensor detach` cannot tell must not
/// undo what that does.
pub(super) fn leave_detached(attachments: &mut [Attachment], shared: &Shared) -> Result<()> {
    for attachment in attachments {
        let Some(index) = attachment.attached_to() else { continue };
        // One that is gone comes back by itself.
        if attachment.attached_now().is_some() || Interface::of_number(index)?.is_none() {
            continue;
        }
        tracing::warn!(
            "something has detached the program from {}: no command can ask this agent, so it is taken for \
             `sensor detach`",
            attachment.name
        );
        attachment.state = State::Detached;
        attachment.log();
        attachment.let_go(shared)?;
    }
    Ok(())
}

/// Puts what stands on others behind those: the kernel takes no program below one.
fn lowest_first(attachments: &mut [&mut Attachment]) {
    let index = |attachment: &Attachment| attachment.interface().map_or(0, |interface| interface.index);
    let indices: Vec<_> = attachments.iter().map(|attachment| index(attachment)).collect();
    // Who cannot be told stays where it is.
    let pairs = stacked(&indices).unwrap_or_default();
    let mut heights: HashMap<u32, usize> = HashMap::new();
    for _ in &indices {
        for (lower, upper) in &pairs {
            let height = heights.get(lower).map_or(1, |height| height + 1);
            heights.insert(*upper, height);
        }
    }
    attachments.sort_by_key(|attachment| heights.get(&index(attachment)).copied().unwrap_or_default());
}

/// Refuses interfaces that are one, by its name and another that it has (`ip link property add dev eth0 altname …`).
///
/// # Errors
/// Two of the names are one interface's, or the kernel does not answer.
pub fn check_named_once(names: &[String]) -> Result<()> {
    let mut first = HashMap::new();
    for name in names {
        let Some(interface) = Interface::find(name)? else { continue };
        if let Some(first) = first.insert(interface.index, name)
            && are_one(first, name, Interface::find)?
        {
            return Err(named_twice(first, name));
        }
    }
    Ok(())
}

/// Whether two names are one interface's, looked at again: an interface may have had first the one, then the other.
fn are_one(name: &str, other: &str, mut find: impl FnMut(&str) -> Result<Option<Interface>>) -> Result<bool> {
    let mut index = |name| Ok::<_, anyhow::Error>(find(name)?.map(|interface| interface.index));
    // The first one again, in case that it has become the other's meanwhile.
    let looked = [index(name)?, index(other)?, index(name)?];
    Ok(looked[0].is_some() && looked.iter().all(|index| *index == looked[0]))
}

/// Has each interface that is there keep what another name's had attached to it, before it was called so. Gives the
/// places of those.
fn exchanged(attachments: &mut [Attachment]) -> Vec<usize> {
    let mut places = Vec::new();
    for place in 0..attachments.len() {
        let (before, rest) = attachments.split_at_mut(place);
        let Some((attachment, after)) = rest.split_first_mut() else { continue };
        if before.iter_mut().chain(after).any(|other| attachment.take_over(other)) {
            places.push(place);
        }
    }
    places
}

/// Has what is called otherwise by now, and configured so, go by that name. Gives the names: now, and before.
pub(super) fn rename(
    attachments: &mut [Attachment],
    shared: &Shared,
    configured: &[String],
) -> Vec<(String, String)> {
    for attachment in attachments.iter_mut() {
        // What cannot be looked at now is looked at again, and then that counts.
        drop(attachment.look(shared));
    }
    exchanged(attachments);
    let mut renamed = Vec::new();
    for place in 0..attachments.len() {
        let State::Renamed(name) = &attachments[place].state else { continue };
        let name = name.clone();
        if configured.contains(&name) && attachments.iter().all(|attachment| attachment.name != name) {
            let before = std::mem::replace(&mut attachments[place].name, name.clone());
            renamed.push((name, before));
        }
    }
    renamed
}

fn named_twice(name: &str, other: &str) -> anyhow::Error {
    anyhow!(WrongUse(format!("{name} and {other} are one interface: leave one of the two names out")))
}

/// Has the interfaces run other programs. On failure says which was the first where that failed.
pub(super) fn replace_all(
    attachments: &mut [Attachment],
    loaded: &mut Loaded,
    shared: &Shared,
    mode: Mode,
) -> Result<(), (usize, anyhow::Error)> {
    for (place, attachment) in attachments.iter_mut().enumerate() {
        // What was detached meanwhile is attached anew, and not here.
        let replaced = attachment
            .look(shared)
            .and_then(|_| if attachment.is_held() { attachment.replace(loaded, mode) } else { Ok(()) });
        replaced.map_err(|error| (place, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::kernel::host::Framing;

    /// What the kernel says, one time after another, of eth0 and of eth1.
    #[rstest]
    #[case::one(&[Some(1), Some(1), Some(1)], true)]
    #[case::two(&[Some(1), Some(2), Some(1)], false)]
    #[case::renamed_meanwhile(&[Some(1), Some(1), None], false)]
    #[case::exchanged_meanwhile(&[Some(1), Some(1), Some(2)], false)]
    #[case::none(&[None, None, None], false)]
    fn an_interface_that_changes_its_name_is_not_two(#[case] found: &[Option<u32>], #[case] one: bool) {
        let mut found = found.iter();
        let find = |name: &str| {
            let index = *found.next().expect("it is asked three times");
            let interface = |index| Interface {
                name: name.to_owned(),
                index,
                mtu: 1_500,
                up: true,
                framing: Framing::Ethernet,
                xdp: None,
            };
            Ok(index.map(interface))
        };
        assert_eq!(are_one("eth0", "eth1", find).unwrap(), one);
    }
}
