//! `sensor-manual FOLDER`: writes the programs' manual pages and completions, a folder for each program.
//!
//! It is a program of its own, so that neither of them is built with what only packing needs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _, Parser};
use clap_complete::Shell;

/// Writes manual pages and completions of `sensor` and `sensor-fleet`.
#[derive(Parser)]
#[command(name = "sensor-manual", version)]
struct Arguments {
    /// Where: `PROGRAM/man` has the pages, `PROGRAM/completions` a file for each shell.
    folder: PathBuf,
}

/// The shells, and what stands before and behind a program's name in the file that each looks for.
const SHELLS: [(Shell, &str, &str); 3] =
    [(Shell::Bash, "", ""), (Shell::Zsh, "_", ""), (Shell::Fish, "", ".fish")];

fn main() -> Result<()> {
    let Arguments { folder } = Arguments::parse();
    for program in [sensor_user::cli::Cli::command(), sensor_fleet::cli::Cli::command()] {
        let folder = folder.join(program.get_name());
        write(program, &folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    }
    Ok(())
}

fn write(program: Command, folder: &Path) -> Result<()> {
    let (pages, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;
    let name = program.get_name().to_owned();
    for (shell, before, behind) in SHELLS {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut program.clone(), &name, &mut script);
        fs::write(completions.join(format!("{before}{name}{behind}")), script)?;
    }
    clap_mangen::generate_to(program, &pages)?;
    Ok(())
}
