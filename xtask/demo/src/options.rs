//! What `cargo xtask demo` takes. xtask reads this too: it says what is wrong with the options, and shows its help,
//! before anything is built.

use std::net::SocketAddr;
use std::path::PathBuf;

/// What to show.
#[derive(clap::Args)]
pub struct Options {
    /// End after this many seconds [default: at Ctrl-C]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Replay this capture (pcap or pcapng) instead of made-up scans
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Start the capture over when it ends
    #[arg(long = "loop", requires = "pcap")]
    pub over_and_over: bool,
    /// Stop sending after this many packets, and serve on
    #[arg(long, value_name = "N")]
    pub packets: Option<u64>,
    /// Packets to send in a second
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Where to serve the metrics
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:19817")]
    pub listen: SocketAddr,
}
