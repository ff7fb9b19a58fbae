//! How the numbers came about.

use super::{Form, caption};
use crate::report::model::{CHANGES, Report};
use crate::report::surge::Settings;

/// Sentences that a reader needs to judge the numbers by.
#[must_use]
pub fn sentences(report: &Report) -> Vec<String> {
    let form = Form::of(report);
    let zone = &report.period.zone;
    let mut sentences = vec![
        form.say(
            "Packets are what sensors counted of unsolicited traffic, by destination port or, without ports, by protocol; \
             nothing is sampled.",
            "パケット数は、センサーに届いたセンサー側から要求していない通信を宛先ポート番号別(ポートのないものはプロトコル別)に\
             すべて数えたもので、標本抽出はしていません。",
        )
        .to_owned(),
        form.say(
            format!("Days begin at midnight in {zone}."),
            format!("日の区切りは{zone}の午前0時です。"),
        ),
        form.say(
            "Averages are packets divided by sensor-days: the days that sensors observed, added up. A day without \
             observation counts for nothing, not for zero.",
            "平均は、パケット数を各センサーの稼働日数の合計で割ったものです。停止日は0パケットではなく、対象外としています。",
        )
        .to_owned(),
        form.say(
            "Equal numbers of packets are ranked by protocol, then by port.",
            "パケット数が等しい場合の順位は、プロトコル、ポート番号の順です。",
        )
        .to_owned(),
        form.say(
            "The top 5 is by packets of all sensors together, so that it can be compared with other reports by packets; one \
             loud sensor can decide it. The mean share is a service's part of each sensor's packets, averaged over \
             sensors, so that each counts the same. The median sensor is the one that half of the sensors had more \
             than.",
            "トップ5は、パケット数による他のレポートと比較できるよう全センサーの合計で順位を付けているため、パケット数の多い\
             1台のセンサーに左右されることがあります。割合の平均は、各センサーのパケット数に占める割合を平均したもので、\
             すべてのセンサーを同じ重みで扱います。センサーの中央値は、半数のセンサーがそれを上回る値です。",
        )
        .to_owned(),
    ];
    let totals = report.totals;
    if totals.unranked > 0 {
        let (unranked, packets) = (form.count(totals.unranked), form.count(totals.packets));
        sentences.push(form.say(
            format!(
                "{unranked} of {packets} packets went to ports without a series of their own, or had none: they are in \
                 totals and averages, but cannot be ranked."
            ),
            format!(
                "{packets}パケットのうち{unranked}パケットは個別に集計していない宛先ポート番号宛か、ポート番号のないものです。\
                 合計と平均には含まれますが、順位には含まれません。"
            ),
        ));
    }
    if [&report.rose, &report.fell, &report.new].iter().any(|changes| changes.len() == CHANGES) {
        sentences.push(caption::kept(form));
    }
    if report.method.baseline_days > 0 {
        sentences.extend(surges(form, report));
        sentences.extend(origins(form, report));
    }
    sentences
}

/// How it is told who made surges, where that is.
fn origins(form: Form, report: &Report) -> Option<String> {
    let told = report.surges.iter().any(|surge| surge.origin.is_some());
    (told || !report.surges_of_one.is_empty()).then(|| {
        form.say(
            "Who made a surge the agents' files by the hour tell: one source, or one network (a /24, or a /48 of IPv6), did \
             where half or more of the packets to the port on the surge's days were its own on most of the sensors \
             that saw it, by files of nine tenths of these hours. It is no surge that the Internet shows: it is \
             listed apart, and for the others the rate of false events holds by themselves.",
            "急増の送信元は、エージェントの1時間ごとのファイルから判定しています。急増期間中の当該ポート宛パケットの半分以上を、\
             観測したセンサーの過半数で単一の送信元または単一のネットワーク(/24、IPv6は/48)が占め、ファイルが\
             その時間の9割以上ある場合に、単一の送信元によるものとします。これは別に掲載し、誤りの割合はその他の急増のみで\
             判定しています。",
        )
        .to_owned()
    })
}

/// How surges and falls were found.
fn surges(form: Form, report: &Report) -> [String; 4] {
    let method = report.method;
    // The report sets no others than these.
    let settings = Settings::default();
    let (floor, ratio, least) =
        (super::number::thousands(method.floor), method.ratio, settings.least_baseline_days);
    let rate = form.percent(method.false_discovery_rate);
    let tested = super::number::thousands(method.tested);
    let tested = if method.tested > 0 {
        form.say(
            format!("; {tested} days of services on sensors were tested"),
            format!("、検定対象は延べ{tested}日"),
        )
    } else {
        String::new()
    };
    [
        form.say(
            format!(
                "A surge is traffic of a service, on a sensor or summed over a region or all sensors, of at least {floor} \
                 packets a day and {ratio} times its baseline over 1, 3, 7 or 14 days, and {ratio} times what was reached \
                 on two occasions in the baseline. The baseline is of the 28 days before on which the sensor observed \
                 ({least} or more), days of events left out. A surge lasts until traffic is back near the baseline that \
                 it had at its begin; a ramp is one that grew from day to day. Falls are found in the same way, for \
                 services, sensors and regions, and, with rises, for numbers of sources by country (from 20 a day on)."
            ),
            format!(
                "急増とは、ある宛先ポート番号のパケット数が、センサー、地域または全センサーの合計で1日{floor}パケット以上、かつ\
                 1日、3日、7日または14日間にわたりベースラインの{ratio}倍以上で、ベースライン中に2回到達した値の{ratio}倍以上となった\
                 ものです。ベースラインは直前28日間の稼働日({least}日以上、急増中の日を除く)から求めます。急増は、開始時の\
                 ベースライン付近に戻るまで続くものとし、日ごとに増加したものを漸増とします。減少は、宛先ポート番号、センサー\
                 および地域について同様に判定し、地域別の送信元数(1日20以上)は増加も同様に判定します。"
            ),
        ),
        form.say(
            format!(
                "How much traffic varies without an event, and by which law, is estimated from the sensors' own days, for \
                 series of like size; of all events found, {rate} at most are false on average (Benjamini–Hochberg over \
                 events{tested}). Where that holds and what it was tried on is in the documentation."
            ),
            format!(
                "通常時の変動の大きさと分布は、同程度のパケット数の系列ごとにセンサー自身の観測値から推定しています。検出した\
                 事象のうち誤りは平均で{rate}以下です(Benjamini–Hochberg法{tested})。成り立つ範囲と検証結果はドキュメントに\
                 記載しています。"
            ),
        ),
        form.say(
            "A service without a series on a day is taken to have had as many packets as it may have had among the others \
             without one. A day with the packets of more than one, as after a gap in which a sensor went on counting, is \
             taken as an average day of these.",
            "個別に集計していない日のパケット数は、その他に含まれ得る最大値とみなします。停止後などに複数日分のパケットが\
             1日に記録された場合は、その平均とみなします。",
        )
        .to_owned(),
        form.say(
            "Verdicts: sensor-only, one sensor saw it; region-only, sensors of one region; global, sensors of every region, \
             and half of all or more; mixed, others, or the only sensor that could be judged; new-port, no sensor that \
             saw it had any in its baseline.",
            "判定の「1台のセンサーのみ」は1台のみ、「1地域のみ」は1つの地域のセンサーのみ、「全地域」はすべての地域かつ半数以上の\
             センサーで観測したもの、「一部のセンサー」はその他(判定可能なセンサーが1台の場合を含む)、「新規ポート」は観測した\
             センサーのベースラインに記録がないものです。",
        )
        .to_owned(),
    ]
}
