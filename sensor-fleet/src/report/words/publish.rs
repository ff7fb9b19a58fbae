//! What is said of what is withheld. None of it says how much: one more would tell that a probe had arrived.

use super::Form;
use crate::report::language::Language;
use crate::report::model::Publication;

/// Sentences below a report that may be published; `changes` are the rows of each list of changes.
#[must_use]
pub fn notes(language: Language, publication: Publication, changes: usize) -> [String; 6] {
    let Publication { threshold, digits, sensors } = publication;
    let form = Form { language, publication: None };
    [
        form.say(
            "Sensors have aliases, and their order tells nothing.",
            "センサー名は別名で、並び順に意味はありません。",
        )
        .to_owned(),
        form.say(
            format!(
                "What fewer than {sensors} sensors saw is left out: ports, surges, falls, and averages of regions. Of each \
                 number, no sensor counts for more than the third one does."
            ),
            format!(
                "{sensors}台未満のセンサーでのみ観測した宛先ポート番号、急増、減少、および地域の平均は掲載していません。\
                 各数値において、1台のセンサーは{sensors}番目に多いセンサーの値を上限として集計しています。"
            ),
        ),
        form.say(
            "Packets to ports without a series of their own are in no number.".to_owned(),
            "個別に集計していない宛先ポート番号のパケットは、いずれの数値にも含まれません。".to_owned(),
        ),
        form.say(
            format!("The top 10 of a sensor is of the services that {sensors} sensors or more have in theirs."),
            format!("センサーごとのトップ10は、{sensors}台以上のセンサーでトップ10に入った宛先ポート番号から選んでいます。"),
        ),
        form.say(
            format!("Counts below {threshold} are withheld; other numbers have {digits} significant digits."),
            format!("{threshold}未満のパケット数は掲載していません。その他の数値は有効数字{digits}桁です。"),
        ),
        form.say(
            format!("Of what rose, fell and is new, the first {changes} each are given at most."),
            format!("増加、減少および新規は、それぞれ上位{changes}件までを掲載しています。"),
        ),
    ]
}
