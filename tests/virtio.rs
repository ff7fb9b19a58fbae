//! The NIC of a VPS: in a virtual machine, virtio carries the program, and packets come from outside.
//!
//! `cargo xtask vm` gives the machine a NIC, and stands at the other end of its cable: it sends what it is asked
//! for. QEMU holds packets back while the machine has no buffer for them, so none gets lost on the way.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::bpf::XdpAction;
use sensor_harness::counts::Counts;
use sensor_harness::foreign::Foreign;
use sensor_harness::metrics::Page;
use sensor_harness::mix::{self, Mix};
use sensor_harness::namespace::Namespace;
use sensor_harness::order::Order;
use sensor_harness::pace::PATIENCE;
use sensor_harness::sender::packet_socket;
use sensor_harness::skip::Missing;
use sensor_harness::wire::Interface;
use sensor_harness::{needs, needs_root, skip};

/// There is one NIC.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// More than the buffers on the way hold all together, so that they fill.
const PACKETS: u64 = 100_000;

/// The machine's NIC, up and silent.
struct Nic {
    namespace: Namespace,
    name: String,
    _turn: MutexGuard<'static, ()>,
}

impl Nic {
    fn of_the_machine() -> Result<Result<Self, Missing>> {
        let Ok(name) = std::env::var("SENSOR_VM_NIC") else {
            let missing = "it needs the NIC of a virtual machine: `cargo xtask vm` has one";
            return Ok(Err(Missing::new(missing)));
        };
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let namespace = Namespace::current()?;
        namespace.sysctl(&format!("ipv6/conf/{name}/disable_ipv6"), "1")?;
        // The packets are for many addresses; the device would keep those of the others to itself.
        namespace.ip(&format!("link set {name} up promisc on"))?;
        Ok(Ok(Self { namespace, name, _turn: turn }))
    }

    /// Whether native mode can be had. Linux 5.13 learnt to do with one transmit queue for all processors, and
    /// distributions carried that back: only trying tells.
    fn takes_native_mode(&self) -> bool {
        let interface = Interface { namespace: self.namespace.clone(), name: self.name.clone() };
        Foreign::attach(&interface, XdpAction::Pass).is_ok()
    }

    fn launch(&self, mode: &str) -> Launch {
        let launch = Launch::new(&self.namespace).interface(&self.name).config(mix::SENSOR);
        launch.argument("--mode").argument(mode)
    }

    /// Asks for packets, and waits until they are all counted or no more come.
    fn receive(&self, order: Order, agent: &AgentProcess) -> Result<Counts> {
        let before = agent.counts()?.packets();
        let socket = packet_socket(&self.name).context("cannot open a packet socket")?;
        let sent = nix::unistd::write(&socket, &order.frame())?;
        ensure!(sent == order.frame().len(), "the order was cut off");
        let mut counts = agent.counts()?;
        let mut deadline = Instant::now() + PATIENCE;
        while counts.packets() < before + order.packets && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
            let now = agent.counts()?;
            if now != counts {
                deadline = Instant::now() + PATIENCE;
            }
            counts = now;
        }
        Ok(counts)
    }
}

/// What must have been counted.
fn truth(order: Order) -> Result<Counts> {
    let mut truth = Counts::default();
    for sample in Mix::new(order.seed).take(usize::try_from(order.packets)?) {
        truth.add(sample.verdict, sample.frame.len());
    }
    Ok(truth)
}

#[rstest]
#[case::native("native")]
#[case::generic("generic")]
fn every_packet_from_outside_is_counted(#[case] mode: &str) -> Result<()> {
    needs_root!();
    let nic = needs!(Nic::of_the_machine()?);
    if mode == "native" && !nic.takes_native_mode() {
        skip!("this kernel wants more queues for native mode than the NIC has");
    }
    let agent = nic.launch(mode).start()?;
    let page = Page::parse(&agent.metrics()?)?;
    assert_eq!(page.sum("sensor_xdp_attached", &[("interface", &nic.name), ("mode", mode)]), 1);
    let order = Order { seed: 11, packets: PACKETS };
    assert_eq!(nic.receive(order, &agent)?, truth(order)?);
    Ok(())
}

/// Native mode where it can be had, else generic mode, said and counting all the same.
#[test]
fn the_best_mode_is_found() -> Result<()> {
    needs_root!();
    let nic = needs!(Nic::of_the_machine()?);
    let mode = if nic.takes_native_mode() { "native" } else { "generic" };
    let agent = nic.launch("auto").start()?;
    let page = Page::parse(&agent.metrics()?)?;
    assert_eq!(page.sum("sensor_xdp_attached", &[("interface", &nic.name), ("mode", mode)]), 1);
    let warned = agent.stderr().lines().any(|line| line.contains(&nic.name) && line.contains("generic mode"));
    assert_eq!(warned, mode == "generic", "{}", agent.stderr());
    let order = Order { seed: 12, packets: 5_000 };
    assert_eq!(nic.receive(order, &agent)?, truth(order)?);
    Ok(())
}

/// What stands in the way of native mode is said, with what to do.
#[test]
fn too_few_queues_for_native_mode_are_named() -> Result<()> {
    needs_root!();
    let nic = needs!(Nic::of_the_machine()?);
    if nic.takes_native_mode() {
        skip!("one queue is enough for this kernel");
    }
    let (code, said) = nic.launch("native").fail()?;
    assert_eq!(code, 1);
    let last = said.lines().last().unwrap_or_default();
    for words in [nic.name.as_str(), "native", "queue", "--mode generic"] {
        ensure!(last.contains(words), "{words} is not in: {last}");
    }
    Ok(())
}
