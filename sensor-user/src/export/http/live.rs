//! What is new on a page, once a second, for all who listen: server-sent events (HTML Standard §9.2).
//!
//! It is made once for each page that is listened to, however many listen, and only while somebody does. Listeners have places
//! of their own, so that they keep no scraper out.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::Documents;
use crate::page::Asked;
use crate::view::Sight;

/// Those who listen, at most.
pub(super) const MOST_LISTENERS: usize = 64;
/// Different pages that are listened to, at most: each is made anew each second.
const MOST_PAGES: usize = 8;
/// How often something is new.
const EACH: Duration = Duration::from_secs(1);

/// A page as somebody may see it.
type Page = (Asked, Sight);

/// All who listen.
pub(super) struct Live {
    documents: Arc<dyn Documents>,
    places: Arc<Semaphore>,
    pages: Mutex<BTreeMap<Page, watch::Sender<Bytes>>>,
}

/// Why somebody may not listen, and what to do.
pub(super) const TOO_MANY: &str =
    "too many listen already: close another page, or reload this one to see what is new\n";

impl Live {
    pub(super) fn new(documents: Arc<dyn Documents>) -> Self {
        let places = Arc::new(Semaphore::new(MOST_LISTENERS));
        Self { documents, places, pages: Mutex::default() }
    }

    /// A place among those who listen to a page, for as long as it may still be seen so; `None` if there is none.
    pub(super) fn listen(
        self: &Arc<Self>,
        asked: Asked,
        sight: Sight,
        may_still: MayStill,
    ) -> Option<Listener> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut pages = self.lock();
        let page = (asked, sight);
        if let Some(news) = pages.get(&page) {
            return Some(Listener::new(news.subscribe(), place, may_still));
        }
        if pages.len() >= MOST_PAGES {
            return None;
        }
        let (news, listener) = watch::channel(Bytes::new());
        pages.insert(page.clone(), news.clone());
        drop(pages);
        tokio::spawn(tell(Arc::downgrade(self), page, news));
        Some(Listener::new(listener, place, may_still))
    }

    /// Whether somebody still listens to a page; if not, nobody is told of it any more.
    fn goes_on(&self, page: &Page, news: &watch::Sender<Bytes>) -> bool {
        // Nobody begins to listen meanwhile.
        let mut pages = self.lock();
        let goes_on = news.receiver_count() > 0;
        if !goes_on {
            pages.remove(page);
        }
        goes_on
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Page, watch::Sender<Bytes>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells what is new on a page as long as somebody listens.
async fn tell(live: Weak<Live>, page: Page, news: watch::Sender<Bytes>) {
    let mut seconds = interval(EACH);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Whoever listens has just got the page.
    seconds.tick().await;
    for number in 1_u64.. {
        seconds.tick().await;
        let Some(live) = live.upgrade() else { return };
        if !live.goes_on(&page, &news) {
            return;
        }
        let documents = Arc::clone(&live.documents);
        let (asked, sight) = page.clone();
        match spawn_blocking(move || documents.news(&asked, sight, number)).await {
            Ok(Ok(new)) => drop(news.send_replace(new)),
            // Whoever asks again is told what is wrong.
            _ => break,
        }
    }
    if let Some(live) = live.upgrade() {
        live.lock().remove(&page);
    }
}

type Next = Pin<Box<dyn Future<Output = (Option<Bytes>, watch::Receiver<Bytes>)> + Send>>;

/// Whether somebody may still see what he listens to: a reload may have changed that.
type MayStill = Box<dyn Fn() -> bool + Send>;

/// Somebody who listens.
pub(super) struct Listener {
    next: Next,
    may_still: MayStill,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    fn new(news: watch::Receiver<Bytes>, place: OwnedSemaphorePermit, may_still: MayStill) -> Self {
        Self { next: Box::pin(next(news)), may_still, _place: place }
    }

    /// What is new, once it is; `None` at the end. Whoever takes long gets the newest.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.next.as_mut().poll(context).map(|(new, news)| {
            self.next = Box::pin(next(news));
            new.filter(|_| (self.may_still)())
        })
    }
}

async fn next(mut news: watch::Receiver<Bytes>) -> (Option<Bytes>, watch::Receiver<Bytes>) {
    let new = news.changed().await.is_ok().then(|| news.borrow_and_update().clone());
    (new, news)
}
