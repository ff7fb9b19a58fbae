//! Captions of tables, and what stands in place of an empty one.

use super::{Form, number};
use crate::report::model::{CHANGES, Previous, Publication, Ranked, Report, TOP_OF_A_SENSOR};

/// A table's number before its caption.
#[must_use]
pub fn table(form: Form, number: usize, caption: &str) -> String {
    form.say(format!("Table {number}. {caption}"), format!("表{number} {caption}"))
}

/// A figure's number before its caption.
#[must_use]
pub fn figure(form: Form, number: usize, caption: &str) -> String {
    form.say(format!("Figure {number}. {caption}"), format!("図{number} {caption}"))
}

/// Where a figure is too.
#[must_use]
pub fn also(form: Form, png: &str, svg: &str) -> String {
    form.say(format!("Also in {png} and {svg}."), format!("{png}および{svg}にも収録。"))
}

/// Of the tops of sensors.
#[must_use]
pub fn sensors(form: Form, shaded: bool) -> String {
    let shade = if shaded {
        form.say("; shaded is what only one or two have", "(網掛けは1台または2台のセンサーのみ)")
    } else {
        ""
    };
    form.say(
        format!("The {TOP_OF_A_SENSOR} services that received the most packets at each sensor{shade}"),
        format!("センサーごとの宛先ポート番号トップ{TOP_OF_A_SENSOR}{shade}"),
    )
}

/// Of the averages of months.
#[must_use]
pub fn monthly(form: Form, home: bool) -> &'static str {
    if home {
        form.say(
            "Packets per sensor and day, over the days that sensors observed",
            "センサー1台の1日当たりの平均パケット数(稼働日のみ)",
        )
    } else {
        form.say(
            "Packets per sensor and day, over the days that sensors observed (no home region was named)",
            "センサー1台の1日当たりの平均パケット数(稼働日のみ、国内の指定なし)",
        )
    }
}

/// Of the ranking over all sensors.
#[must_use]
pub fn top(form: Form, report: &Report) -> String {
    let previous = form.period(&report.previous);
    form.say(
        format!(
            "The services that received the most packets, all sensors together, and their ranks in {previous}"
        ),
        format!("宛先ポート番号トップ{}と{previous}の順位(全センサーの合計)", report.top.len()),
    )
}

/// A service's rank in the previous period: with an arrow up or down, or that it is new.
#[must_use]
pub fn previous_rank(form: Form, report: &Report, row: &Ranked) -> String {
    rank_before(form, report, row.rank, (row.previous_rank, row.previous))
}

/// The same of what has a rank now, and had one before or not.
#[must_use]
pub fn rank_before(form: Form, report: &Report, now: usize, before: (Option<usize>, Previous)) -> String {
    match before {
        (Some(rank), _) if rank > now => format!("{rank} ▲"),
        (Some(rank), _) if rank < now => format!("{rank} ▼"),
        (Some(rank), _) => format!("{rank} ="),
        (None, _) if super::summary::unknown_before(report) => "–".to_owned(),
        (None, Previous::Nothing) => form.say(
            format!("new in the top {TOP_OF_A_SENSOR}: not observed before"),
            format!("トップ{TOP_OF_A_SENSOR}外(前期間は観測なし)"),
        ),
        (None, _) => {
            form.say(format!("new in the top {TOP_OF_A_SENSOR}"), format!("トップ{TOP_OF_A_SENSOR}外"))
        }
    }
}

/// Of surges.
#[must_use]
pub fn surges(form: Form, around: bool) -> String {
    let days = if around {
        form.say(", and 40 days around its begin on these sensors", "、および開始日前後40日間の推移")
    } else {
        ""
    };
    form.say(
        format!(
            "Traffic well above its baseline, the latest first: how many of the sensors that could be judged saw it, and how \
             many times their baseline it was on the peak day{days}"
        ),
        format!(
            "ベースラインを大きく上回ったパケット数(新しい順)。判定可能なセンサーのうち観測した台数、ピーク日のベースライン比{days}"
        ),
    )
}

/// Of surges that one source or network made.
#[must_use]
pub fn surges_of_one(form: Form, around: bool) -> String {
    let days = if around {
        form.say("; and 40 days around its begin on these sensors", "。開始日前後40日間の推移")
    } else {
        ""
    };
    form.say(
        format!(
            "Traffic well above its baseline of which one source or one network sent half or more on most of the sensors that \
             saw it, the latest first; not counted among the surges above{days}"
        ),
        format!(
            "ベースラインを大きく上回ったパケット数のうち、観測したセンサーの過半数で単一の送信元または単一のネットワークが\
             半分以上を占めたもの(新しい順、上記の急増には含まない){days}"
        ),
    )
}

/// Of what rose and fell.
#[must_use]
pub fn changes(form: Form) -> &'static str {
    form.say(
        "What rose and fell most, in packets per sensor and day",
        "増減の大きい宛先ポート番号(センサー1台の1日当たり)",
    )
}

/// Of what is new.
#[must_use]
pub fn new(form: Form, report: &Report, rest: usize) -> String {
    let previous = form.period(&report.previous);
    let number = form.number(rest);
    let rest = if rest > 0 {
        form.say(format!("; {number} more are in changes.csv"), format!("(他{number}件はchanges.csvに収録)"))
    } else {
        String::new()
    };
    match form.publication {
        // What one or two saw is not told from nothing.
        Some(Publication { sensors, .. }) => form.say(
            format!("Services that fewer than {sensors} sensors recorded in {previous}{rest}"),
            format!("{previous}に記録のあるセンサーが{sensors}台未満の宛先ポート番号{rest}"),
        ),
        None => form.say(
            format!("Services of which nothing is recorded in {previous}{rest}"),
            format!("{previous}に記録のない宛先ポート番号{rest}"),
        ),
    }
}

/// Of what sensors observed: each of them, or those that missed something.
#[must_use]
pub fn coverage(form: Form, each: bool) -> &'static str {
    if each {
        form.say("How much of the period each sensor observed", "各センサーの稼働状況")
    } else {
        form.say(
            "Sensors that did not observe all of the period, or moved; the others are in coverage.csv",
            "期間中に停止または移動のあったセンサー(その他はcoverage.csvに収録)",
        )
    }
}

/// Of falls.
#[must_use]
pub fn silent(form: Form) -> &'static str {
    form.say(
        "Services that fell well below their baseline, and sensors and regions that fell or rose as a whole, the latest \
         first: with the packets a day of the sensors concerned, and those of the four weeks before",
        "ベースラインを大きく下回った宛先ポート番号、および全体として増減したセンサーと地域(新しい順)。\
         該当センサーの1日のパケット数と、その前4週間の値",
    )
}

/// What there may be too much of for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Sensors.
    Sensors,
    /// Surges.
    Surges,
    /// Falls, and rises as a whole.
    Shifts,
    /// Changes upwards.
    Rose,
    /// Changes downwards.
    Fell,
}

/// Where to find what a table leaves out.
#[must_use]
pub fn more(form: Form, rest: usize, of: Rest, file: &str) -> String {
    let number = form.number(rest);
    let what = match of {
        Rest::Sensors => form.say("sensors", "センサー"),
        Rest::Surges => form.say("surges", "急増"),
        Rest::Shifts => form.say("that fell or rose as a whole", "増減"),
        Rest::Rose => form.say("that rose", "増加"),
        Rest::Fell => form.say("that fell", "減少"),
    };
    form.say(
        format!("{number} more {what} are in {file}."),
        format!("その他の{what}{number}{}は{file}に収録。", if of == Rest::Sensors { "台" } else { "件" }),
    )
}

/// In place of the ranking.
#[must_use]
pub fn no_packet(form: Form) -> &'static str {
    form.say("No packet was counted.", "パケットは観測されませんでした。")
}

/// In place of a table of sensors.
#[must_use]
pub fn no_sensor(form: Form) -> &'static str {
    form.say("No sensor was seen in the period.", "期間中に稼働したセンサーはありません。")
}

/// In place of the table of months.
#[must_use]
pub fn no_month(form: Form) -> &'static str {
    form.say("No sensor observed in any month.", "稼働したセンサーのある月はありません。")
}

/// In place of the table of falls.
#[must_use]
pub fn nothing(form: Form) -> &'static str {
    form.say("Nothing.", "ありません。")
}

/// In place of the table of changes.
#[must_use]
pub fn no_change(form: Form) -> &'static str {
    form.say("Nothing rose. Nothing fell.", "増減はありません。")
}

/// In place of the table of new services.
#[must_use]
pub fn none(form: Form) -> &'static str {
    form.say("None.", "ありません。")
}

/// That lists of changes end somewhere.
#[must_use]
pub fn kept(form: Form) -> String {
    let number = number::thousands(CHANGES as u64);
    form.say(
        format!("Of what rose, fell and is new, the first {number} each are kept."),
        format!("増加、減少および新規は、それぞれ上位{number}件までを収録しています。"),
    )
}
