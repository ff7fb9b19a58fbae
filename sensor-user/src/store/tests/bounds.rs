//! What is kept is bounded: by rows, by age and by size.

use super::super::write::MOST_ROWS;
use super::*;

/// Reads hundreds of thousands of rows, for which an emulated processor takes longer than anybody is made to wait.
fn patient(folder: &Path) -> Reader {
    Reader::new(&folder.join(DATABASE)).within(Duration::from_mins(5))
}

#[test]
fn the_heaviest_rows_of_an_hour_stay_and_the_rest_is_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, stats) = open(&settings(folder.path()));
    let flood = u32::try_from(MOST_ROWS / 2).unwrap();
    let mut sent = 0;
    for round in 0..3 {
        let mut observations: Vec<_> =
            (0..flood).map(|number| observation(Ipv4Addr::from(round * flood + number), 23, HOUR)).collect();
        observations.extend([observation(A, 23, HOUR), observation(A, 23, HOUR)]);
        sent += observations.len() as u64;
        database.write(&mut writing(i64::from(round) + 1, "a", &observations), at(HOUR)).unwrap();
    }
    let most = u64::try_from(MOST_ROWS).unwrap();
    let found = patient(folder.path()).sources(&Ask { most: 1, ..day(None) }).unwrap();
    assert_eq!((found.rows[0].source, found.rows[0].packets), (Source::V4(A), 6));
    assert_eq!(found.basis.sources, most, "the rest is no source");
    assert_eq!(found.basis.packets + found.basis.rest, sent, "nothing is lost of the sum");
    assert_eq!((stats.rows(), stats.refused(Refused::Rows)), (most + 1, found.basis.rest));
}

#[test]
fn what_is_older_than_it_may_be_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, stats) = open(&Store { max_age: Duration::from_hours(24), ..settings(folder.path()) });
    let feed = Feed::new(&folder.path().join(DATABASE), Arc::default());
    for number in 0..3 {
        let time = HOUR + number * 24 * 3_600;
        let mut writing = writing(number + 1, "a", &[observation(A, 23, time)]);
        feed.event(Event {
            kind: EventKind::Scan,
            start: at(time),
            end: at(time + 60),
            sensor: "a".to_owned(),
            source: Some(Source::V4(A)),
            packets: 1,
            detail: json!({"ports": 100}),
        });
        writing.batch.events = feed.take().events;
        database.write(&mut writing, at(time)).unwrap();
    }
    let now = at(HOUR + 48 * 3_600 + 7_200);
    let reader = Reader::new(&folder.path().join(DATABASE));
    let ask = Ask::of(at(HOUR), now);
    database.tidy(now, false, &|| true).unwrap();
    assert_eq!((stats.rows(), reader.events(EventKind::Scan, None, &ask).unwrap().len()), (3, 3));
    database.tidy(now, true, &|| false).unwrap();
    assert_eq!(stats.rows(), 2, "an hour at once, and no more where nobody waits");
    database.tidy(now, true, &|| true).unwrap();
    let scans = reader.events(EventKind::Scan, Some(Source::V4(A)), &ask).unwrap();
    assert_eq!((stats.rows(), scans.len(), &scans[0].detail), (1, 1, &json!({"ports": 100})));
    assert_eq!(reader.sources(&ask).unwrap().basis.oldest, Some(at(HOUR + 48 * 3_600)));
    assert_eq!(fs::read_dir(folder.path().join(FLOWS)).unwrap().count(), 1);
}

#[test]
fn what_has_no_room_goes_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Store { max_size: 4 << 20, ..settings(folder.path()) };
    let (mut database, stats) = open(&settings);
    let rows = 10_000;
    let mut number = 0;
    for hour in 0..12 {
        let time = HOUR + hour * 3_600;
        let observations: Vec<_> =
            (0..rows).map(|number| observation(Ipv4Addr::from(number), 23, time)).collect();
        number += 1;
        database.write(&mut writing(number, "a", &observations), at(time)).unwrap();
        database.tidy(at(time + 3_800), true, &|| true).unwrap();
        // Beyond it goes what an hour takes, and the log.
        assert!(stats.bytes() < 10 << 20, "{}", stats.bytes());
    }
    let kept = stats.rows() / u64::from(rows);
    assert!((2..11).contains(&kept), "{kept} hours");
    let found = patient(folder.path()).sources(&Ask { most: 1, ..day(None) }).unwrap();
    let oldest = (12 - i64::try_from(kept).unwrap()) * 3_600 + HOUR;
    assert_eq!(found.basis.oldest, Some(at(oldest)), "the newest stay");
    let files = fs::read_dir(folder.path().join(FLOWS)).unwrap().count() as u64;
    assert_eq!(files, kept, "with their files");
    // One hour that is too large alone is summed up.
    let time = HOUR + 20 * 3_600;
    for round in 0..20 {
        let observations: Vec<_> =
            (0..rows).map(|number| observation(Ipv4Addr::from(round * rows + number), 23, time)).collect();
        number += 1;
        database.write(&mut writing(number, "a", &observations), at(time)).unwrap();
    }
    let found = patient(folder.path()).sources(&Ask { most: 1, ..Ask::of(at(time), at(time + 1)) }).unwrap();
    assert_eq!(found.basis.observed, u64::from(20 * rows));
    assert_eq!(found.basis.rest, stats.refused(Refused::Size));
    assert!(found.basis.rest > 0 && stats.bytes() < 12 << 20, "{} bytes, {found:?}", stats.bytes());
}

#[test]
fn the_disk_gets_back_what_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, stats) = open(&Store { max_age: Duration::from_hours(24), ..settings(folder.path()) });
    let many: Vec<_> = (0..20_000).map(|number| observation(Ipv4Addr::from(number), 23, HOUR)).collect();
    database.write(&mut writing(1, "a", &many), at(HOUR)).unwrap();
    let size = || fs::metadata(folder.path().join(DATABASE)).unwrap().len();
    database.tidy(at(HOUR), true, &|| true).unwrap();
    let full = size();
    database.tidy(at(HOUR + 48 * 3_600), true, &|| true).unwrap();
    assert!(stats.rows() == 0 && size() < full / 4, "{} of {full} bytes", size());
}

#[test]
fn a_clock_that_jumps_a_day_and_back_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, stats) = open(&Store { max_age: Duration::from_hours(2), ..settings(folder.path()) });
    let day = 24 * 3_600;
    // The time, and whether the clock is trusted by then.
    let steps = [(HOUR, true), (HOUR + day, false), (HOUR + day + 60, false), (HOUR + 180, false)];
    for (number, (time, is_trusted)) in (1..).zip(steps) {
        database.write(&mut writing(number, "a", &[observation(A, 23, time)]), at(time)).unwrap();
        database.tidy(at(time), is_trusted, &|| true).unwrap();
        // So the next start knows, though a wrong time was written meanwhile.
        assert_eq!(database.last_time().unwrap(), Some(at(HOUR)));
    }
    let found =
        Reader::new(&folder.path().join(DATABASE)).sources(&Ask::of(at(HOUR), at(HOUR + 2 * day))).unwrap();
    assert_eq!((found.basis.packets, found.basis.sources, stats.rows()), (4, 1, 2));
    // Of the hour that seemed to be over there was a file: there is one again once it is.
    let files = || -> Vec<_> {
        let files = fs::read_dir(folder.path().join(FLOWS)).unwrap().flatten();
        files.map(|file| file.file_name().into_string().unwrap()).collect()
    };
    database.tidy(at(HOUR + 3_600 + 120), true, &|| true).unwrap();
    assert_eq!(files(), ["flows-a-20260510T08Z.jsonl.gz"]);
    assert_eq!(stats.rows(), 2);
    database.tidy(at(HOUR + day + 3_600 + 120), true, &|| true).unwrap();
    assert_eq!((files().len(), stats.rows()), (1, 1));
}

#[test]
fn a_reader_that_does_not_end_does_not_let_the_log_grow_without_bound() {
    let folder = tempfile::tempdir().unwrap();
    // Sixteen MiB of log, and a quarter of that.
    let (mut database, stats) = open(&Store { max_size: 64 << 20, ..settings(folder.path()) });
    let path = folder.path().join(DATABASE);
    database.write(&mut writing(1, "a", &[observation(A, 23, HOUR)]), at(HOUR)).unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM flow").unwrap();
    let log = || fs::metadata(folder.path().join("sensor.db-wal")).unwrap().len();
    let mut write = |round: u32| {
        let first = 20_000 * round;
        let observations: Vec<_> =
            (first..first + 20_000).map(|number| observation(Ipv4Addr::from(number), 23, HOUR)).collect();
        database.write(&mut writing(i64::from(round) + 2, "a", &observations), at(HOUR))
    };
    let (round, error) = (0..40).find_map(|round| Some((round, write(round).err()?))).unwrap();
    let said = error.to_string();
    assert!(said.contains("another program reads") && said.contains("`fuser"), "{said}");
    assert!((32 << 20..48 << 20).contains(&log()), "{} bytes", log());
    assert!(stats.bytes() > log(), "metrics tell of it");
    reader.execute_batch("ROLLBACK").unwrap();
    write(round).unwrap();
    assert!(log() <= 16 << 20, "{} bytes", log());
}

/// A backup that is put in the place of a database in use never meets the log of that.
#[test]
fn a_backup_does_not_meet_another_log() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join(DATABASE), folder.path().join("backup"));
    let (mut database, _) = open(&settings(folder.path()));
    database.write(&mut writing(1, "a", &[observation(A, 23, HOUR)]), at(HOUR)).unwrap();
    drop(database);
    fs::copy(&path, &backup).unwrap();
    let (mut database, _) = open(&settings(folder.path()));
    database.write(&mut writing(2, "a", &[observation(B, 23, HOUR)]), at(HOUR)).unwrap();
    fs::rename(&backup, &path).unwrap();
    let error = database.write(&mut writing(3, "a", &[observation(B, 23, HOUR)]), at(HOUR)).unwrap_err();
    assert!(error.to_string().contains("removed or replaced"), "{error}");
    drop(database);
    let error = Database::open(&settings(folder.path()), &Arc::default()).unwrap_err().to_string();
    assert!(error.contains("if it is a backup that was put there, remove"), "{error}");
    for end in ["-wal", "-shm"] {
        fs::remove_file(folder.path().join(format!("{DATABASE}{end}"))).unwrap();
    }
    let (database, _) = open(&settings(folder.path()));
    assert_eq!(database.last_number().unwrap(), 1);
    drop(database);
    // A log of its own is no obstacle.
    let (mut database, _) = open(&settings(folder.path()));
    database.write(&mut writing(2, "a", &[observation(B, 23, HOUR)]), at(HOUR)).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let name = format!("{DATABASE}{end}");
        fs::copy(folder.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let (copied, _) = open(&settings(copy.path()));
    assert_eq!(copied.last_number().unwrap(), 2, "a copy of both without the mark is read");
}
