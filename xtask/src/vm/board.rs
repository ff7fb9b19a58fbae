//! What machines with processors of one kind have that others have not: QEMU's program, the board, the serial ports.

use std::path::Path;

use super::qemu::{Accelerator, CHEAP, QEMU};
use crate::architecture::Architecture;

/// A panic ends the machine, and so does whatever leads to one.
const BOOT: &str = "panic=-1 oops=panic loglevel=7 random.trust_cpu=on";

/// The kernel hands what it does not know to the first process, as its environment: tests take their time and send less.
const EMULATED: &str = "SENSOR_TESTS_EMULATED=1";

/// What emulation of 64-bit ARM need not spend its time on.
const CHEAP_ARM: &str = "mitigations=off rcupdate.rcu_expedited=1";

impl Architecture {
    /// QEMU's program.
    pub const fn qemu(self) -> &'static str {
        match self {
            Self::Amd64 => QEMU,
            Self::Arm64 => "qemu-system-aarch64",
        }
    }

    /// The board and its processors.
    pub const fn board(self, accelerator: Accelerator) -> &'static [&'static str] {
        match self {
            Self::Amd64 => accelerator.arguments(),
            // The cores of AWS's Graviton2 and Ampere's Altra, on which sensors run. They have atomic instructions, which
            // are emulated faster than the pairs of load and store that older ones make do with, and none of what 5.10
            // does not know, as `max` has. No breakpoint is written over code that another runs: a thread each.
            Self::Arm64 => &["-machine", "virt", "-accel", "tcg,thread=multi", "-cpu", "neoverse-n1"],
        }
    }

    /// The kernel's command line.
    pub fn words(self, accelerator: Accelerator) -> String {
        let (console, cheap) = match self {
            Self::Amd64 => ("ttyS0", CHEAP),
            Self::Arm64 => ("ttyAMA0", CHEAP_ARM),
        };
        let usual = format!("console={console} {BOOT}");
        match accelerator {
            Accelerator::Kvm => usual,
            Accelerator::Tcg => format!("{usual} {cheap} {EMULATED}"),
        }
    }

    /// The serial ports: the first is the kernel's, whose messages go to a file, the second the tests', who speak to us.
    pub fn ports(self, console: &Path) -> Vec<String> {
        let tests: &[&str] = match self {
            Self::Amd64 => &["-serial", "stdio"],
            // The board has one port only: the other is plugged in.
            Self::Arm64 => &["-chardev", "stdio,id=tests", "-device", "pci-serial,chardev=tests"],
        };
        let kernels = ["-serial".to_owned(), format!("file:{}", console.display())];
        kernels.into_iter().chain(tests.iter().map(|&word| word.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::kvm(
        Architecture::Amd64,
        Accelerator::Kvm,
        "console=ttyS0 panic=-1 oops=panic loglevel=7 random.trust_cpu=on"
    )]
    #[case::emulated(
        Architecture::Amd64,
        Accelerator::Tcg,
        "console=ttyS0 panic=-1 oops=panic loglevel=7 random.trust_cpu=on mitigations=off tsc=reliable \
         rcupdate.rcu_expedited=1 SENSOR_TESTS_EMULATED=1"
    )]
    #[case::arm(
        Architecture::Arm64,
        Accelerator::Tcg,
        "console=ttyAMA0 panic=-1 oops=panic loglevel=7 random.trust_cpu=on mitigations=off \
         rcupdate.rcu_expedited=1 SENSOR_TESTS_EMULATED=1"
    )]
    fn a_kernel_is_told_what_its_machine_is(
        #[case] architecture: Architecture,
        #[case] accelerator: Accelerator,
        #[case] words: &str,
    ) {
        assert_eq!(architecture.words(accelerator), words);
    }

    #[rstest]
    #[case(Architecture::Amd64, "-serial file:/k.log -serial stdio")]
    #[case(
        Architecture::Arm64,
        "-serial file:/k.log -chardev stdio,id=tests -device pci-serial,chardev=tests"
    )]
    fn the_kernel_has_a_port_and_the_tests_another(#[case] architecture: Architecture, #[case] ports: &str) {
        assert_eq!(architecture.ports(Path::new("/k.log")).join(" "), ports);
    }
}
