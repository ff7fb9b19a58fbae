//! System calls, by seccomp: what an agent never does is refused with `EPERM`.
//!
//! It is a list of what is refused, not of what is allowed. Of the latter systemd keeps one for the unit, for each libc
//! and kernel; one of our own would break the agent where a libc makes a call that it has not made before, for a host that
//! stands where nobody watches. What is refused here opens up the kernel, other processes or other programs.

use std::collections::BTreeMap;

use anyhow::Result;
use libc::{c_int, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: TargetArch = TargetArch::aarch64;

/// Refused whatever is asked for.
const REFUSED: [c_long; 50] = [
    // Other programs, and other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Another kernel, and what is loaded into this one; `bpf` stays.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_perf_event_open,
    // What is mounted, and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_setns,
    libc::SYS_unshare,
    // Files past their paths.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // Corners of the kernel that have been a way into it.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_personality,
    // The host's own affairs.
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_vhangup,
];

/// Likewise, on one processor alone.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: [c_long; 4] = [libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib];
#[cfg(target_arch = "aarch64")]
const REFUSED_HERE: [c_long; 0] = [];

/// Sockets are of these families; all others are refused.
const SOCKETS: [c_int; 4] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_UNIX];

/// Namespaces that `clone` would make.
const NAMESPACES: [c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Refuses them to every thread of this process, for good.
///
/// # Errors
/// The kernel takes no filter.
pub(super) fn restrict() -> Result<()> {
    for program in programs()? {
        apply_filter_all_threads(&program)?;
    }
    Ok(())
}

/// The filters: of several the strictest answer counts.
fn programs() -> Result<Vec<BpfProgram>, BackendError> {
    let whatever = REFUSED.into_iter().chain(REFUSED_HERE).map(|call| (call, Vec::new()));
    let mut refused: BTreeMap<c_long, Vec<SeccompRule>> = whatever.collect();
    let other_family = || {
        let is_none = SOCKETS.map(|family| argument(0, SeccompCmpOp::Ne, family));
        SeccompRule::new(is_none.into_iter().collect::<Result<_, _>>()?)
    };
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        refused.insert(call, vec![other_family()?]);
    }
    // Memory that holds a program: there is none but the agent's own.
    for call in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        refused.insert(call, vec![flag(2, libc::PROT_EXEC)?]);
    }
    refused.insert(libc::SYS_shmat, vec![flag(2, libc::SHM_EXEC)?]);
    let namespaces = NAMESPACES.into_iter().map(|namespace| flag(0, namespace));
    refused.insert(libc::SYS_clone, namespaces.collect::<Result<_, _>>()?);
    // What it is to make stands in memory, where no filter looks: libraries take `clone` where there is no `clone3`.
    let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let programs = [program(refused, libc::EPERM)?, program(unknown, libc::ENOSYS)?];
    Ok(programs.into_iter().chain(x32()).collect())
}

fn program(calls: BTreeMap<c_long, Vec<SeccompRule>>, error: c_int) -> Result<BpfProgram, BackendError> {
    let refuse = SeccompAction::Errno(error.cast_unsigned());
    SeccompFilter::new(calls, SeccompAction::Allow, refuse, ARCHITECTURE)?.try_into()
}

/// Whether a flag is set in an argument.
fn flag(index: u8, flag: c_int) -> Result<SeccompRule, BackendError> {
    let mask = u64::from(flag.cast_unsigned());
    SeccompRule::new(vec![argument(index, SeccompCmpOp::MaskedEq(mask), flag)?])
}

fn argument(index: u8, compare: SeccompCmpOp, with: c_int) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, compare, u64::from(with.cast_unsigned()))
}

/// Calls of the x32 ABI, which some kernels have beside that of x86-64, under numbers of its own: all of them.
#[cfg(target_arch = "x86_64")]
fn x32() -> Vec<BpfProgram> {
    use seccompiler::sock_filter;

    /// The first of its numbers (`__X32_SYSCALL_BIT`).
    const FIRST: u32 = 0x4000_0000;
    // Instructions of classic BPF: load a word, jump if greater or equal, return.
    const LOAD: u16 = 0x20;
    const JUMP: u16 = 0x35;
    const RETURN: u16 = 0x06;
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    vec![vec![
        // The call's number is the first thing that a filter sees.
        sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP, jt: 0, jf: 1, k: FIRST },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: refuse.into() },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: SeccompAction::Allow.into() },
    ]]
}

/// There is no other ABI.
#[cfg(target_arch = "aarch64")]
const fn x32() -> Vec<BpfProgram> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;
    use std::process::Command;
    use std::{fs, io, thread};

    use rstest::rstest;
    use seccompiler::apply_filter;
    use sensor_harness::skip;

    use super::*;

    /// Makes a system call.
    fn call(number: c_long, arguments: [c_long; 6]) -> io::Result<()> {
        let [first, second, third, fourth, fifth, sixth] = arguments;
        // SAFETY: no call of the tests is given an address: none touches memory that anybody has.
        let returned = unsafe { libc::syscall(number, first, second, third, fourth, fifth, sixth) };
        if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Does something on a thread that is confined; `None` where the kernel takes no filters, as an emulator of processors does.
    fn confined(act: fn() -> io::Result<()>) -> Option<io::Result<()>> {
        let thread = thread::spawn(move || {
            let programs = programs().unwrap();
            programs.iter().try_for_each(|program| apply_filter(program)).ok()?;
            Some(act())
        });
        thread.join().unwrap()
    }

    fn start() -> io::Result<()> {
        Command::new("/usr/bin/env").arg("true").status().map(drop)
    }

    fn family() -> io::Result<()> {
        call(libc::SYS_socket, [libc::AF_VSOCK.into(), libc::SOCK_STREAM.into(), 0, 0, 0, 0])
    }

    fn namespaces() -> io::Result<()> {
        call(libc::SYS_unshare, [0; 6])
    }

    fn personality() -> io::Result<()> {
        call(libc::SYS_personality, [0xFFFF_FFFF, 0, 0, 0, 0, 0])
    }

    fn memory(protection: c_int) -> io::Result<()> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        call(libc::SYS_mmap, [0, 4096, protection.into(), flags.into(), -1, 0])
    }

    fn shared_memory() -> io::Result<()> {
        call(libc::SYS_shmat, [-1, 0, libc::SHM_EXEC.into(), 0, 0, 0])
    }

    #[cfg(target_arch = "x86_64")]
    fn x32() -> io::Result<()> {
        call(0x4000_0000 | libc::SYS_getppid, [0; 6])
    }

    /// Another processor has no such calls.
    #[cfg(target_arch = "aarch64")]
    fn x32() -> io::Result<()> {
        personality()
    }

    #[rstest]
    #[case::another_program(start)]
    #[case::another_family(family)]
    #[case::namespaces(namespaces)]
    #[case::personality(personality)]
    #[case::memory_for_programs(|| memory(libc::PROT_READ | libc::PROT_EXEC))]
    #[case::shared_memory_for_programs(shared_memory)]
    #[case::another_abi(x32)]
    fn it_is_refused(#[case] act: fn() -> io::Result<()>) -> Result<()> {
        let without = act().err().and_then(|error| error.raw_os_error());
        assert_ne!(without, Some(libc::EPERM), "it is refused to everybody here");
        let Some(tried) = confined(act) else { skip!("this kernel takes no filter of system calls") };
        assert_eq!(tried.unwrap_err().raw_os_error(), Some(libc::EPERM));
        Ok(())
    }

    #[rstest]
    #[case::listening(|| TcpListener::bind("127.0.0.1:0").map(drop))]
    #[case::sockets_to_itself(|| UnixStream::pair().map(drop))]
    #[case::netlink(|| call(libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0, 0, 0, 0]))]
    #[case::memory(|| memory(libc::PROT_READ | libc::PROT_WRITE))]
    #[case::threads(|| thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap()))]
    #[case::files(|| fs::read("/proc/self/status").map(drop))]
    fn it_goes_on(#[case] act: fn() -> io::Result<()>) -> Result<()> {
        let Some(tried) = confined(act) else { skip!("this kernel takes no filter of system calls") };
        tried.unwrap();
        Ok(())
    }

    #[test]
    fn no_call_is_named_twice() {
        let all: BTreeSet<_> = REFUSED.into_iter().chain(REFUSED_HERE).collect();
        assert_eq!(all.len(), REFUSED.len() + REFUSED_HERE.len());
    }
}
