//! Who is connected, and who has to make room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, Id};
use tokio::time::Instant;

/// When a connection has to be done with what it is doing. Every request moves it.
#[derive(Debug)]
pub(super) struct Deadline {
    at: watch::Sender<Instant>,
    listens: AtomicBool,
}

impl Deadline {
    pub(super) fn new(time: Duration) -> Self {
        Self { at: watch::Sender::new(Instant::now() + time), listens: AtomicBool::new(false) }
    }

    pub(super) fn extend(&self, time: Duration) {
        self.at.send_replace(Instant::now() + time);
    }

    pub(super) fn get(&self) -> Instant {
        *self.at.borrow()
    }

    /// Whether its connection has a place among those who listen from now on, and makes room for nobody else.
    pub(super) fn listens(&self, listens: bool) {
        self.listens.store(listens, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.get() <= Instant::now()
    }
}

/// The connections of the moment.
#[derive(Debug, Default)]
pub(super) struct Crowd(HashMap<Id, Member>);

#[derive(Debug)]
struct Member {
    peer: IpAddr,
    deadline: Arc<Deadline>,
    task: AbortHandle,
}

impl Crowd {
    pub(super) fn add(&mut self, peer: IpAddr, deadline: Arc<Deadline>, task: AbortHandle) {
        self.0.insert(task.id(), Member { peer, deadline, task });
    }

    pub(super) fn remove(&mut self, id: Id) {
        self.0.remove(&id);
    }

    /// Ends a connection if there are `most`, not counting those that listen; says whether it did.
    ///
    /// The peer with the most connections loses the one whose time is up first. So a flood from one address
    /// pushes out itself, and one from many pushes out those that have been silent for longest: a peer that
    /// asks at once is answered.
    pub(super) fn make_room(&mut self, most: usize) -> bool {
        let members = || self.0.iter().filter(|(_, member)| !member.deadline.listens.load(Ordering::Relaxed));
        if members().count() < most {
            return false;
        }
        let mut of_peer: HashMap<IpAddr, usize> = HashMap::new();
        for (_, member) in members() {
            *of_peer.entry(member.peer).or_default() += 1;
        }
        let last = members()
            .min_by_key(|(_, member)| (usize::MAX - of_peer[&member.peer], member.deadline.get()))
            .map(|(&id, _)| id);
        let Some(member) = last.and_then(|id| self.0.remove(&id)) else { return false };
        member.task.abort();
        true
    }
}
