//! OpenSSH, server and client, with keys and a configuration of their own.
//!
//! The server sees the test's own users in the place of the system's: it needs no account on the machine,
//! and root's shell there is a plain one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::program::{Program, find};
use crate::built;

/// Keys and files of the servers and clients.
#[derive(Debug)]
pub(super) struct Ssh {
    folder: TempDir,
}

impl Ssh {
    /// Makes the keys.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sensor-ssh-").tempdir()?;
        let ssh = Self { folder };
        for key in ["host_key", "user_key"] {
            let made = Command::new(find("ssh-keygen")?)
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(ssh.file(key))
                .output()?;
            anyhow::ensure!(made.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&made.stderr));
        }
        // Where the server locks in the part of it that talks to strangers.
        fs::create_dir_all(ssh.file("run/sshd"))?;
        let home = ssh.folder.path().display();
        let users = format!("root:x:0:0:root:{home}:/bin/sh\nsshd:x:99:65534::/run/sshd:/usr/sbin/nologin\n");
        fs::write(ssh.file("passwd"), users)?;
        fs::write(ssh.file("shadow"), "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")?;
        fs::write(ssh.file("config"), ssh.config()?)?;
        Ok(ssh)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> Result<String> {
        let folder = self.folder.path().display();
        let mut config = format!(
            "HostKey {folder}/host_key\n\
             AuthorizedKeysFile {folder}/user_key.pub\n\
             PidFile none\n\
             StrictModes no\n\
             UsePAM no\n\
             UseDNS no\n\
             PasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n\
             MaxStartups 100\n\
             Subsystem sftp internal-sftp\n"
        );
        // Commands find the agent's program as on a host that it is installed on.
        if let Some(folder) = built::sensor()?.parent() {
            config.extend([
                "SetEnv PATH=",
                &folder.display().to_string(),
                ":/usr/sbin:/usr/bin:/sbin:/bin\n",
            ]);
        }
        // From OpenSSH 9.8 on the server is in several programs, which an unpacked one must be told of.
        let root = find("sshd")?;
        let root = root.ancestors().nth(3).context("sshd is in no usr/sbin")?;
        for (option, name) in [("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")] {
            let part = root.join("usr/lib/openssh").join(name);
            if part.is_file() {
                config.extend([option, " ", &part.display().to_string(), "\n"]);
            }
        }
        Ok(config)
    }

    /// Makes `unshare` run a server, whose sessions end with it: they are in a process namespace of its own.
    pub fn server(&self, unshare: Program) -> Result<Program> {
        Ok(unshare
            .args("--pid --mount-proc --fork --kill-child")
            .arg(find("sshd")?)
            .args("-D -e -f")
            .arg(self.file("config"))
            .sees(&self.file("passwd"), "/etc/passwd")
            .sees(&self.file("shadow"), "/etc/shadow")
            .sees(&self.file("run"), "/run"))
    }

    /// A configuration by which any `ssh` logs in without asking.
    pub fn client_config(&self) -> Result<PathBuf> {
        let (path, folder) = (self.file("client_config"), self.folder.path().display());
        let options = format!(
            "IdentityFile {folder}/user_key\nIdentitiesOnly yes\nLogLevel ERROR\nStrictHostKeyChecking no\n\
             UserKnownHostsFile /dev/null\n"
        );
        fs::write(&path, options)?;
        Ok(path)
    }

    /// Makes `ssh` or `scp` log in without asking.
    pub fn client(&self, program: Program) -> Program {
        let folder = self.folder.path().display();
        program.args(&format!(
            "-F none -i {folder}/user_key -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR \
             -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=20"
        ))
    }
}
