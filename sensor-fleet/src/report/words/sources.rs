//! What is said of sources: on what it rests, and the captions of its tables.

use super::Form;
use crate::report::model::{
    MeanMonth, Notices, RankedOrigin, Report, Scanners, ShiftKind, SourceShift, Told,
};

/// On how many sensors all of it rests, and what none of them tells.
#[must_use]
pub fn basis(form: Form, report: &Report) -> String {
    let told = report.sources.told;
    let Told { sensors, .. } = told;
    let of = [
        (told.sources, form.say("distinct sources", "送信元数")),
        (told.countries, form.say("countries", "送信元地域")),
        (told.systems, form.say("autonomous systems", "AS")),
        (told.tools, form.say("tools", "ツール")),
        (told.scanners, form.say("known scanners", "既知のスキャナー")),
    ];
    let missing: Vec<String> =
        of.iter().filter(|(told, _)| *told == 0).map(|(_, what)| (*what).to_owned()).collect();
    let all = form.sensors(sensors);
    let some: Vec<String> = of
        .iter()
        .filter(|(told, _)| *told > 0 && *told < sensors)
        .map(|(told, what)| {
            let told = form.number(*told);
            form.say(format!("{what} by {told}"), format!("{what}は{told}台"))
        })
        .collect();
    let mut sentences = Vec::new();
    if !some.is_empty() {
        let some = form.list(&some);
        sentences.push(form.say(
            format!("Of {all} some tell nothing of it: averages are over those that do, {some}."),
            format!("{all}のうち一部のみが対象です({some})。平均は対象のセンサーのみで計算しています。"),
        ));
    }
    if !missing.is_empty() {
        let missing = form.list(&missing);
        sentences.push(form.say(
            format!(
                "No sensor tells {missing}: that takes [evidence] in its configuration, with lists in [sources], and the rules \
                 in fleet/rules."
            ),
            format!(
                "{missing}を報告しているセンサーはありません(センサー設定の[evidence]、[sources]のリストおよびfleet/rulesが必要)。"
            ),
        ));
    }
    if let Some(share) = report.sources.share {
        let percent = form.percent(share);
        sentences.push(if share < 1.0 {
            form.say(
                format!(
                    "Numbers of sources rest on {percent} of the packets of these days; there were at least so many."
                ),
                format!("送信元数は当該日のパケットの{percent}に基づく下限値です。"),
            )
        } else {
            form.say(
                "Numbers of sources rest on all packets of these days.".to_owned(),
                "送信元数は当該日のすべてのパケットに基づきます。".to_owned(),
            )
        });
    }
    form.text(&sentences)
}

/// In place of it all.
#[must_use]
pub fn nothing(form: Form) -> &'static str {
    form.say(
        "No sensor tells anything of its sources: that takes agents that keep evidence ([evidence] in their configuration), and \
         the rules in fleet/rules in Prometheus.",
        "送信元の情報を報告しているセンサーはありません。センサーの設定での[evidence]の指定と、Prometheusへのfleet/rulesの\
         読み込みが必要です。",
    )
}

/// Of the sources of months.
#[must_use]
pub fn monthly(form: Form) -> &'static str {
    form.say(
        "Distinct sources in a UTC day per sensor, over the days that sensors observed whole: IPv4 addresses and IPv6 /64s",
        "センサー1台の1日(UTC)当たりの平均送信元数(終日稼働した日のみ、IPv4アドレスおよびIPv6の/64)",
    )
}

/// Of services by sources.
#[must_use]
pub fn services(form: Form, report: &Report) -> String {
    let previous = form.period(&report.previous);
    form.say(
        format!("The services with most sources, and their ranks by sources in {previous}"),
        format!("送信元数による宛先ポート番号トップ{}と{previous}の順位", report.sources.services.len()),
    )
}

/// Of countries.
#[must_use]
pub fn countries(form: Form, report: &Report) -> String {
    let previous = form.period(&report.previous);
    form.say(
        format!(
            "The countries that most packets came from, all sensors together, and their ranks in {previous}; shares are of \
             the packets whose sources were looked at"
        ),
        format!(
            "送信元地域トップ{}と{previous}の順位(全センサーの合計、割合は送信元を調べたパケットに対するもの)",
            report.sources.countries.len()
        ),
    )
}

/// Of autonomous systems.
#[must_use]
pub fn systems(form: Form, report: &Report) -> String {
    let previous = form.period(&report.previous);
    form.say(
        format!("The autonomous systems that most packets came from, and their ranks in {previous}"),
        format!("送信元ASトップ{}と{previous}の順位", report.sources.systems.len()),
    )
}

/// Of tools.
#[must_use]
pub fn tools(form: Form) -> &'static str {
    form.say(
        "What made the TCP SYNs, as their headers tell: exact, and of all of them",
        "TCP SYNパケットのヘッダーから推定した送信ツール(全SYNパケットが対象)",
    )
}

/// Of Mirai by month.
#[must_use]
pub fn mirai(form: Form) -> &'static str {
    form.say(
        "SYNs with Mirai's mark, per sensor and day",
        "Miraiの特徴を持つSYNパケット数(センサー1台の1日当たり)",
    )
}

/// Of Mirai by country and month.
#[must_use]
pub fn mirai_sources(form: Form) -> &'static str {
    form.say(
        "Distinct sources of SYNs with Mirai's mark in a UTC day per sensor, of the countries with most of them",
        "Miraiの特徴を持つSYNパケットの送信元数が多い地域(センサー1台の1日(UTC)当たり)",
    )
}

/// What of Mirai is not there.
#[must_use]
pub fn no_mirai_countries(form: Form) -> &'static str {
    form.say(
        "No sensor tells of which countries the sources with Mirai's mark were: that takes [evidence] in its configuration, \
         with a list of countries in [sources].",
        "Miraiの特徴を持つ送信元の地域を報告しているセンサーはありません(センサー設定の[evidence]および[sources]の地域リストが必要)。",
    )
}

/// What a tool is called.
#[must_use]
pub fn tool(form: Form, label: &str) -> String {
    match label {
        "mirai" => "Mirai".to_owned(),
        "masscan" => "masscan".to_owned(),
        "zmap" => "ZMap".to_owned(),
        "unicornscan" => "Unicornscan".to_owned(),
        "zmap_likely" => form.say("ZMap, likely", "ZMap(推定)").to_owned(),
        "nmap_likely" => form.say("Nmap, likely", "Nmap(推定)").to_owned(),
        "other" => form.say("none of these", "その他").to_owned(),
        other => other.to_owned(),
    }
}

/// Which part of packets known scanners sent.
#[must_use]
pub fn scanners(form: Form, report: &Report, scanners: &Scanners) -> String {
    let Some(share) = scanners.share else {
        return form
            .say(
                "Known scanners are told, but not of how many packets the sources were looked at.",
                "既知のスキャナーは報告されていますが、送信元を調べたパケット数は不明です。",
            )
            .to_owned();
    };
    let (percent, packets, all) =
        (form.percent(share), form.count(scanners.packets), form.count(scanners.observed));
    let previous = form.period(&report.previous);
    let before = scanners.previous_share.map_or_else(String::new, |share| {
        let share = form.percent(share);
        form.say(format!(", {share} in {previous}"), format!("({previous}は{share})"))
    });
    form.say(
        format!(
            "{percent} of the packets whose sources were looked at came from known scanners{before}: {packets} of {all}."
        ),
        format!("送信元を調べた{all}パケットのうち、既知のスキャナーからのものは{packets}パケットで、{percent}でした{before}。"),
    )
}

/// Of known scanners.
#[must_use]
pub fn scanners_caption(form: Form) -> &'static str {
    form.say(
        "The known scanners that sent the most packets; shares are of all that known scanners sent",
        "パケット数の多い既知のスキャナー(割合は既知のスキャナー全体に対するもの)",
    )
}

/// Of tops without known scanners.
#[must_use]
pub fn without(form: Form) -> &'static str {
    form.say(
        "The top 10 of each sensor without known scanners, on the days for which these are told: a service's packets less \
         the part that known scanners had of those looked at; services without ports as they are",
        "既知のスキャナーを除いたセンサーごとのトップ10(既知のスキャナーを報告した日のみ。送信元を調べたパケットでの割合により\
         除外。ポートのないものは除外せず)",
    )
}

/// Of constituencies.
#[must_use]
pub fn constituencies(form: Form) -> &'static str {
    form.say(
        "Packets from one's own constituencies; shares are of all constituencies together",
        "管轄範囲を送信元とするパケット数(割合は管轄範囲全体に対するもの)",
    )
}

/// How many notices agents began; nothing where that was not recorded.
#[must_use]
pub fn notices(form: Form, report: &Report) -> Option<String> {
    let Notices { days, constituencies } = &report.sources.notices;
    if *days == 0 {
        return None;
    }
    let all = report.period.days();
    let on = if *days < all {
        let (days, all) = (form.number(*days), form.number(all));
        form.say(format!(", on {days} of {all} days"), format!("({all}日のうち記録のある{days}日)"))
    } else {
        String::new()
    };
    let begun: Vec<(&String, u64)> =
        constituencies.iter().map(|(name, count)| (name, *count)).filter(|(_, count)| *count > 0).collect();
    if begun.is_empty() {
        return Some(
            form.say(format!("No notice was begun{on}."), format!("通知の対象はありませんでした{on}。")),
        );
    }
    let each: Vec<String> =
        begun.iter().map(|(name, count)| format!("{name} {}", form.count(*count))).collect();
    let each = form.list(&each);
    let all = form.count(begun.iter().map(|(_, count)| count).sum());
    Some(form.say(
        format!(
            "Notices begun{on}: {all}, of each agent one for an address that sent or was attacked and a UTC day: {each}."
        ),
        format!(
            "通知の対象{on}: {all}件(エージェントごと、送信元または攻撃を受けたアドレスごとに1日(UTC)1件): {each}。"
        ),
    ))
}

/// Of victims.
#[must_use]
pub fn victims(form: Form) -> &'static str {
    form.say(
        "Distinct addresses under denial of service in a UTC day per sensor, as their backscatter tells",
        "DoS攻撃を受けていると推定されるアドレス数(センサー1台の1日(UTC)当たり、跳ね返りパケットによる)",
    )
}

/// Of what rose and fell among sources.
#[must_use]
pub fn shifts(form: Form) -> &'static str {
    form.say(
        "Distinct sources, in all or of a country, well away from their baseline, the latest first: with the sources a day of \
         the sensors concerned, added up, and those of the four weeks before; days are of UTC",
        "ベースラインから大きく増減した送信元数(全体または地域別、新しい順)。該当センサーの1日の送信元数の合計と、その前4週間の値\
         (日の区切りはUTC)",
    )
}

/// Whose sources rose or fell.
#[must_use]
pub fn shifted(form: Form, shift: &SourceShift) -> String {
    let whose = match &shift.country {
        Some(country) => form.country(country),
        None => form.say("all countries", "全地域").to_owned(),
    };
    match shift.kind {
        ShiftKind::Fall => form.say(format!("{whose} fell"), format!("{whose}の減少")),
        ShiftKind::Rise => form.say(format!("{whose} rose"), format!("{whose}の増加")),
    }
}

/// In place of an empty table.
#[must_use]
pub fn none(form: Form) -> &'static str {
    form.say("None.", "ありません。")
}

/// What matters most of sources: how many there were, and from where most packets came.
#[must_use]
pub fn summary(form: Form, report: &Report) -> Option<String> {
    let sources = &report.sources;
    let mean = overall(&sources.monthly)?;
    let at_least = sources.share.is_some_and(|share| share < 1.0);
    let (mean, at_least) =
        (form.average(mean), if at_least { form.say("at least ", "少なくとも") } else { "" });
    let first: Option<&RankedOrigin> = sources.countries.first();
    let from = first.map_or_else(String::new, |row| {
        let (country, share) = (form.country(&row.name), form.percent(row.share));
        form.say(
            format!("; the first source country was {country} with {share} of the packets whose sources were looked at"),
            format!("。送信元地域は{country}が最も多く、{share}を占めました"),
        )
    });
    Some(form.say(
        format!("A sensor saw {at_least}{mean} distinct sources a day on average{from}."),
        format!("センサー1台の1日当たりの平均送信元数は{at_least}{mean}でした{from}。"),
    ))
}

/// The average over all months.
fn overall(months: &[MeanMonth]) -> Option<f64> {
    let all = months.iter().filter_map(|month| month.all);
    let (sum, days) =
        all.fold((0_u64, 0.0), |(sum, days), of| (sum.saturating_add(of.sum), days + of.sensor_days));
    #[expect(clippy::cast_precision_loss, reason = "an average")]
    let mean = sum as f64 / days;
    (days > 0.0).then_some(mean)
}
