//! `sensor run`: attach, drain, serve, reload; and leave the host counting, or as it was found.

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::agent::Agent;
use crate::cli;
use crate::config::Config;
use crate::control::Control;
use crate::export::http;
use crate::kernel::{Confirmation, check_capabilities, check_kernel};

/// Runs the agent until SIGINT or SIGTERM. `flags` are what the configuration was made from, and will be again
/// when it is reloaded.
///
/// # Errors
/// Anything that stands in the way of attaching or listening; nothing is attached then that was not before.
pub fn run(config: Config, flags: cli::Run) -> Result<()> {
    block_on(serve(config, flags))
}

/// Runs `work` on a runtime of its own.
///
/// # Errors
/// What `work` says, or if there is no runtime to be had.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}

async fn serve(config: Config, flags: cli::Run) -> Result<()> {
    check_kernel()?;
    check_capabilities()?;
    let mut stop = stop_signal()?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    let listener = http::bind(config.listen).await?;
    let control = Control::bind(&config.pins)?;
    let mut agent = Agent::start(config, flags).await?;
    let http = agent.serve(listener, stop.clone());
    let ended = loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break Ok(()),
            _ = hang_up.recv() => match agent.reload().await {
                Ok(said) => tracing::info!("{said}"),
                Err(error) => tracing::error!("{error:#}"),
            },
            asked = control.asked() => {
                let result = agent.reload().await;
                match &result {
                    Ok(said) => tracing::info!("{said}"),
                    Err(error) => tracing::error!("{error:#}"),
                }
                asked.answer(&result).await;
            }
            () = agent.confirmation_is_due() => match agent.confirmation().await {
                Ok(Confirmation::Missed) => break Err(anyhow!(
                    "nobody ran `sensor confirm` in time, so the sensor has detached itself"
                )),
                Ok(_) => {}
                Err(error) => tracing::error!("{error:#}"),
            },
        }
    };
    match ended {
        Ok(()) => {
            http.await.context("the server of the metrics failed")?;
            agent.end()
        }
        Err(error) => {
            agent.detach()?;
            Err(error)
        }
    }
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
