//! Whole files that are wrong, and what is said of them.

use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;

use super::super::validate::settings;
use super::super::*;

/// What is said of a file of this content named `f`.
fn errors(content: &[u8]) -> Vec<String> {
    settings(Path::new("f"), content).unwrap_err().lines().to_vec()
}

/// That many `[[sensor]]` tables.
fn many_sensors(count: u8) -> String {
    let table = |n| format!("[[sensor]]\nname = \"{n}\"\nprefixes = [\"192.0.2.{n}\"]");
    (0..count).map(table).collect::<Vec<_>>().join("\n")
}

#[rstest]
#[case::syntax("interfaces = [\n", "f:1: unclosed array, expected `]`")]
#[case::syntax_later(
    "mode = \"auto\"\nlisten = \n",
    "f:2: string values must be quoted, expected literal string"
)]
#[case::constituency_without_addresses(
    "[[constituency]]\nname = \"a\"",
    r#"f:1: constituency "a" has no addresses: give it prefixes, as or countries"#
)]
#[case::constituency_of_an_unknown_country(
    "[[constituency]]\nname = \"a\"\ncountries = [\"JP\"]",
    r#"f:1: constituency "a" has countries, which no file tells: set countries in [sources], or write prefixes"#
)]
#[case::constituency_of_an_unknown_system(
    "[[constituency]]\nname = \"a\"\nas = [64496]",
    r#"f:1: constituency "a" has as, which no file tells: set autonomous_systems in [sources], or write prefixes"#
)]
#[case::no_country(
    "[sources]\ncountries = \"/c\"\n[[constituency]]\nname = \"a\"\ncountries = [\"Japan\"]",
    r#"f:5: country "Japan" is no country: write its two letters, as in JP"#
)]
#[case::no_system(
    "[sources]\nautonomous_systems = \"/a\"\n[[constituency]]\nname = \"a\"\nas = [0]",
    "f:5: as 0 is no autonomous system: write its number, 1 to 4294967295"
)]
#[case::notices_without_evidence(
    "[notices]\n[[constituency]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\"]",
    "f:1: [notices] without [evidence], of which notices are made: add an [evidence] table, or remove this table"
)]
#[case::notices_of_nobody(
    "[evidence]\n[notices]",
    "f:2: [notices] without [[constituency]], whose addresses notices are about: add one, or remove this table"
)]
#[case::notices_to_somewhere(
    "[evidence]\n[notices]\nlog = \"notices.jsonl\"\n[[constituency]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\"]",
    r#"f:3: log "notices.jsonl" is not the whole path of a file: write it from / on"#
)]
#[case::notices_by_no_template(
    "[evidence]\n[notices]\ntemplate = \"/nowhere/t\"\n[[constituency]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\"]",
    r#"f:3: template "/nowhere/t" cannot be read: No such file or directory (os error 2); name a file that can be"#
)]
#[case::constituency_twice(
    "[[constituency]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\"]\n[[constituency]]\nname = \"a\"\nprefixes = [\"11.0.0.0/8\"]",
    r#"f:5: constituency name "a" is there already, on line 2: remove one"#
)]
#[case::key_twice("mode = \"auto\"\nmode = \"auto\"", r#"f:2: key "mode" is there already: remove one"#)]
#[case::unknown_key(
    "mode = \"auto\"\ncolour = 1",
    "f:2: unknown key `colour`, expected one of `interfaces`, `listen`, `hosts`, `drain_interval`, `mode`, `observe`, `kernel_log`, `sensor`, `export`, `socket`, `page`, `allow`, `evidence`, `store`, `sources`, `notices`, `constituency`"
)]
#[case::host_with_a_port(
    "hosts = [\n  \"a.example\",\n  \"b.example:80\"]",
    r#"f:3: host "b.example:80" is not a host's name: write one as in sensor-1.example.net, without a port"#
)]
#[case::host_that_is_an_address(
    "hosts = [\"192.0.2.1\"]",
    r#"f:1: host "192.0.2.1" is an address, by which the sensor may be asked anyway: remove it"#
)]
#[case::allow_nobody(
    "mode = \"auto\"\n[[allow]]\nfrom = []\ntcp = [22]",
    "f:2: from is empty: name who may reach the host, or remove the rule"
)]
#[case::allow_nothing(
    "[[allow]]\nfrom = [\"192.0.2.0/24\"]",
    "f:1: the rule allows nothing: give it tcp or udp ports, or icmp_echo = true"
)]
#[case::allow_without_sources("[[allow]]\ntcp = [22]", "f:1: missing key `from` in `allow`")]
#[case::allowed_prefix(
    "[[allow]]\ntcp = [22]\nfrom = [\n  \"192.0.2.0/24\",\n  \"192.0.2.0/33\",\n]",
    r#"f:5: prefix "192.0.2.0/33" has more than 32 bits"#
)]
#[case::allowed_port(
    "[[allow]]\nfrom = [\"192.0.2.0/24\"]\nudp = [\n  161,\n  65536]",
    "f:5: udp port 65536 is out of bounds: write 0 to 65535"
)]
#[case::too_many_rules(
    &"[[allow]]\nfrom = [\"192.0.2.0/24\"]\ntcp = [22]\n".repeat(65),
    "f:193: 65 allow rules, more than 64: merge or remove some"
)]
#[case::too_many_services(
    &format!("[[allow]]\nfrom = [\"192.0.2.0/24\"]\ntcp = {:?}", (0..4097).collect::<Vec<_>>()),
    "f:1: 4097 allow services, more than 4096: merge or remove some"
)]
#[case::unknown_key_of_a_sensor(
    "[[sensor]]\nname = \"a\"\nprefix = []",
    "f:3: unknown key `prefix`, expected one of `name`, `region`, `alias`, `prefixes` in `sensor`"
)]
#[case::unknown_key_of_export(
    "[export]\nport = 1",
    "f:2: unknown key `port`, expected `ports` or `max_ports` in `export`"
)]
#[case::text_expected(
    "mode = \"auto\"\ndrain_interval = 10",
    "f:2: invalid type: integer `10`, expected a string in `drain_interval`; put the value in double quotes"
)]
#[case::text_expected_in_a_list(
    "[export]\nports = [\n  \"22/tcp\",\n  23,\n]",
    "f:4: invalid type: integer `23`, expected a string in `export.ports`; put the value in double quotes"
)]
#[case::list_expected(
    "interfaces = \"eth0\"",
    r#"f:1: invalid type: string "eth0", expected a list in `interfaces`; put the value in square brackets"#
)]
#[case::list_expected_in_a_sensor("[[sensor]]\nname = \"a\"\nprefixes = \"10.0.0.0/8\"", r#"f:3: invalid type: string "10.0.0.0/8", expected a list in `sensor.prefixes`; put the value in square brackets"#)]
#[case::tables_expected(
    "\n[sensor]\nname = \"a\"",
    "f:2: one table, expected a list of tables in `sensor`; write its heading in double brackets, as in [[sensor]] or [[allow]]"
)]
#[case::number_expected(
    "[export]\nmax_ports = \"5\"",
    r#"f:2: invalid type: string "5", expected a whole number below 2^63 in `export.max_ports`; write one without quotes and without a point"#
)]
#[case::number_too_large(
    "[export]\nmax_ports = 99999999999999999999",
    "f:2: invalid type: integer `99999999999999999999`, expected a whole number below 2^63 in `export.max_ports`; write one without quotes and without a point"
)]
#[case::whole_number_expected(
    "[export]\nmax_ports = 5.0",
    "f:2: invalid type: floating point `5.0`, expected a whole number below 2^63 in `export.max_ports`; write one without quotes and without a point"
)]
#[case::truth_expected(
    "observe = \"yes\"",
    r#"f:1: invalid type: string "yes", expected true or false in `observe`; write one of these without quotes"#
)]
#[case::list_not_table(
    "[interfaces]\nname = \"eth0\"",
    "f:1: invalid type: table, expected a list in `interfaces`; put the value in square brackets"
)]
#[case::sensor_as_text(
    "sensor = \"a\"",
    r#"f:1: invalid type: string "a", expected a list of tables in `sensor`; write its heading in double brackets, as in [[sensor]] or [[allow]]"#
)]
#[case::sensors_as_texts(
    "sensor = [\"a\"]",
    r#"f:1: invalid type: string "a", expected a list of tables in `sensor`; write its heading in double brackets, as in [[sensor]] or [[allow]]"#
)]
#[case::export_as_number(
    "export = 5",
    "f:1: invalid type: integer `5`, expected a table in `export`; write its heading as in [export]"
)]
#[case::export_twice_bracketed(
    "[[export]]\nmax_ports = 5",
    "f:1: a list of tables, expected a table in `export`; write its heading as in [export]"
)]
#[case::below_the_first_table(
    "[[sensor]]\nname = \"a\"\ninterfaces = [\"eth0\"]",
    "f:3: unknown key `interfaces` in `sensor`: it is of the whole file, move it above the first heading in brackets"
)]
#[case::below_export(
    "[export]\nobserve = true",
    "f:2: unknown key `observe` in `export`: it is of the whole file, move it above the first heading in brackets"
)]
#[case::above_its_heading(
    "tcp = [22]",
    "f:1: unknown key `tcp` above the first heading: it is of [[allow]], move it below that heading"
)]
#[case::in_another_table(
    "[[sensor]]\nname = \"a\"\nmax_ports = 5",
    "f:3: unknown key `max_ports` in `sensor`: it is of [export], move it below that heading"
)]
#[case::service_name(
    "[[allow]]\nfrom = [\"192.0.2.0/24\"]\ntcp = [\"ssh\"]",
    r#"f:3: tcp port "ssh" is not a number: write the service's port, as in [22] for SSH"#
)]
#[case::range(
    "[[allow]]\nfrom = [\"192.0.2.0/24\"]\nudp = [53, \"1-100\"]",
    r#"f:3: udp port "1-100" is a range: write each port that is meant, as in [8080, 8081]"#
)]
#[case::port_in_quotes(
    "[[allow]]\nfrom = [\"192.0.2.0/24\"]\ntcp = [\"22\"]",
    r#"f:3: tcp port "22" is in quotes: write the number alone, 22"#
)]
#[case::port_as_exported(
    "[[allow]]\nfrom = [\"192.0.2.0/24\"]\ntcp = [\"22/tcp\"]",
    r#"f:3: tcp port "22/tcp" is in quotes: write the number alone, 22"#
)]
#[case::port_of_another_type(
    "[[allow]]\nfrom = [\"192.0.2.0/24\"]\ntcp = [22.5]",
    "f:3: invalid type: floating point `22.5`, expected a port number in `allow.tcp`; write numbers without quotes, as in [22, 80]"
)]
#[case::one_port_without_brackets(
    "[[allow]]\nfrom = [\"192.0.2.0/24\"]\ntcp = 22",
    "f:3: invalid type: integer `22`, expected a list in `allow.tcp`; put the value in square brackets"
)]
#[case::from_nobody_s_address(
    "[[allow]]\nfrom = [\"0.0.0.0\"]\ntcp = [22]",
    r#"f:2: prefix "0.0.0.0" is the one address that no packet has: write "0.0.0.0/0" if every address is meant"#
)]
#[case::monitoring_nobody_s_address(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"::\"]",
    r#"f:3: prefix "::" is the one address that no packet has: write "::/0" if every address is meant"#
)]
#[case::no_prefixes(
    "[[sensor]]\nname = \"a\"\nprefixes = []",
    "f:3: prefixes is empty: list some, or remove the key to monitor every address"
)]
#[case::no_prefixes_among_others(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"::/0\"]\n[[sensor]]\nname = \"b\"\nprefixes = []",
    "f:6: prefixes is empty: list some"
)]
#[case::a_long_value(
    &format!("mode = \"{}\"", "m".repeat(1_000)),
    &format!(r#"f:1: mode "{}…" is unknown: write "auto" or "native" or "generic""#, "m".repeat(200))
)]
#[case::a_long_value_of_a_wrong_type(
    &format!("observe = \"{}\"", "y".repeat(1_000)),
    &format!(
        r#"f:1: invalid type: string "{}…", expected true or false in `observe`; write one of these without quotes"#,
        "y".repeat(200)
    )
)]
#[case::a_long_key(
    &format!("[export]\n{} = 1", "k".repeat(1_000)),
    &format!(
        "f:2: unknown key `{}…`, expected `ports` or `max_ports` in `export`",
        "k".repeat(200)
    )
)]
#[case::a_value_that_turns_the_line_around(
    "mode = \"\u{202e}otua\"",
    r#"f:1: mode "\u{202e}otua" is unknown: write "auto" or "native" or "generic""#
)]
#[case::a_key_that_turns_the_line_around(
    "[export]\n\"\u{202e}edom\" = 1",
    "f:2: unknown key `\\u{202e}edom`, expected `ports` or `max_ports` in `export`"
)]
#[case::sensor_without_a_name(
    "mode = \"auto\"\n[[sensor]]\nregion = \"a\"",
    "f:2: missing key `name` in `sensor`"
)]
#[case::no_interfaces(
    "\ninterfaces = []",
    r#"f:2: interfaces is empty: name one as in ["eth0"], or remove the key"#
)]
#[case::interface_too_long(
    "interfaces = [\n\"abcdefghijklmnop\"]",
    r#"f:2: interface "abcdefghijklmnop" is longer than 15 bytes: write a name as in `ip link`"#
)]
#[case::interface_name(
    r#"interfaces = ["a/b"]"#,
    r#"f:1: interface "a/b" is not a name that an interface can have: write one as in `ip link`"#
)]
#[case::interface_twice(
    "interfaces = [\"a\",\n\"b\",\n\"a\"]",
    r#"f:3: interface "a" is there already, on line 1: remove one"#
)]
#[case::listen(
    r#"listen = "localhost:80""#,
    r#"f:1: listen "localhost:80" is not an address and a port: write them as in 127.0.0.1:19817 or [::1]:19817"#
)]
#[case::interval(
    r#"drain_interval = "10""#,
    r#"f:1: drain_interval "10" is not a time: write a whole number and s, m or h, such as 10s"#
)]
#[case::interval_bounds(
    r#"drain_interval = "2h""#,
    r#"f:1: drain_interval "2h" is out of bounds: write a time from 1s to 1h"#
)]
#[case::mode(r#"mode = "fast""#, r#"f:1: mode "fast" is unknown: write "auto" or "native" or "generic""#)]
#[case::kernel_log(
    r#"kernel_log = "loud""#,
    r#"f:1: kernel_log "loud" is unknown: write "off" or "error" or "warn" or "info" or "debug" or "trace""#
)]
#[case::sensor_name_empty(
    "[[sensor]]\nname = \"\"",
    r#"f:2: sensor name "" is empty: give it a name, such as "japan-1""#
)]
#[case::socket_path(
    "[socket]\npath = \"run/s.sock\"\n",
    r#"f:2: socket path "run/s.sock" is not the whole path of a file: write one as in "/run/sensor/sensor.sock""#
)]
#[case::page_path(
    "[page]\npath = \"page.sock\"\n",
    r#"f:2: page path "page.sock" is not the whole path of a file: write one as in "/run/sensor/sensor.sock""#
)]
#[case::addresses_in_quotes(
    "[page]\naddresses_on_loopback = \"yes\"\n",
    "f:2: invalid type: string \"yes\", expected true or false in `page.addresses_on_loopback`; write one of these without quotes"
)]
#[case::sensor_name_control(
    "[[sensor]]\nname = \"a\\u001b[2J\"",
    r#"f:2: sensor name "a\u{1b}[2J" has a control character: remove it"#
)]
#[case::region_blank(
    "[[sensor]]\nname = \"a\"\nregion = \" a\"",
    r#"f:3: region " a" begins or ends with a space: remove it"#
)]
#[case::sensor_name_twice(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"::/1\"]\n[[sensor]]\nname = \"a\"\nprefixes = [\"8000::/2\"]",
    r#"f:5: sensor name "a" is there already, on line 2: remove one"#
)]
#[case::second_sensor_without_prefixes(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"::/0\"]\n[[sensor]]\nname = \"b\"",
    r#"f:5: sensor "b" has no prefixes: give it some, since it is not the only sensor"#
)]
#[case::prefix(
    "[[sensor]]\nname = \"a\"\nprefixes = [\n  \"10.0.0.0/8\",\n  \"198.51.100.7/33\",\n]",
    r#"f:5: prefix "198.51.100.7/33" has more than 32 bits"#
)]
#[case::prefix_twice(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"10.1.1.1\",\n\"10.1.1.1/32\"]",
    r#"f:4: prefix "10.1.1.1/32" is the same as "10.1.1.1/32" on line 3: remove one"#
)]
#[case::prefix_within(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\",\n\"10.1.0.0/16\"]",
    r#"f:4: prefix "10.1.0.0/16" lies within "10.0.0.0/8" on line 3: remove one"#
)]
#[case::prefix_around(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"2001:db8:7::/64\",\n\"2001:db8::/32\"]",
    r#"f:4: prefix "2001:db8::/32" contains "2001:db8:7::/64" on line 3: remove one"#
)]
#[case::prefix_of_two_sensors(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\"]\n[[sensor]]\nname = \"b\"\nprefixes = [\"10.1.0.0/16\"]",
    r#"f:6: prefix "10.1.0.0/16" of sensor "b" lies within "10.0.0.0/8" of sensor "a" on line 3: remove one"#
)]
#[case::port_without_transport(
    "[export]\nports = [\"23\"]",
    r#"f:2: port "23" has no transport: write "23/tcp" or "23/udp""#
)]
#[case::port_transport(
    "[export]\nports = [\"23/sctp\"]",
    r#"f:2: port "23/sctp" has a transport other than tcp and udp"#
)]
#[case::port_in_capitals(
    "[export]\nports = [\"22/TCP\"]",
    r#"f:2: port "22/TCP" has capital letters: write "22/tcp""#
)]
#[case::port_number(
    "[export]\nports = [\"70000/tcp\"]",
    r#"f:2: port "70000/tcp" has no number from 0 to 65535: write a port and its transport, such as "23/tcp""#
)]
#[case::port_twice(
    "[export]\nports = [\"23/tcp\",\n\"23/udp\",\n\"23/tcp\"]",
    r#"f:4: port "23/tcp" is there already, on line 2: remove one"#
)]
#[case::fewer_than_listed(
    "[export]\nports = [\"23/tcp\", \"22/tcp\"]\nmax_ports = 1",
    "f:3: max_ports 1 is less than the 2 listed ports: raise it, or list fewer"
)]
#[case::too_many_series(
    &format!("[export]\nmax_ports = 0\n{}", many_sensors(9)),
    "f:2: max_ports 0 is 1179648 series with 9 sensors, more than 1048576: lower it"
)]
#[case::max_ports_negative(
    "[export]\nmax_ports = -1",
    "f:2: max_ports -1 is out of bounds: write 1 to 131072, or 0 for every port"
)]
#[case::max_ports_too_large(
    "[export]\nmax_ports = 131073",
    "f:2: max_ports 131073 is out of bounds: write 1 to 131072, or 0 for every port"
)]
#[case::evidence_twice(
    "[[evidence]]\nbudget = 5",
    "f:1: a list of tables, expected a table in `evidence`; write its heading as in [export]"
)]
#[case::store_age(
    "[store]\nmax_age = \"90\"",
    r#"f:2: max_age "90" is not a time: write a whole number and h or d, such as 90d"#
)]
#[case::store_size(
    "[store]\nmax_size = \"1MiB\"",
    r#"f:2: max_size "1MiB" is out of bounds: write 65536KiB to 1024TiB"#
)]
#[case::store_path(
    "[store]\npath = \"x\"",
    r#"f:2: path "x" is not the whole path of a folder: write it from / on"#
)]
#[case::sources_of_nothing(
    "[sources]\nmax_labels = 5",
    "f:1: [sources] without [evidence], of which sources are told: add an [evidence] table, or remove this one"
)]
#[case::sources_path(
    "[evidence]\n[sources]\ncountries = \"GeoLite2.mmdb\"",
    "f:3: countries \"GeoLite2.mmdb\" is not the whole path of a file: write it from / on"
)]
#[case::no_labels(
    "[evidence]\n[sources]\nmax_labels = 0",
    "f:3: max_labels 0 is out of bounds: write 1 to 1000"
)]
#[case::victim_time(
    "[evidence]\n[sources]\nvictim_time = \"60\"",
    "f:3: victim_time \"60\" is not a time: write a whole number and s, m or h, such as 10s"
)]
#[case::little_memory(
    "[[sensor]]\nname = \"a\"\nprefixes = [\"192.0.2.0/24\"]\n[[sensor]]\nname = \"b\"\nprefixes = [\"198.51.100.0/24\"]\n\
     [evidence]\n[sources]\nmemory = \"3MiB\"",
    "f:9: memory \"3MiB\" is less than 2MiB for each of 2 sensors: raise it"
)]
#[case::no_budget("[evidence]\nbudget = 0", "f:2: budget 0 is out of bounds: write 1 to 1000000")]
#[case::snap_length("[evidence]\nsnap_length = 63", "f:2: snap_length 63 is out of bounds: write 64 to 1514")]
#[case::evidence_path(
    "[evidence]\npath = \"evidence\"",
    r#"f:2: path "evidence" is not the whole path of a folder: write it from / on"#
)]
#[case::evidence_size(
    "[evidence]\nmax_size = \"1GB\"",
    r#"f:2: max_size "1GB" is not a size: write it as in 64MiB or 1GiB"#
)]
fn one_mistake_is_one_line(#[case] content: &str, #[case] error: &str) {
    assert_eq!(errors(content.as_bytes()), [error]);
}

#[test]
fn other_encodings_are_refused() {
    assert_eq!(errors(b"mode = 'auto'\nlisten = '\xe9'"), ["f:2: not UTF-8: save the file in that encoding"]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let content =
        "interfaces = ['a b']\nlisten = 'here'\n[[sensor]]\nname = 'a'\nprefixes = ['x', '::/129']\n";
    let lines = errors(content.as_bytes());
    let places: Vec<_> =
        lines.iter().map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [r#"f:1: interface "a"#, r#"f:2: listen "here""#, r#"f:5: prefix "x""#, r#"f:5: prefix "::/129""#]
    );
}

#[test]
fn too_many_sensors_are_refused() {
    let table = |number| format!("[[sensor]]\nname = \"s{number}\"\nprefixes = [\"10.0.0.{number}\"]\n");
    let most: String = (0..128).map(table).collect();
    assert_eq!(settings(Path::new("f"), most.as_bytes()).unwrap().sensors.len(), 128);
    let error = r#"f:386: sensor "s128" is one of 129, more than 128: merge or remove some"#;
    assert_eq!(errors((most + &table(128)).as_bytes()), [error]);
}

#[test]
fn too_many_prefixes_are_refused() {
    let prefixes = |count: u32| -> String {
        let lines = (0..count).map(|number| format!("\"{}\",\n", Ipv4Addr::from_bits(number + 1)));
        format!("[[sensor]]\nname = \"a\"\nprefixes = [\n{}]", lines.collect::<String>())
    };
    assert!(settings(Path::new("f"), prefixes(65_536).as_bytes()).is_ok());
    let error = "f:65540: 65537 prefixes, more than 65536: merge or remove some";
    assert_eq!(errors(prefixes(65_537).as_bytes()), [error]);
}

#[rstest]
#[case::no_interface(
    Input::default(),
    "no interface to attach to: pass --interface eth0, or set interfaces = [\"eth0\"] in the file of --config"
)]
#[case::interface_twice(
    Input { interfaces: vec!["a".to_owned(), "a".to_owned()], ..Default::default() },
    r#"--interface "a" is given twice: give it once"#
)]
#[case::no_file(
    Input { file: Some("/nonexistent/f".into()), ..Default::default() },
    "cannot read the configuration /nonexistent/f: No such file or directory (os error 2); name a file that can be read"
)]
#[case::directory(
    Input { file: Some("/".into()), ..Default::default() },
    "cannot read the configuration /: Is a directory (os error 21); name a file that can be read"
)]
#[case::device(
    Input { file: Some("/dev/zero".into()), ..Default::default() },
    "cannot read the configuration /dev/zero: it is a pipe, a socket or a device; name a file that can be read"
)]
fn flags_alone_can_be_wrong(#[case] flags: Input, #[case] error: &str) {
    assert_eq!(Config::load(flags).unwrap_err().to_string(), error);
}

#[test]
fn nobody_is_waited_for_at_the_other_end_of_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = Config::load(Input { file: Some(pipe), ..Default::default() }).unwrap_err().to_string();
    assert!(error.ends_with("it is a pipe, a socket or a device; name a file that can be read"), "{error}");
}

#[test]
fn a_file_that_nobody_wrote_by_hand_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(MAX_SIZE).unwrap();
    let error = Config::load(Input { file: Some(file.path().into()), ..Default::default() }).unwrap_err();
    let error = error.to_string();
    assert!(error.ends_with("it is larger than 16 MiB; name a file that can be read"), "{error}");
}

#[test]
fn a_template_with_a_name_that_is_not_known_is_refused() {
    use std::io::Write as _;

    let mut template = tempfile::NamedTempFile::new().unwrap();
    template.write_all(b"To {constituency},\n{who} has sent").unwrap();
    let content = format!(
        "[evidence]\n[notices]\ntemplate = \"{}\"\n[[constituency]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\"]",
        template.path().display()
    );
    let said = errors(content.as_bytes()).concat();
    let words =
        "is no template: line 2 has the name {who}, which nothing is known by: it may be {constituency}, ";
    assert!(said.starts_with("f:3: template ") && said.contains(words), "{said}");
}

/// Text that looks like a configuration from afar.
fn nearly_a_file() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("interfaces = "),
        Just("listen = "),
        Just("mode = "),
        Just("drain_interval = "),
        Just("[[sensor]]\n"),
        Just("name = "),
        Just("prefixes = "),
        Just("[export]\n"),
        Just("ports = "),
        Just("max_ports = "),
        Just("\"10.0.0.0/8\""),
        Just("\"23/tcp\""),
        Just("\"a\""),
        Just("'\u{1b}é'"),
        Just("-1"),
        Just("["),
        Just("]"),
        Just(","),
        Just("\n"),
        Just("\"\\u0000\""),
        Just("x"),
        Just("\u{feff}"),
        Just("{"),
        Just("}"),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_give_settings_or_single_lines(
        content in prop_oneof![any::<Vec<u8>>(), nearly_a_file().prop_map(String::into_bytes)]
    ) {
        if let Err(error) = settings(Path::new("f"), &content) {
            prop_assert!(!error.lines().is_empty());
            for line in error.lines() {
                prop_assert!(line.starts_with("f:") && !line.contains(char::is_control), "{:?}", line);
            }
        }
    }
}
