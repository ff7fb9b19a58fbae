//! `sensor run`: attach, drain, serve, reload; and leave the host counting, or as it was found.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::agent::Agent;
use crate::conditions::Conditions;
use crate::config::{Config, Input};
use crate::confine::Confinement;
use crate::export::http;
use crate::kernel::{AttachOptions, Confirmation, LinkEvents};
use crate::manager::ServiceManager;
use crate::memory;
use crate::obstacle::in_words;
use crate::repeated::Repeated;
use crate::socket::{Change, Listener};

/// How long a wait for a confirmation lasts between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// How long threads that may block have to end.
const END: Duration = Duration::from_secs(1);

/// How long after a change of an interface one looks at it.
const SETTLE: Duration = Duration::from_millis(50);

/// Runs the agent until SIGINT or SIGTERM. `input` is what the configuration was made from, and will be again
/// when it is reloaded.
///
/// # Errors
/// Anything that stands in the way of attaching or listening; nothing is attached then that was not before.
pub fn run(config: Config, input: Input, options: AttachOptions) -> Result<()> {
    memory::return_what_is_free();
    // Before there are threads, and before anything comes from outside.
    let confinement = Confinement::begin(&config, &input, &options);
    Conditions::of_run(&config, &options).enforce()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(serve(config, input, options, confinement));
    // A search through evidence holds up nobody's end.
    runtime.shutdown_timeout(END);
    result
}

async fn serve(config: Config, input: Input, options: AttachOptions, confinement: Confinement) -> Result<()> {
    let mut stop = stop_signal()?;
    let mut manager = ServiceManager::of_this_process()?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    let listener = http::bind(config.listen).await?;
    let socket = Listener::listen(&config.socket_path(&options.pins), &options.pins)?;
    let told = socket.is_open();
    // From before the agent looks at what there is, so that no change goes unseen.
    let events = LinkEvents::listen().context("cannot listen for changes of interfaces")?;
    // SAFETY: the events own the socket's descriptor and give that one, open, as long as they live.
    let events = unsafe { AsyncFd::register(events) }?;
    let agent = blocking(move || Agent::start(config, input, options, confinement, told)).await?;
    let http = agent.serve(listener, stop.clone());
    let page = agent.serve_page(stop.clone());
    let (answering, mut wanted) = socket.serve(agent.questions());
    let mut awaits_confirmation = agent.awaits_confirmation();
    let mut looking = interval(agent.drain_interval());
    let mut confirming = interval(LOOK);
    confirming.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let proof = manager.watchdog_period();
    let mut proving = interval(proof.unwrap_or(LOOK));
    let agent = BlockingAgent(Arc::new(Mutex::new(agent)));
    agent.tell(&mut manager, ServiceManager::ready).await;
    let (mut keeping, mut asking) = (Repeated::default(), Repeated::default());
    let ended = loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break Ok(()),
            _ = hang_up.recv() => {
                drop(agent.reload(&mut manager).await);
                looking = interval(agent.have(|agent| Ok(agent.drain_interval())).await?);
            }
            Some(changing) = wanted.recv() => {
                let done = match changing.change {
                    Change::Reload => agent.reload(&mut manager).await,
                    Change::Detach(interface) => agent.have(move |agent| agent.detach_one(interface)).await,
                };
                looking = interval(agent.have(|agent| Ok(agent.drain_interval())).await?);
                changing.done(done);
            }
            changed = settled(&events) => {
                changed.context("cannot wait for changes of interfaces")?;
                agent.reconcile(&mut keeping, &mut manager).await;
            }
            _ = looking.tick() => agent.reconcile(&mut keeping, &mut manager).await,
            _ = proving.tick(), if proof.is_some() => manager.alive(),
            _ = confirming.tick(), if awaits_confirmation => match agent.have(Agent::confirmation).await {
                Ok(Confirmation::Missed) => break Err(anyhow!(
                    "nobody ran `sensor confirm` in time, so the sensor has detached itself"
                )),
                Ok(confirmation) => {
                    awaits_confirmation = confirmation != Confirmation::Given;
                    if let Some(times) = asking.worked() {
                        tracing::info!("the confirmation is seen to again: {times} attempts had failed");
                    }
                }
                Err(error) => {
                    if let Some(reason) = asking.failed(&error) {
                        tracing::error!("{reason}; it is tried again");
                    }
                }
            },
        }
    };
    manager.stopping();
    answering.abort();
    match ended {
        Ok(()) => {
            http.await.context("the server of the metrics failed")?;
            page.await.context("the server of the page failed")?;
            agent.have(Agent::end).await
        }
        Err(error) => {
            agent.have(Agent::detach).await?;
            Err(error)
        }
    }
}

/// The agent, for async code: what it does to the kernel blocks, and is done on a thread that may.
struct BlockingAgent(Arc<Mutex<Agent>>);

impl BlockingAgent {
    async fn have<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Agent) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let agent = Arc::clone(&self.0);
        blocking(move || act(&mut agent.lock().unwrap_or_else(PoisonError::into_inner))).await
    }

    /// Mends what is not as it should be, and tells what it is then.
    async fn reconcile(&self, failing: &mut Repeated, manager: &mut ServiceManager) {
        match self.have(Agent::reconcile).await {
            Ok(()) => {
                if let Some(times) = failing.worked() {
                    tracing::info!("what is attached can be looked at again: {times} attempts had failed");
                }
            }
            Err(error) => {
                if let Some(reason) = failing.failed(&error) {
                    tracing::error!("{reason}: what is attached cannot be looked at");
                }
            }
        }
        self.tell(manager, ServiceManager::status).await;
    }

    /// Has the service manager told what the agent does. Without one, nobody asks the kernel.
    async fn tell(&self, manager: &mut ServiceManager, how: impl Fn(&mut ServiceManager, String)) {
        if manager.is_there() {
            let doing = self.have(|agent| agent.doing()).await;
            how(manager, doing.unwrap_or_else(|error| in_words(&error)));
        }
    }

    /// Reloads, and logs how it went.
    async fn reload(&self, manager: &mut ServiceManager) -> Result<String> {
        manager.reloading();
        let result = self.have(Agent::reload).await;
        self.tell(manager, ServiceManager::ready).await;
        match &result {
            Ok(said) => tracing::info!("{said}"),
            Err(error) => tracing::error!("{}", in_words(error)),
        }
        result
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.context("the agent has a bug")?
}

/// Waits until something has changed about the interfaces, and a moment for the rest of it: a change seldom comes
/// alone.
async fn settled(events: &AsyncFd<LinkEvents>) -> io::Result<()> {
    let mut ready = events.readable().await?;
    sleep(SETTLE).await;
    events.get_ref().clear();
    ready.clear_ready();
    Ok(())
}

/// Becomes true at the first SIGINT or SIGTERM.
fn stop_signal() -> Result<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        // Nobody waits any more when the agent is already on its way out.
        let _nobody_waits = stop.send(true);
    });
    Ok(stopped)
}
