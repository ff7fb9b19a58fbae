//! The terminal: taken over, and given back however this ends.

use std::io::{Stdout, stdout};
use std::panic;
use std::process;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use anyhow::{Context as _, Result};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Size;
use ratatui::{Frame, Terminal};

/// What a panic ends a program with.
const PANICKED: i32 = 101;

/// The terminal, as long as this has it.
pub struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    /// Takes it over.
    ///
    /// # Errors
    /// It is none, or has gone.
    pub fn enter() -> Result<Self> {
        give_back_in_a_panic();
        take().and_then(|()| empty()).map(Self).inspect_err(|_| give_back())
    }

    /// Draws what is new since it was drawn last.
    ///
    /// # Errors
    /// It has gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        self.0.draw(draw).map(drop).context("the terminal has gone")
    }

    /// How large it is.
    ///
    /// # Errors
    /// It has gone.
    pub fn size(&self) -> Result<Size> {
        self.0.size().context("the terminal has gone")
    }

    /// Gives it back and stops this process, as Ctrl-Z does; takes it over again once somebody has it go on.
    ///
    /// # Errors
    /// It has gone.
    pub fn stop(&mut self) -> Result<()> {
        give_back();
        // SAFETY: the call takes a number and touches no memory.
        unsafe { libc::raise(libc::SIGSTOP) };
        self.take_again()
    }

    /// Takes it over again, whatever was done with it meanwhile.
    ///
    /// # Errors
    /// It has gone.
    pub fn take_again(&mut self) -> Result<()> {
        give_back();
        take()?;
        // A new one draws all of it. Clearing the old one would ask the terminal where its cursor is, and whoever reads keys would
        // get the answer.
        self.0 = empty()?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether the terminal is taken over: giving back twice would put the cursor where it once was.
static TAKEN: AtomicBool = AtomicBool::new(false);

fn take() -> Result<()> {
    TAKEN.store(true, SeqCst);
    enable_raw_mode().context("cannot take over this terminal")?;
    execute!(stdout(), EnterAlternateScreen).context("cannot take over this terminal")
}

/// On which nothing is drawn yet.
fn empty() -> Result<Terminal<CrosstermBackend<Stdout>>> {
    Terminal::new(CrosstermBackend::new(stdout())).context("cannot draw on this terminal")
}

/// As often as one likes: what is given back already stays so.
fn give_back() {
    if TAKEN.swap(false, SeqCst) {
        // A terminal that has gone needs nothing more. Whoever sees the old screen can type.
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    }
}

/// Whichever thread panics, its words come on a terminal that is given back, and this ends.
fn give_back_in_a_panic() {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        give_back();
        say(panic);
        process::exit(PANICKED);
    }));
}
