use jiff::Timestamp;
use rstest::rstest;

use super::*;
use crate::counters::SnapshotNumber;
use crate::sources::answer::{Belongs, PartRow, Row, Total, VictimRow};
use crate::sources::{Count, Victim};
use crate::status::InterfaceStatus;
use crate::view::{From, Named, NoticeView, PacketSeen, SensorView, ServiceView, Sight, Who};

/// What somebody would write who wants more than to be shown.
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;";
/// Addresses that only some may see.
const ADDRESSES: [&str; 4] = ["203.0.113.9", "192.0.2.77", "203.0.113.44", "192.0.2.5"];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_796_000_000 + second).unwrap()
}

/// Everything that can be told of sources, with these names.
fn who(name: &str) -> Who {
    let name = || name.to_owned();
    let exact = |count| Count { count, exact: true };
    let part = || PartRow {
        of: name(),
        as_name: Some(name()),
        packets: 60,
        from_known_scanners: 20,
        sources: exact(7),
        at_least: true,
    };
    let belongs = || Belongs { as_name: Some(name()), scanner: Some(name()), ..Belongs::default() };
    let [source, victim, ..] = ADDRESSES;
    Who {
        from: Some(at(0)),
        observed: 90,
        missed: 10,
        total: Some(Total {
            packets: 90,
            from_known_scanners: Some(20),
            sources: exact(9),
            at_least: true,
            row_error: 0,
        }),
        countries: vec![PartRow { of: "JP".to_owned(), ..part() }, part()],
        systems: vec![part()],
        heaviest: vec![Row {
            source: source.to_owned(),
            packets: 50,
            more: 0,
            first: at(0),
            last: at(9),
            did: None,
            belongs: belongs(),
        }],
        scans: 3,
        victims: vec![VictimRow {
            sensor: name(),
            victim: Victim {
                victim: victim.parse().unwrap(),
                start: at(0),
                end: at(60),
                ongoing: true,
                packets: 800,
                share: 1.0,
                peak_per_minute: 120,
                ports: vec![name()],
                kinds: vec![name()],
            },
            belongs: belongs(),
        }],
        victims_seen: 1,
        victims_ongoing: 1,
        ..Who::default()
    }
}

/// Everything that can be told, with these names.
fn view(name: &str) -> View {
    let who = who(name);
    let name = || name.to_owned();
    let named = |packets| vec![Named { name: name(), packets }];
    let [_, _, last, noticed] = ADDRESSES;
    View {
        snapshot: Some(SnapshotNumber(77)),
        time: at(100),
        trouble: Some(name()),
        interfaces: vec![InterfaceStatus {
            name: name(),
            trouble: Some(name()),
            ..InterfaceStatus::default()
        }],
        sensors: vec![
            SensorView {
                name: name(),
                region: name(),
                packets: 1_234,
                minutes: vec![None, Some(3)],
                top: vec![name()],
                ..SensorView::default()
            },
            SensorView { name: "b".to_owned(), ..SensorView::default() },
        ],
        passed: [(name(), 5)].into(),
        sensor: Some(name()),
        packets: 1_234,
        services: vec![ServiceView {
            service: "23/TCP".to_owned(),
            slot: Some("23/tcp".to_owned()),
            name: Some(name()),
            packets: 1_000,
            hours: vec![Some(30), Some(10), None],
            from: Some(From { observed: 60, from_known_scanners: Some(15), sources: 7, at_least: true }),
            ..ServiceView::default()
        }],
        tools: named(9),
        tcp: named(9),
        backscatter: named(9),
        constituencies: named(9),
        notices: vec![NoticeView {
            constituency: name(),
            address: noticed.to_owned(),
            about: name(),
            ..NoticeView::default()
        }],
        notices_seen: Some(1),
        hours: vec![at(0), at(-86_400), at(-7 * 86_400)],
        who: Some(who),
        last: vec![PacketSeen {
            time: at(99),
            sensor: name(),
            slot: name(),
            tool: Some(name()),
            country: None,
            source: Some(last.to_owned()),
        }],
        ..View::default()
    }
}

#[test]
fn whatever_names_say_is_text() {
    let asked = Asked { sensor: Some(HOSTILE.to_owned()), wall: true, ..Asked::default() };
    let page = front(&view(HOSTILE), &asked);
    for made in ["<script>", "<img", "onerror=alert(1)>"] {
        assert!(!page.contains(made), "{made}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let news = news(&view(&format!("{HOSTILE}\nevent: parts\n\ndata: x")), &asked, 10);
    assert!(news.lines().all(|line| line.is_empty() || line.starts_with("data: ") || line == "event: parts"));
    assert_eq!(news.matches("\n\n").count(), 1, "one event");
}

/// Nothing that a browser would have to be allowed for itself.
#[test]
fn nothing_runs_or_is_styled_but_from_its_own_paths() {
    let page = front(&view("a"), &Asked::default());
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script src=\"page.js\" defer></script>"));
    for never in [" style=", "<style", " onclick", " onload", "javascript:", "http://", "https://"] {
        assert!(!page.contains(never), "{never}");
    }
    for never in ["unsafe", "*", "http"] {
        assert!(!CONTENT_SECURITY_POLICY.contains(never), "{never}");
    }
}

#[rstest]
#[case::counts(Sight::Counts, false)]
#[case::addresses(Sight::Addresses, true)]
fn addresses_are_shown_to_those_who_may_see_them(#[case] sight: Sight, #[case] shown: bool) {
    let seen = view("a").within(sight);
    let (page, news) = (front(&seen, &Asked::default()), news(&seen, &Asked::default(), 10));
    for address in ADDRESSES {
        assert_eq!(page.contains(address), shown, "{address}");
        assert_eq!(news.contains(address), shown, "{address}");
        let told = serde_json::to_string(&seen).unwrap();
        assert_eq!(told.contains(address), shown, "{address}");
    }
    // Numbers are for everybody.
    assert!(page.contains("data-fact=\"victims\">1<") && page.contains("data-fact=\"sources\">≥ 9<"));
}

#[test]
fn numbers_are_those_of_the_facts() {
    let page = front(&view("a"), &Asked::default());
    for said in [
        "data-snapshot=\"77\"",
        "data-fact=\"total\">1,234<",
        "data-fact=\"packets\">1,000<",
        "data-fact=\"share\">81.0 %<",
        "data-fact=\"without\">750<",
        "data-fact=\"hour\">30<",
        "data-fact=\"day\">×3.0<",
        "data-fact=\"week\">–<",
        "data-fact=\"sources\">≥ 7<",
        "90.0 % of those counted",
        "a,a,a,,,,,,,,,",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn what_changes_slowly_comes_seldom() {
    let with_map: Vec<u64> = (1..=30)
        .filter(|&number| news(&view("a"), &Asked::default(), number).contains("id=\"who\""))
        .collect();
    assert_eq!(with_map, [10, 20, 30]);
    // All parts of news are parts of the page, for the script to find.
    let page = front(&view("a"), &Asked::default());
    for (id, markup) in parts(&view("a"), &Asked::default()) {
        let id = format!(" id=\"{id}\"");
        assert!(markup.into_string().contains(&id) && page.matches(&id).count() == 1, "{id}");
    }
}

#[test]
fn an_agent_that_knows_nothing_yet_has_a_page() {
    let view = View { snapshot: Some(SnapshotNumber(1)), ..View::default() };
    let page = front(&view, &Asked::default());
    assert!(
        page.contains("Nothing was counted yet.") && page.contains("Nothing is known of sources"),
        "{page}"
    );
    assert!(page.ends_with("</html>\n"));
}

#[test]
fn counters_that_cannot_be_read_are_not_shown_as_nothing() {
    let view = View { trouble: Some("no counters".to_owned()), ..View::default() };
    let page = front(&view, &Asked::default());
    assert!(page.contains("Not well: ") && page.contains("The counters cannot be read just now"), "{page}");
    for said in ["0 packets", "0 sensors", "data-fact=\"evidence\"", "data-fact=\"passed\"", "None yet"] {
        assert!(!page.contains(said), "{said}");
    }
}
