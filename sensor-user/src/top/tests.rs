//! What stands on the screen.

use std::collections::BTreeMap;

use anyhow::anyhow;
use jiff::Timestamp;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use ratatui::style::{Color, Modifier};
use rstest::rstest;

use super::draw::{self, Paint};
use super::facts::Facts;
use super::rows::Topic;
use super::state::{Room, State};
use crate::counters::SnapshotNumber;
use crate::printable::controls;
use crate::socket::Said;
use crate::sources::Count;
use crate::sources::answer::{Belongs, By, PartRow, Row, To, What};
use crate::status::{AgentStatus, EvidenceStatus, InterfaceStatus};
use crate::view::{From as FromWhom, Named, SensorView, ServiceView, View, Who};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_919_997 + second).unwrap()
}

fn service(service: &str, name: Option<&str>, packets: u64) -> ServiceView {
    let from =
        FromWhom { observed: packets, from_known_scanners: Some(packets / 4), sources: 312, at_least: true };
    ServiceView {
        service: service.to_owned(),
        name: name.map(str::to_owned),
        packets,
        hours: vec![Some(112), Some(100), Some(0)],
        from: Some(from),
        ..ServiceView::default()
    }
}

fn source(address: &str, packets: u64, belongs: Belongs) -> Row {
    let did = What {
        ports: vec![To { slot: "23/tcp".to_owned(), packets }],
        tools: vec![By { name: "mirai".to_owned(), packets }],
        ..What::default()
    };
    Row {
        source: address.to_owned(),
        packets,
        more: 0,
        first: at(-60),
        last: at(-1),
        did: Some(did),
        belongs,
    }
}

/// What an agent says that knows everything; `more` packets were sent since it was asked first.
fn view(second: i64, more: u64) -> View {
    let belongs = Belongs {
        country: Some("JP".parse().unwrap()),
        system: Some(64_496),
        as_name: Some("Example Net".to_owned()),
        scanner: None,
    };
    let countries = [("JP", 900, true), ("unknown", 100, false)].map(|(of, packets, exact)| PartRow {
        of: of.to_owned(),
        as_name: None,
        packets,
        from_known_scanners: 12,
        sources: Count { count: 41, exact },
        at_least: false,
    });
    let who = Who {
        from: Some(at(-3_597)),
        observed: 999,
        missed: 1,
        heaviest: vec![
            source("203.0.113.9", 900, belongs),
            source("2001:db8:aaaa:bbbb::/64", 99, Belongs::default()),
        ],
        countries: countries.to_vec(),
        ..Who::default()
    };
    let interface = InterfaceStatus {
        name: "eth0".to_owned(),
        mode: Some("native".to_owned()),
        ..InterfaceStatus::default()
    };
    let sensor = SensorView { name: "japan-1".to_owned(), per_second: Some(12.6), ..SensorView::default() };
    View {
        snapshot: Some(SnapshotNumber(17 + u64::try_from(second).unwrap())),
        time: at(second),
        agent: AgentStatus::default(),
        interfaces: vec![interface],
        sensors: vec![sensor],
        passed: BTreeMap::from([("management".to_owned(), 1_200), ("reply".to_owned(), 0)]),
        evidence: EvidenceStatus {
            path: Some("/e".to_owned()),
            packets: 10,
            kept: 5,
            ..EvidenceStatus::default()
        },
        packets: 1_500 + more,
        services: vec![service("23/TCP", Some("Telnet"), 1_000 + more), service("ICMP", None, 500)],
        tools: vec![
            Named { name: "zmap".to_owned(), packets: 0 },
            Named { name: "mirai".to_owned(), packets: 900 + more },
        ],
        hours: vec![at(-7_197)],
        who: Some(who),
        ..View::default()
    }
}

/// Asked twice, two seconds apart.
fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.answered(view(0, 0));
    facts.answered(view(2, 200));
    facts
}

fn drawn(facts: &Facts, state: &State, (width, height): (u16, u16), paint: Paint) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(frame, facts, state, paint)).unwrap();
    terminal.backend().buffer().clone()
}

/// The lines of a screen, without spaces at their ends.
fn shown(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let lines = buffer.content.chunks(width).map(|cells| {
        let mut line = String::new();
        let mut cells = cells.iter();
        while let Some(cell) = cells.next() {
            line += cell.symbol();
            // What is wide is followed by cells that it covers.
            for _ in 1..super::fit::width(cell.symbol()) {
                cells.next();
            }
        }
        line.trim_end().to_owned()
    });
    lines.collect()
}

fn screen(facts: &Facts, state: &State, size: (u16, u16)) -> Vec<String> {
    shown(&drawn(facts, state, size, Paint::Plain))
}

const TITLE: &str = "13 packets/s, 1,700 packets, japan-1                   snapshot 19, 02:39:59 UTC";

/// The lines of a table: its note, its head, its rows.
fn table(topic: Topic) -> Vec<String> {
    let screen = screen(&facts(), &State::new(topic), (80, 24));
    screen[4..].iter().take_while(|line| !line.is_empty()).cloned().collect()
}

#[test]
fn the_screen_begins_with_what_matters_most() {
    let screen = screen(&facts(), &State::default(), (80, 24));
    let expected = [
        TITLE,
        "All is well: attached to eth0 (native)",
        "50.0 % kept as evidence; 1,200 let through (management 1,200)",
        "[1 ports]  2 sources   3 tools   4 countries",
    ];
    assert_eq!(screen[..4], expected);
    assert_eq!(screen[23], "q quit  1-4 Tab view  s sort  r reverse  / filter  f freeze  ? help");
}

#[rstest]
#[case::ports(Topic::Ports, &[
    "day, week: the hour from 00:40 UTC against the same before; sources: since 01:40",
    "  # port        name                 packets   share packets/s   sources     day",
    "  1 23/TCP      Telnet                 1,200  70.5 %       100     ≥ 312   +12 %",
    "  2 ICMP                                 500  29.4 %         0     ≥ 312   +12 %",
])]
#[case::sources(Topic::Sources, &[
    "since 01:40 UTC: 999 packets, 99.9 % of what was counted: at least so many",
    "  # source                  country network          tools               packets",
    "  1 203.0.113.9             JP      AS64496 Example… mirai                   900",
    "  2 2001:db8:aaaa:bbbb::/64                          mirai                    99",
])]
#[case::tools(Topic::Tools, &[
    "SYNs by what made them, 1,100 since the counters were made",
    "  # tool                                    SYNs   share    SYNs/s",
    "  1 mirai                                  1,100   100 %       100",
    "  2 zmap                                       0   0.0 %         0",
])]
#[case::countries(Topic::Countries, &[
    "since 01:40 UTC: 999 packets, 99.9 % of what was counted: at least so many",
    "  # country                      packets   share     sources from known scanners",
    "  1 JP                               900  90.0 %          41                  12",
    "  2 unknown                          100  10.0 %        ≈ 41                  12",
])]
fn each_table_has_its_rows(#[case] topic: Topic, #[case] expected: &[&str]) {
    assert_eq!(table(topic), expected);
}

#[rstest]
#[case::narrow(80, "# port name packets share packets/s sources day")]
#[case::wider(88, "# port name packets share packets/s sources day week")]
#[case::wide(110, "# port name packets share packets/s sources day week not known scanners")]
fn wider_screens_have_more_columns(#[case] width: u16, #[case] expected: &str) {
    let screen = screen(&facts(), &State::default(), (width, 24));
    assert_eq!(screen[5].split_whitespace().collect::<Vec<_>>().join(" "), expected);
}

/// Facts, and words of the second line and those below it.
#[rstest]
#[case::observing(|facts: &mut Facts| facts.view.agent.observe = true, "attached to eth0 (native), dropping nothing (--observe)")]
#[case::trouble(|facts: &mut Facts| facts.view.trouble = Some("eth0 is down: `ip link set eth0 up`".to_owned()), "Not well: eth0 is down: `ip link set eth0 up`")]
#[case::silence(|facts: &mut Facts| facts.unanswered(&anyhow!("it is gone: start it")), "The agent does not answer, what stands here is of 02:39:59 UTC: it is gone: start it")]
#[case::an_error(|facts: &mut Facts| facts.unanswered(&anyhow!(Said("it starts".to_owned()))), "The agent answers with an error, what stands here is of 02:39:59 UTC: it starts")]
#[case::one_line(|facts: &mut Facts| facts.unanswered(&anyhow!("a\n\u{1b}[2Jb")), "02:39:59 UTC: a\\n\\u{1b}[2Jb")]
#[case::no_evidence(|facts: &mut Facts| facts.view.evidence.path = None, "no evidence is kept; 1,200 let through")]
fn health_is_said_with_what_to_do(#[case] change: fn(&mut Facts), #[case] words: &str) {
    let mut facts = facts();
    change(&mut facts);
    let screen = screen(&facts, &State::default(), (80, 24));
    assert!(screen[1..4].join(" ").contains(words), "{screen:#?}");
}

#[test]
fn the_end_of_what_is_wrong_is_there_too() {
    let mut facts = facts();
    facts.view.trouble =
        Some(format!("{}: start it anew", "no room is left on the disk ".repeat(9).trim_end()));
    let screen = screen(&facts, &State::default(), (80, 24));
    assert!(screen[..6].join(" ").contains("disk: start it anew"), "{screen:#?}");
    assert!(screen[23].starts_with("q quit"));
    facts.view.trouble = Some("no room ".repeat(1_000));
    let screen = self::screen(&facts, &State::default(), (80, 24));
    assert!(screen[4].ends_with('…') && screen[6].contains("[1 ports]"), "{screen:#?}");
}

#[rstest]
#[case::both_short(79, 23, "too small: 79 × 23, needs 80 × 24")]
#[case::narrow(40, 60, "too small: 40 × 60, needs 80 × 24")]
#[case::low(200, 10, "too small: 200 × 10, needs 80 × 24")]
#[case::tiny(10, 1, "too small…")]
fn too_small_a_screen_says_so_in_one_line(#[case] width: u16, #[case] height: u16, #[case] words: &str) {
    let screen = screen(&facts(), &State::default(), (width, height));
    assert_eq!(screen[0], words);
    assert!(screen[1..].iter().all(String::is_empty), "{screen:#?}");
    assert_eq!(draw::room(&facts(), &State::default(), Size { width, height }), Room::default());
}

/// Whether words stand on a screen without and with a key pressed.
#[rstest]
#[case::frozen(&State { frozen: true, ..State::default() }, "FROZEN at 02:39:59 UTC")]
#[case::help(&State { help: true, ..State::default() }, "freeze what is shown")]
#[case::typing(&State { typing: true, filter: "tel".to_owned(), ..State::default() }, "filter: tel ")]
#[case::filtered(&State { filter: "tel".to_owned(), ..State::default() }, "[1 ports]  2 sources   3 tools   4 countries                         filter: tel")]
#[case::filtered_away(&State { filter: "no\u{202e}".to_owned(), ..State::default() }, "No row has \"no\\u{202e}\": Esc shows all.")]
fn what_was_typed_is_seen(#[case] state: &State, #[case] words: &str) {
    let has = |state: &State| screen(&facts(), state, (80, 24)).iter().any(|line| line.contains(words));
    assert!(has(state) && !has(&State::default()), "{:#?}", screen(&facts(), state, (80, 24)));
}

/// However much is wrong, on the smallest screen.
#[rstest]
#[case::nothing("", 1)]
#[case::much("no room ", 4)]
fn help_is_all_there(#[case] trouble: &str, #[case] lines_of_health: usize) {
    let mut facts = facts();
    facts.view.trouble = Some(trouble.repeat(1_000)).filter(|trouble| !trouble.is_empty());
    let help = screen(&facts, &State { help: true, ..State::default() }, (80, 24));
    let rows = &help[4 + lines_of_health..23];
    assert!(rows.iter().any(|row| row.starts_with(" 1 2 3 4 ")), "{help:#?}");
    assert!(rows.iter().any(|row| row.ends_with("as far as evidence tells")), "{help:#?}");
    assert!(help[23].starts_with("q quit"), "{help:#?}");
}

#[test]
fn whoever_types_sees_the_cursor() {
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let state = State { typing: true, filter: "日本".to_owned(), ..State::default() };
    terminal.draw(|frame| draw::draw(frame, &facts(), &state, Paint::Plain)).unwrap();
    terminal.backend_mut().assert_cursor_position((12, 23));
}

#[rstest]
#[case::nothing_counted(Topic::Ports, |_: &mut View| {}, "Nothing was counted yet.")]
#[case::no_evidence(Topic::Sources, |_: &mut View| {}, "Without evidence nobody is known: add [evidence] to the configuration.")]
#[case::nobody_yet(Topic::Sources, |view: &mut View| view.who = Some(Who::default()), "Nobody has sent anything in this hour and the last.")]
#[case::no_list(Topic::Countries, |view: &mut View| view.who = Some(Who { no_countries: Some("no list: add it".to_owned()), ..Who::default() }), "no list: add it")]
fn an_empty_table_says_why(#[case] topic: Topic, #[case] change: fn(&mut View), #[case] words: &str) {
    let mut view = View::default();
    change(&mut view);
    let mut facts = Facts::default();
    facts.answered(view);
    assert_eq!(screen(&facts, &State::new(topic), (80, 24))[6], words);
}

#[test]
fn more_rows_than_lines_are_scrolled() {
    let mut facts = facts();
    facts.view.services = (1..=100).map(|port| service(&format!("{port}/UDP"), None, 1_000 - port)).collect();
    let state = State { above: 90, ..State::default() };
    let screen = screen(&facts, &state, (80, 24));
    assert!(screen[6].contains(" 84 84/UDP") && screen[22].contains("100 100/UDP"), "{screen:#?}");
    assert!(screen[23].ends_with("84-100 of 100"), "{screen:#?}");
    let room = draw::room(&facts, &state, Size { width: 80, height: 24 });
    assert_eq!((room.rows, room.visible, room.columns.len()), (100, 17, 8));
}

#[rstest]
#[case::colours(Paint::Colours, true)]
#[case::none(Paint::Plain, false)]
fn colours_are_left_out(#[case] paint: Paint, #[case] has_colours: bool) {
    let mut facts = facts();
    facts.view.trouble = Some("it is gone".to_owned());
    let buffer = drawn(&facts, &State::default(), (80, 24), paint);
    let is_painted = |cell: &ratatui::buffer::Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
    assert_eq!(buffer.content.iter().any(is_painted), has_colours);
    // What is wrong is told apart without them too.
    assert!(buffer[(0, 1)].modifier.contains(Modifier::BOLD));
}

proptest! {
    #[test]
    fn whatever_it_is_told_is_drawn(
        name in any::<String>(),
        words in any::<String>(),
        filter in any::<String>(),
        numbers in any::<[u64; 4]>(),
        topic in 0..Topic::ALL.len(),
        above in any::<usize>(),
        size in (0_u16..300, 0_u16..100),
    ) {
        let mut view = view(0, 0);
        view.sensors[0].name.clone_from(&name);
        view.trouble = Some(words.clone());
        view.packets = numbers[0];
        view.passed.insert(name.clone(), numbers[1]);
        view.passed.insert(words.clone(), 0);
        view.services[0] = ServiceView { hours: vec![Some(numbers[1]), Some(numbers[2])], ..service(&name, Some(&words), numbers[3]) };
        view.tools[0] = Named { name: words.clone(), packets: numbers[0] };
        view.tools[1].packets = 0;
        view.constituencies.clear();
        if let Some(who) = &mut view.who {
            (who.observed, who.missed) = (numbers[2], numbers[3]);
            who.heaviest[0].belongs.as_name = Some(name.clone());
            who.heaviest[1].source.clone_from(&words);
            who.countries[0].of.clone_from(&name);
        }
        let mut facts = Facts::default();
        facts.answered(view.clone());
        view.time = at(-5);
        facts.answered(view);
        for state in [State { filter, above, ..State::new(Topic::ALL[topic]) }, State { above, ..State::new(Topic::ALL[topic]) }] {
            let buffer = drawn(&facts, &state, size, Paint::Colours);
            // Nothing that a terminal would do something by.
            prop_assert!(buffer.content.iter().all(|cell| !cell.symbol().contains(controls)));
            let room = draw::room(&facts, &state, Size { width: size.0, height: size.1 });
            prop_assert!(room.visible <= usize::from(size.1));
        }
    }
}
