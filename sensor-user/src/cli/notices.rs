//! Arguments of `sensor notices`.

use clap::Args;
use jiff::tz::Offset;

use super::Asked;
use super::sources::Period;
use super::value::offset;
use crate::store::About;

/// How notices are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NoticeForm {
    /// A mail for each constituency, by the template of the agent's configuration.
    Text,
    /// A JSON object a line, by `IntelMQ`'s field names, times in UTC.
    Intelmq,
    /// CSV in the columns of Shadowserver's `event4_honeypot_darknet`, times in UTC.
    Shadowserver,
    /// The agent's answer as it is: a JSON object a line.
    Json,
}

/// Arguments of `sensor notices`.
#[derive(Args, Clone, Debug)]
pub struct Notices {
    /// When their addresses were seen; without it, since the day before in UTC began, or, of those that are not sent, ever.
    #[command(flatten)]
    pub period: Period,

    /// Of one constituency.
    #[arg(long, value_name = "NAME")]
    pub constituency: Option<String>,

    /// Only about sources, or only about victims.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub about: Option<About>,

    /// Only those that are not sent yet.
    #[arg(long)]
    pub unsent: bool,

    /// Print those that are not sent yet, and mark them as sent once all of it is printed. Takes root.
    #[arg(long)]
    pub mark_sent: bool,

    /// How they are printed.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: NoticeForm,

    /// Show the times of mails as they are so far from UTC, as in +09:00: all other formats are in UTC.
    #[arg(long, value_name = "OFFSET", value_parser = offset, default_value = "UTC", allow_hyphen_values = true)]
    pub time_zone: Offset,

    /// With the address that packets were sent to, and all of their first bytes: whoever reads it knows where the sensor is.
    #[arg(long)]
    pub with_sensor_address: bool,

    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}
