//! The title, and the headings of parts and of columns.

use super::Form;
use crate::report::model::Report;

/// The page's title.
#[must_use]
pub fn title(report: &Report) -> String {
    let form = Form::of(report);
    let period = form.period(&report.period);
    form.say(
        format!("Internet threat monitoring: {period}"),
        format!("インターネット定点観測レポート({period})"),
    )
}

/// What the page covers.
#[must_use]
pub fn period(report: &Report) -> String {
    let form = Form::of(report);
    let days = form.days(report.period.from, report.period.to);
    let zone = &report.period.zone;
    let previous = previous(form, report);
    form.say(
        format!("{days}, days in {zone}. Compared with {previous}."),
        format!("期間: {days}(日の区切りは{zone})。比較対象: {previous}。"),
    )
}

/// The previous period by its name and days.
fn previous(form: Form, report: &Report) -> String {
    let name = form.period(&report.previous);
    let days = form.days(report.previous.from, report.previous.to);
    if name == days {
        return name;
    }
    form.say(format!("{name} ({days})"), format!("{name}({days})"))
}

/// Defines words that are the same in every report.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $english:literal, $japanese:literal;)*) => {
        $($(#[$doc])* #[must_use] pub fn $name(form: Form) -> &'static str { form.say($english, $japanese) })*
    };
}

words! {
    /// Of the part on single sensors.
    sensors: "Top 10 of each sensor", "センサーごとのトップ10";
    /// Of the part on months.
    monthly: "Packets per sensor and day, month by month", "センサー1台の1日当たりの平均パケット数の月別比較";
    /// Of the part on all sensors together.
    top: "Top services", "宛先ポート番号トップ5";
    /// Of the part on how many sources there were.
    sources: "Distinct sources", "送信元数";
    /// Of the part on countries.
    countries: "Source countries", "送信元地域";
    /// Of the part on autonomous systems.
    systems: "Source networks", "送信元AS";
    /// Of the part on tools.
    tools: "What made the packets", "送信ツール";
    /// Of the part on known scanners.
    scanners: "Known scanners", "既知のスキャナー";
    /// Of the part on constituencies.
    constituencies: "From one's own constituencies", "管轄範囲からの通信";
    /// Of the part on victims.
    victims: "Victims of denial of service", "DoS攻撃の被害";
    /// A column.
    country: "Country", "送信元地域";
    /// A column.
    system: "Autonomous system", "AS";
    /// A column.
    tool: "Tool", "ツール";
    /// A column.
    scanner: "Known scanner", "スキャナー";
    /// A column.
    constituency: "Constituency", "管轄範囲";
    /// A column.
    sources_a_day: "Sources per sensor and day", "送信元数(センサー1台の1日当たり)";
    /// Of the part on what rose and fell among sources.
    source_shifts: "Where sources rose and fell", "送信元数の増減";
    /// A column.
    sources_in_a_day: "Sources a day", "1日の送信元数";
    /// A column.
    packets_rank: "Rank by packets", "パケット数の順位";
    /// Of the part on surges.
    surges: "Surges", "パケット数の急増";
    /// Of the part on surges that one source or network made.
    surges_of_one: "Surges of one source", "単一の送信元による急増";
    /// Of the part on falls.
    silent: "What fell silent", "パケット数の減少";
    /// Of the part on changes.
    changes: "What rose and fell most", "増加および減少した宛先ポート番号";
    /// Of the part on new services.
    new: "New services", "新たに観測した宛先ポート番号";
    /// Of the part on what was observed.
    coverage: "Coverage", "稼働状況";
    /// Before a warning.
    warning: "Coverage:", "稼働状況:";
    /// Of the last part.
    method: "Method and notes", "集計方法および注記";
    /// A column.
    rank: "Rank", "順位";
    /// A column.
    service: "Service", "宛先ポート番号";
    /// A column.
    packets: "Packets", "パケット数";
    /// A column.
    share: "Share", "割合";
    /// A column.
    mean_share: "Mean share", "割合の平均";
    /// A column.
    mean_rank: "Rank by mean share", "割合の平均による順位";
    /// A column.
    median: "Median sensor, a day", "センサーの中央値(1日)";
    /// A column.
    sensor: "Sensor", "センサー";
    /// A column.
    region: "Region", "地域";
    /// A column.
    month: "Month", "月";
    /// A column.
    all: "All", "全体";
    /// A column.
    days: "Days", "期間";
    /// A column.
    verdict: "Verdict", "判定";
    /// A column.
    seen: "Sensors", "観測したセンサー";
    /// A column.
    times: "× baseline", "ベースライン比";
    /// A column.
    origin: "Sent by", "送信元";
    /// A column.
    around: "40 days", "40日間の推移";
    /// A column.
    what: "What", "対象";
    /// A column.
    a_day: "Packets a day", "1日のパケット数";
    /// A column.
    before: "Before", "以前";
    /// A column.
    change: "Change", "増減";
    /// A column.
    per_sensor_day: "Packets per sensor and day", "センサー1台の1日当たりのパケット数";
    /// A column.
    observed: "Days observed", "稼働日数";
    /// A column.
    covered: "Coverage", "稼働率";
    /// A column.
    gaps: "Days below 90 %", "稼働率90%未満の期間";
    /// Rows of what rose.
    rose: "Rose most", "増加";
    /// Rows of what fell.
    fell: "Fell most", "減少";
}

/// The column of previous ranks.
#[must_use]
pub fn previous_rank(form: Form, report: &Report) -> String {
    let previous = form.period(&report.previous);
    form.say(format!("Rank in {previous}"), format!("{previous}の順位"))
}

/// The column of previous shares.
#[must_use]
pub fn previous_share(form: Form, report: &Report) -> String {
    let previous = form.period(&report.previous);
    form.say(format!("Share in {previous}"), format!("{previous}の割合"))
}

/// The column of the sensor in the middle of a region.
#[must_use]
pub fn median_of(form: Form, region: &str) -> String {
    form.say(format!("{region}, median sensor"), format!("{region}(中央値)"))
}

/// What a sensor's rows stand under.
#[must_use]
pub fn group(form: Form, home: Option<&str>, region: &str) -> String {
    let name = form.region(region);
    let overseas = form.overseas();
    match home {
        Some(home) if home == region => form.say(format!("Home: {name}"), name),
        Some(_) if name == overseas => name,
        Some(_) => form.say(format!("{overseas}: {name}"), format!("{overseas}({name})")),
        None => form.say(format!("Region: {name}"), format!("地域: {name}")),
    }
}
