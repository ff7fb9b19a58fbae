use std::collections::BTreeSet;
use std::fs;

use rstest::rstest;

use super::*;
use crate::report::fixture;
use crate::report::language::Language;
use crate::report::model::{CHANGES, Gap};
use crate::report::publish::{PublishOptions, publishable};
use crate::vocabulary::palette;

/// All files of a report by name.
fn written(report: &Report) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("a/b");
    let files = write(report, &below).unwrap();
    assert_eq!(fs::read_dir(&below).unwrap().count(), files.len(), "a file is left over");
    files
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

fn text(report: &Report, name: &str) -> String {
    let (_, bytes) = written(report).into_iter().find(|(file, _)| file == name).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn all_files_are_written_and_the_same_each_time() {
    let report = fixture::report();
    let files = written(&report);
    let names: BTreeSet<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "changes.csv",
        "changes.png",
        "changes.svg",
        "coverage.csv",
        "curves.csv",
        "curves.png",
        "curves.svg",
        "mirai-sources.csv",
        "monthly.csv",
        "monthly.png",
        "monthly.svg",
        "origins.csv",
        "notices.csv",
        "report.html",
        "report.json",
        "report.md",
        "sensors.csv",
        "shifts.csv",
        "source-shifts.csv",
        "sources-monthly.csv",
        "sources-services.csv",
        "sources.png",
        "sources.svg",
        "surges-of-one.csv",
        "surges.csv",
        "top.csv",
        "without.csv",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    assert_eq!(files, written(&report));
}

#[test]
fn a_directory_that_is_a_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taken");
    fs::write(&file, "").unwrap();
    let error = format!("{:#}", write(&fixture::report(), &file).unwrap_err());
    assert!(error.contains("taken") && error.contains("--output"), "{error}");
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("top.csv/in-the-way")).unwrap();
    let error = format!("{:#}", write(&fixture::report(), dir.path()).unwrap_err());
    assert!(error.contains("top.csv"), "{error}");
    assert!(!dir.path().join(".top.csv.unfinished").exists());
}

const TABLES: &[(&str, usize, &str)] = &[
    (
        "top.csv",
        0,
        "rank,service,name,packets,share,previous_rank,previous,sensors,mean_share,mean_share_rank,median_per_day",
    ),
    (
        "top.csv",
        3,
        "3,37215/TCP,Huawei routers,212345,0.10299265332491976,,outside-top10,6,0.10003333333333334,12,300",
    ),
    ("sensors.csv", 0, "sensor,region,1,2,3,4,5,6,7,8,9,10"),
    (
        "sensors.csv",
        1,
        "tokyo-dc3,japan,23/TCP,22/TCP,6379/TCP,8080/TCP,80/TCP,ICMP,443/TCP,3389/TCP,445/TCP,37215/TCP",
    ),
    ("sensors.csv", 5, "santiago-b2,overseas,23/TCP,ICMP,,,,,,,,"),
    (
        "sensors.csv",
        6,
        "\"<b>=1|2,\"\"x\"\"\",overseas,ICMP,443/TCP,3389/TCP,445/TCP,37215/TCP,53/UDP,4719/TCP,23/TCP,22/TCP,6379/TCP",
    ),
    ("monthly.csv", 1, "2023-10,home,,380000,93,4086.021505376344"),
    ("monthly.csv", 4, "2023-10,region,japan,380000,93,4086.021505376344"),
    (
        "surges.csv",
        7,
        "2,31337/TCP,,surge,2023-11-05,2023-11-05,false,2023-11-05,sensor,sensor-only,1,6,tokyo-dc3,japan,4321,12.5,3.2e-9,,,,,",
    ),
    (
        "surges.csv",
        1,
        "1,37215/TCP,Huawei routers,surge,2023-11-10,2023-11-21,false,2023-11-10,sensor,global,6,6,tokyo-dc3,japan,1234,12.5,3.2e-9,123456,203.0.113.9,0.0421,203.0.113.0/24,0.0712",
    ),
    (
        "surges-of-one.csv",
        3,
        "1,2323/TCP,Telnet alternative,surge,2023-12-20,2023-12-21,false,2023-12-20,sensor,region-only,3,6,sapporo-lab,japan,555,12.5,3.2e-9,123456,203.0.113.9,0.0421,203.0.113.0/24,0.9312,203.0.113.0/24,0.9312,3",
    ),
    (
        "origins.csv",
        0,
        "by,rank,name,packets,share,previous_share,sources_per_sensor_day,previous_rank,previous,holder",
    ),
    ("mirai-sources.csv", 3, "CN,2023-12,"),
    ("changes.csv", 5, "new,4719/TCP,Geutebrueck cameras,3.4,0"),
    ("coverage.csv", 2, "osaka-edge,japan,412346,75.25,0.8179347826086957,2023-11-03/2023-11-19,"),
    ("curves.csv", 0, "day,23/TCP,22/TCP,37215/TCP,8080/TCP,ICMP"),
    ("curves.csv", 71, "2023-12-10,,,,,"),
];

#[test]
fn tables_have_the_numbers_of_the_report() {
    let files = written(&fixture::report());
    for (name, line, expected) in TABLES {
        let (_, bytes) = files.iter().find(|(file, _)| file == name).unwrap();
        let text = std::str::from_utf8(bytes).unwrap();
        assert_eq!(text.split("\r\n").nth(*line), Some(*expected), "{name}, line {line}");
    }
}

/// What a reader must find, as HTML and as Markdown, in this order.
const PAGE: &[(&str, &str)] = &[
    ("Internet threat monitoring: 2023Q4", "# Internet threat monitoring: 2023Q4"),
    ("1 Oct – 31 Dec 2023, days in Asia/Tokyo. Compared with 2023Q3", "days in Asia/Tokyo"),
    (
        "6 sensors counted 2,061,749 packets, 3,852 per sensor and day (+14 % against 2023Q3).",
        "2,061,749 packets",
    ),
    (
        "23/TCP (Telnet) received the most packets: 34.6 % of all, first in 2023Q3 too.",
        "23/TCP (Telnet) received the most packets",
    ),
    ("In the top 10 of 6 of 6 sensors: ICMP.", "In the top 10 of 6 of 6 sensors: ICMP."),
    (
        "37215/TCP (Huawei routers) (outside the top 10 in 2023Q3) is new in the top 5.",
        "37215/TCP (Huawei routers) (outside the top 10 in 2023Q3) is new in the top 5.",
    ),
    ("A sensor in Japan received", "A sensor in Japan received"),
    ("4 surges were found, 1 in every region and 1 on one sensor only", "4 surges were found"),
    ("1 more that one source or one network made is listed apart.", "1 more that one source or one network"),
    (
        "1 of 6 sensors was observed for less than 90 % of the period; lowest: osaka-edge",
        "> **Coverage:** 1 of 6 sensors",
    ),
    ("Table 1. The 10 services that received the most packets at each sensor", "Table 1. The 10 services"),
    ("Home: Japan", "| **Home: Japan** |"),
    ("<th scope=\"rowgroup\" colspan=\"11\">Overseas</th>", "| **Overseas** |"),
    (
        "&lt;b&gt;=1|2,&quot;x&quot;",
        "| &lt;b&gt;=1\\|2,\"x\" | ICMP | 443/TCP | 3389/TCP | 445/TCP | 37215/TCP | 53/UDP |",
    ),
    ("Names: 22/TCP SSH; 23/TCP Telnet; ", "Names: 22/TCP SSH; 23/TCP Telnet; "),
    ("Table 2. Packets per sensor and day", "Table 2. Packets per sensor and day"),
    ("Oct 2023", "| Oct 2023 | 4,086 | 3,333 | 1.23 | 3,710 | 3,500 | 3,000 |"),
    (
        "<div class=\"wide\">",
        "![Figure 1. Packets per sensor and day, month by month, Japan against overseas, 2023Q4](monthly.png)",
    ),
    (
        "Of 6 sensors some tell nothing of it",
        "rest on 87.5 % of the packets of these days; there were at least so many.",
    ),
    ("Table 3. Distinct sources in a UTC day", "| Oct 2023 | 1,206 | 603 | 904 |"),
    (
        "Also in sources.png and sources.svg.",
        "![Figure 2. Distinct sources in a day per sensor, month by month, Japan against overseas, 2023Q4](sources.png)",
    ),
    ("Table 4. The services with most sources", "| 1 | 23/TCP (Telnet) | 812 | 3 | 1 = |"),
    (
        "Table 5. The services that received the most packets",
        "| 2 | 22/TCP (SSH) | 312,345 | 15.1 % | 10 % | 3 | 512 | 3 ▲ |",
    ),
    (
        "new in the top 10",
        "| 3 | 37215/TCP (Huawei routers) | 212,345 | 10.3 % | 10 % | 12 | 300 | new in the top 10 |",
    ),
    (
        "osaka-edge alone received 75 % of the packets to 8080/TCP",
        "osaka-edge alone received 75 % of the packets to 8080/TCP",
    ),
    ("<div class=\"narrow\">", "](curves.png)"),
    ("Table 6. The countries that most packets came from", "| 2 | China | 250,000 | 16.7 % | 167 | 2 = |"),
    ("<td>XK</td>", "| 5 | XK |"),
    ("AS64496 Example Net", "| 1 | AS64496 Example Net |"),
    ("AS4200000000", "| 2 | AS4200000000 |"),
    ("ZMap, likely", "| ZMap, likely | 125,000 | 8.3 % | 4.2 % |"),
    ("SYNs with Mirai&#39;s mark", "SYNs with Mirai's mark"),
    ("Distinct sources of SYNs with Mirai&#39;s mark", "| China | 12.5 | 0.25 | – |"),
    (
        "34.2 % of the packets whose sources were looked at came from known scanners, 30 % in 2023Q3",
        "512,345 of 1,500,000",
    ),
    ("=HYPERLINK(&quot;x&quot;)&lt;b&gt;|", "| 2 | =HYPERLINK(\"x\")&lt;b&gt;\\| |"),
    ("The top 10 of each sensor without known scanners", "| tokyo-dc3 |"),
    ("secret-customer", "| 1 | secret-customer |"),
    ("Distinct addresses under denial of service", "| Dec 2023 |"),
    (
        "6 of 6: Japan 3, Overseas 3",
        "| 10 – 21 Nov 2023 | 37215/TCP (Huawei routers) | global | 6 of 6: Japan 3, Overseas 3 | ×98.7 | many, at most 7.1 % from one /24, by files of 40 of 48 hours | ▁▁▁▁▁▁▁▁▁▁██████████ |",
    ),
    ("sensor-only: tokyo-dc3", "sensor-only: tokyo-dc3 | 1 of 6: Japan 1 |"),
    ("region-only: Japan", "region-only: Japan | 3 of 6: Japan 3 |"),
    ("Surges of one source", "## Surges of one source"),
    (
        "not counted among the surges above",
        "3 of 6: Japan 3 | ×44.4 | 93.1 % from one /24 (203.0.113.0/24) |",
    ),
    ("Overseas fell", "| Overseas fell | 3 |"),
    (
        "Distinct sources, in all or of a country",
        "| 5 – 9 Dec 2023 | Iran fell | global | 4 of 4 | 6.0 | 300 | −98 % |",
    ),
    ("Figure 4. What rose (right) and fell (left) most", "](changes.png)"),
    ("×32.3", "| 37215/TCP (Huawei routers) | 397 | 12.3 | ×32.3 |"),
    ("−100 %", "| 1433/TCP (Microsoft SQL Server) | &lt;0.01 | 31.7 | −100 % |"),
    ("Services of which nothing is recorded in 2023Q3", "| 4719/TCP (Geutebrueck cameras) | 3.4 |"),
    ("6 sensors observed for 535 days together", "6 sensors observed for 535 days together"),
    ("3 – 19 Nov 2023", "| osaka-edge | Japan | 412,346 | 75.2 | 81.8 % | 3 – 19 Nov 2023 |"),
    ("The top 5 is by packets of all sensors together", "The mean share is a service's part"),
    (
        "over 1, 3, 7 or 14 days, and 3 times what was reached on two occasions in the baseline",
        "The baseline is of the 28 days before on which the sensor observed (7 or more)",
    ),
    ("Benjamini–Hochberg over events; 55,200 days of services", "5 % at most are false on average"),
    ("A service without a series on a day", "is taken as an average day of these."),
    ("1 of 6 sensors observed less than nine tenths of the period.", "- 1 of 6 sensors observed less"),
];

#[test]
fn the_page_has_everything_in_its_order() {
    let report = fixture::report();
    let (html, markdown) = (text(&report, "report.html"), text(&report, "report.md"));
    let (_, mut html) = html.split_once("<body>").unwrap();
    let mut markdown = markdown.as_str();
    for (in_html, in_markdown) in PAGE {
        html = html.split_once(in_html).unwrap_or_else(|| panic!("no {in_html} in {html}")).1;
        markdown =
            markdown.split_once(in_markdown).unwrap_or_else(|| panic!("no {in_markdown} in {markdown}")).1;
    }
}

#[rstest]
#[case::quarter(fixture::report())]
#[case::fleet(fixture::fleet(60))]
#[case::nothing(fixture::nothing())]
fn pages_and_figures_are_well_formed(#[case] report: Report) {
    for (name, bytes) in written(&report) {
        let text = String::from_utf8_lossy(&bytes);
        match name.rsplit_once('.').unwrap().1 {
            "html" | "svg" => {
                let text = text.strip_prefix("<!DOCTYPE html>\n").unwrap_or(&text);
                let tree = resvg::usvg::roxmltree::Document::parse(text);
                let tree = tree.unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
                for scripted in tree.descendants().filter(resvg::usvg::roxmltree::Node::is_element) {
                    assert_ne!(scripted.tag_name().name(), "script");
                    let fetched = ["src", "href", "onload", "onclick"];
                    assert!(!fetched.iter().any(|name| scripted.has_attribute(*name)), "{scripted:?}");
                }
            }
            "png" => assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n"),
            "json" => drop(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()),
            "csv" => assert!(text.ends_with("\r\n")),
            _ => assert!(text.starts_with("# Internet threat monitoring")),
        }
    }
}

#[test]
fn a_figure_has_text_without_any_font_of_the_system() {
    let figures = figures::draw(&fixture::report()).unwrap();
    let fonts = png::Fonts::of(Language::English).unwrap();
    for figure in figures.all() {
        let without = figure.wide.replace("<text", "<text opacity-was=\"1\" display=\"none\"");
        assert_ne!(fonts.render(&figure.wide).unwrap(), fonts.render(&without).unwrap(), "{}", figure.svg);
    }
}

#[rstest]
#[case::told(fixture::report(), &["monthly.svg", "sources.svg", "curves.svg", "changes.svg"])]
#[case::no_sensor_tells_sources(fixture::nothing(), &["monthly.svg", "curves.svg", "changes.svg"])]
fn figures_are_numbered_in_their_order(#[case] report: Report, #[case] expected: &[&str]) {
    let figures: Vec<_> = figures::draw(&report).unwrap().all().collect();
    assert_eq!(figures.iter().map(|figure| figure.svg).collect::<Vec<_>>(), expected);
    for (at, figure) in figures.iter().enumerate() {
        assert!(figure.title.starts_with(&format!("Figure {}. ", at + 1)), "{}", figure.title);
    }
}

#[test]
fn the_style_knows_the_colours_that_it_changes() {
    for colour in [palette::INK, palette::LINES, palette::PAPER, palette::BLUE] {
        assert!(html::STYLE.contains(&format!("=\"{colour}\"]")), "{colour}");
    }
}

#[test]
fn a_large_fleet_gives_a_page_that_stays_usable() {
    let report = fixture::fleet(1_000);
    let files = written(&report);
    let file = |name: &str| {
        let (_, bytes) = files.iter().find(|(file, _)| file == name).unwrap();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let html = file("report.html");
    assert!(html.len() < 1 << 20, "{} bytes", html.len());
    assert!(html.contains("800 more sensors are in sensors.csv."));
    assert!(html.contains("9,970 more surges are in surges.csv."));
    assert!(html.contains("800 more sensors are in coverage.csv."));
    assert_eq!(file("sensors.csv").lines().count(), 1_001);
    assert_eq!(file("coverage.csv").lines().count(), 1_001);
    assert_eq!(file("surges.csv").lines().count(), 60_001);
}

#[test]
fn a_sensor_cannot_be_taken_for_complete_if_it_is_not() {
    let mut report = fixture::fleet(60);
    for sensor in &mut report.sensors[1..] {
        sensor.gaps.clear();
    }
    let markdown = text(&report, "report.md");
    let (_, coverage) = markdown.split_once("## Coverage").unwrap();
    assert!(coverage.contains("59 had no day below 90 %"), "{coverage}");
    assert!(coverage.contains("| japan-0000 |") && !coverage.contains("japan-0001"), "{coverage}");
    assert!(!markdown.contains("**Coverage:**"), "nothing to warn of: {markdown}");
}

#[test]
fn changes_that_are_not_on_the_page_are_in_the_table() {
    let mut report = fixture::report();
    let change = report.rose[0].clone();
    report.rose = vec![change.clone(); 25];
    report.fell = vec![change.clone(); 26];
    report.new = vec![change; CHANGES];
    let (html, markdown) = (text(&report, "report.html"), text(&report, "report.md"));
    for page in [html, markdown] {
        for more in [
            "15 more that rose are in changes.csv",
            "16 more that fell are in changes.csv",
            "980 more are in changes.csv",
            "the first 1,000 each are kept",
        ] {
            assert!(page.contains(more), "no {more} in {page}");
        }
    }
    assert_eq!(text(&report, "changes.csv").lines().count(), 1 + 25 + 26 + CHANGES);
    let json: serde_json::Value = serde_json::from_str(&text(&report, "report.json")).unwrap();
    assert_eq!(json["new"].as_array().unwrap().len(), CHANGES);
}

#[test]
fn what_had_few_packets_before_is_not_called_new() {
    let mut report = fixture::report();
    report.rose[1] =
        crate::report::model::Change { service: fixture::service("8443/TCP"), now: 584.0, before: 0.011 };
    let public = publishable(&report, &fixture::spread(&report), &PublishOptions::default()).unwrap();
    let markdown = text(&public, "report.md");
    assert!(markdown.contains("| 8443/TCP (HTTPS alternative) | 584 | 0 | – |"), "{markdown}");
}

#[test]
fn a_silent_sensor_is_in_every_list() {
    let mut report = fixture::report();
    let silent = &mut report.sensors[2];
    (silent.packets, silent.observed_days, silent.coverage) = (0, 0.0, 0.0);
    silent.top.clear();
    silent.gaps = vec![Gap { from: report.period.from, to: report.period.to }];
    let public = publishable(&report, &fixture::spread(&report), &PublishOptions::default()).unwrap();
    for (report, coverage) in [
        (&report, "| sapporo-lab | Japan | 0 | 0 | 0 % | 1 Oct – 31 Dec 2023 |"),
        (&public, " | Japan | <10 | 0 | 0 % | not published |"),
    ] {
        let markdown = text(report, "report.md").replace("&lt;", "<");
        assert!(markdown.contains(coverage), "no {coverage} in {markdown}");
        assert!(markdown.contains("5 sensors counted "), "{markdown}");
        assert!(
            markdown.contains(" | not observed |  |  |  |  |  |  |  |  |  |\n"),
            "no empty row in {markdown}"
        );
        assert!(text(report, "sensors.csv").contains(",japan,,,,,,,,,,\r\n"));
        assert!(text(report, "report.html").contains("2 of 6 sensors were observed for less than 90 %"));
    }
    assert!(text(&report, "coverage.csv").contains("sapporo-lab,japan,0,0,0,2023-10-01/2023-12-31,\r\n"));
}

#[test]
fn an_empty_report_says_so() {
    let markdown = text(&fixture::nothing(), "report.md");
    for sentence in
        ["No packet was counted.", "No sensor was seen in the period.", "Nothing rose. Nothing fell."]
    {
        assert!(markdown.contains(sentence), "no {sentence} in {markdown}");
    }
}

#[test]
fn nothing_is_new_if_nothing_is_known_of_the_previous_period() {
    let mut report = fixture::report();
    report.totals.previous_packets = 0;
    report.totals.previous_sensor_days = 0.0;
    for row in &mut report.top {
        row.previous_rank = None;
    }
    let markdown = text(&report, "report.md");
    assert!(
        markdown.contains(
            "3,852 per sensor and day. 23/TCP (Telnet) received the most packets: 34.6 % of all. In"
        ),
        "{markdown}"
    );
    assert!(
        markdown.contains("| 1 | 23/TCP (Telnet) | 712,345 | 34.6 % | 10 % | 2 | 1,200 | – |"),
        "{markdown}"
    );
    assert!(!markdown.contains("outside the top"), "{markdown}");
}
