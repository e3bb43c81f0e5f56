//! Event files are read back as they were written, whole or cut or damaged.

use std::path::{Path, PathBuf};

use abeyance_record::proto::{Content, Event, Summary, SummaryMetadata, Value, What};
use abeyance_record::{Error, EventReader, EventWriter, folder, read_at};
use proptest::prelude::*;

/// An empty folder of a test.
fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn scalar(step: i64, tag: &str, value: f32) -> Event {
    let value = Value {
        tag: tag.to_owned(),
        metadata: Some(SummaryMetadata { data_class: 1, ..Default::default() }),
        content: Some(Content::SimpleValue(value)),
    };
    let summary = Summary { value: vec![value] };
    Event { wall_time: step as f64, step, what: Some(What::Summary(summary)) }
}

/// Everything that can be read, errors in their places.
fn read(path: &Path) -> Vec<Result<Event, String>> {
    let mut reader = EventReader::open(path).unwrap();
    let mut all = Vec::new();
    loop {
        match reader.next() {
            Ok(None) => return all,
            Ok(Some((event, _))) => all.push(Ok(event)),
            Err(error) => all.push(Err(error.to_string())),
        }
    }
}

fn steps(path: &Path) -> Vec<i64> {
    read(path).into_iter().skip(1).map(|event| event.unwrap().step).collect()
}

/// A file of the version and three scalars, and where its records begin.
fn three(name: &str) -> (PathBuf, Vec<u64>) {
    let folder = fresh(name);
    let mut writer = EventWriter::create(&folder).unwrap();
    let mut places = vec![0];
    for step in 1..=3 {
        places.push(writer.append(&scalar(step, "loss", 0.5)).unwrap().offset);
    }
    places.push(writer.len());
    writer.flush().unwrap();
    (writer.path().to_path_buf(), places)
}

#[test]
fn a_file_says_its_version_first_and_what_shows_a_tag_once() {
    let (path, places) = three("version");
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("events.out.tfevents."), "{name}");
    let events: Vec<Event> = read(&path).into_iter().map(Result::unwrap).collect();
    assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".to_owned())));
    assert_eq!(events[1], scalar(1, "loss", 0.5));
    let Some(What::Summary(summary)) = &events[2].what else { panic!("{:?}", events[2]) };
    assert_eq!(summary.value[0].metadata, None);
    assert_eq!(places.len(), 5);
}

#[test]
fn a_file_that_is_cut_at_any_byte_opens_up_to_the_cut_and_goes_on_when_it_grows() {
    let (path, places) = three("cut");
    let whole = std::fs::read(&path).unwrap();
    let events = read(&path);
    let part = path.with_file_name("part.tfevents");
    for cut in 0..=whole.len() {
        std::fs::write(&part, &whole[..cut]).unwrap();
        let mut reader = EventReader::open(&part).unwrap();
        let mut found = Vec::new();
        while let Some((event, _)) = reader.next().unwrap() {
            found.push(Ok(event));
        }
        let expected = places[1..].iter().filter(|&&end| end <= cut as u64).count();
        assert_eq!(found.len(), expected, "cut at {cut}");
        // The rest comes.
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).open(&part).unwrap();
        file.write_all(&whole[cut..]).unwrap();
        while let Some((event, _)) = reader.next().unwrap() {
            found.push(Ok(event));
        }
        assert_eq!(found, events, "cut at {cut}");
    }
}

#[test]
fn a_record_with_a_wrong_checksum_is_told_once_and_left_out() {
    let (path, places) = three("checksum");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[places[2] as usize + 12] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let found = read(&path);
    assert_eq!(found.len(), 4);
    assert!(found[1].is_ok() && found[3].is_ok());
    let message = found[2].as_ref().unwrap_err();
    let place = format!("damaged at byte {}: the record of ", places[2]);
    assert!(message.contains(&place) && message.ends_with("is left out"), "{message}");
}

#[test]
fn behind_a_wrong_length_nothing_is_read() {
    let (path, places) = three("length");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[places[2] as usize] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let found = read(&path);
    assert_eq!(found.len(), 3);
    let message = found[2].as_ref().unwrap_err();
    assert!(message.contains(&format!("damaged at byte {}", places[2])), "{message}");
    std::fs::write(&path, "epoch,loss\n1,0.5\n").unwrap();
    let message = read(&path).remove(0).unwrap_err();
    assert!(message.ends_with("is no event file: it does not begin with a record"), "{message}");
}

#[test]
fn a_length_that_the_file_does_not_have_takes_no_memory() {
    let folder = fresh("long");
    let path = folder.join("x.tfevents");
    let claim = |length: u64| {
        let length = length.to_le_bytes();
        let sum = crc32c::crc32c(&length).rotate_right(15).wrapping_add(0xa282_ead8);
        [&length[..], &sum.to_le_bytes()[..]].concat()
    };
    for length in [1, 1 << 40, u64::MAX - 15, u64::MAX] {
        std::fs::write(&path, claim(length)).unwrap();
        assert!(read(&path).is_empty());
    }
    // A file that really is so long, as a sparse one can be.
    let length = 1u64 << 36;
    std::fs::write(&path, claim(length)).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length + 16).unwrap();
    let found = read(&path);
    assert!(found[0].as_ref().unwrap_err().contains("more than the"), "{found:?}");
}

#[test]
fn small_parts_that_take_much_memory_are_refused() {
    use abeyance_record::{graph_def, run_metadata};
    let folder = fresh("parts");
    let path = folder.join("x.tfevents");
    // Fields of number 5, of number 1 in it, and of number 8 in that, all but the last empty.
    let nested = |number: u8, content: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 128 {
            bytes.push(length as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
        [bytes, content.to_vec()].concat()
    };
    let many = |number: u8, count: usize| [number << 3 | 2, 0].repeat(count);
    let values = nested(5, &many(1, 300_000));
    let texts = nested(5, &nested(1, &nested(8, &many(8, 3_000_000))));
    let dims = nested(5, &nested(1, &nested(8, &nested(2, &many(2, 3_000_000)))));
    for (event, message) in [(values, "values"), (texts, "texts"), (dims, "texts or dimensions")] {
        let sum = |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8);
        let length = (event.len() as u64).to_le_bytes();
        let (first, last) = (sum(&length).to_le_bytes(), sum(&event).to_le_bytes());
        std::fs::write(&path, [&length[..], &first, &event, &last].concat()).unwrap();
        let found = read(&path);
        assert_eq!(found.len(), 1);
        let found = found[0].as_ref().unwrap_err();
        assert!(found.contains("is no event (it") && found.contains(message), "{found}");
    }
    assert_eq!(graph_def::read(&many(1, 5_000_000)), None);
    assert_eq!(graph_def::read(&nested(1, &many(3, 5_000_000))), None);
    assert_eq!(graph_def::read_meta(&nested(2, &many(1, 5_000_000))), None);
    assert_eq!(run_metadata::read(&nested(1, &nested(1, &many(2, 2_000_000)))), None);
    assert_eq!(graph_def::read(&many(1, 3)).unwrap().node.len(), 3);
}

#[test]
fn what_is_no_plain_file_is_refused_with_its_name() {
    let folder = fresh("folder");
    let message = EventReader::open(&folder).unwrap_err().to_string();
    assert!(message.starts_with("cannot open `") && message.ends_with("it is a folder"));
    let Err(Error::Disk { path, .. }) = EventReader::open(folder.join("none")) else { panic!() };
    assert_eq!(path, folder.join("none"));
}

#[test]
fn an_event_is_found_again_at_its_place() {
    let folder = fresh("place");
    let mut writer = EventWriter::create(&folder).unwrap();
    writer.append(&scalar(1, "loss", 1.0)).unwrap();
    let place = writer.append(&scalar(2, "accuracy", 2.0)).unwrap();
    assert!(read_at(&place).unwrap_err().to_string().contains("the file ends before it does"));
    writer.flush().unwrap();
    assert_eq!(read_at(&place).unwrap(), scalar(2, "accuracy", 2.0));
}

#[test]
fn a_resumed_run_is_one_file_that_ends_at_the_step() {
    let folder = fresh("resumed");
    let mut writer = EventWriter::create(&folder).unwrap();
    for step in 0..10 {
        writer.append(&scalar(step, "loss", step as f32)).unwrap();
    }
    drop(writer);
    let old = folder::event_files(&folder).unwrap().remove(0);
    let open = EventReader::open(&old).unwrap();
    assert!(!open.is_replaced());
    let (mut writer, damage) = folder::resume(&folder, 4).unwrap();
    assert!(damage.is_empty() && open.is_replaced() && !old.exists());
    let new = writer.path().to_path_buf();
    assert!(new > old);
    assert_eq!(steps(&new), [0, 1, 2, 3, 4]);
    for step in 5..8 {
        writer.append(&scalar(step, "loss", 10.0)).unwrap();
    }
    drop(writer);
    // And once more.
    let (mut writer, _) = folder::resume(&folder, 6).unwrap();
    writer.append(&scalar(7, "loss", 20.0)).unwrap();
    let newest = writer.path().to_path_buf();
    drop(writer);
    assert!(newest > new);
    assert_eq!(folder::event_files(&folder).unwrap(), vec![newest.clone()]);
    assert_eq!(steps(&newest), [0, 1, 2, 3, 4, 5, 6, 7]);
    let shown = |event: &Result<Event, String>| match &event.as_ref().unwrap().what {
        Some(What::Summary(summary)) => summary.value[0].metadata.is_some(),
        _ => false,
    };
    assert_eq!(read(&newest).iter().filter(|event| shown(event)).count(), 1);
}

#[test]
fn several_files_become_one_in_which_later_ones_count() {
    let folder = fresh("several");
    let write = |events: &[Event]| {
        let mut writer = EventWriter::create(&folder).unwrap();
        for event in events {
            writer.append(event).unwrap();
        }
    };
    write(&[scalar(0, "a", 0.0), scalar(1, "a", 0.0), scalar(2, "a", 0.0), scalar(2, "b", 0.0)]);
    write(&[scalar(1, "a", 1.0), scalar(3, "a", 1.0), scalar(5, "a", 1.0)]);
    let (writer, _) = folder::resume(&folder, 4).unwrap();
    let path = writer.path().to_path_buf();
    assert_eq!(folder::event_files(&folder).unwrap(), vec![path.clone()]);
    let found: Vec<(i64, String, f32, bool)> = read(&path)
        .into_iter()
        .filter_map(|event| match event.unwrap() {
            Event { step, what: Some(What::Summary(summary)), .. } => {
                let value = &summary.value[0];
                let Some(Content::SimpleValue(number)) = value.content else { return None };
                Some((step, value.tag.clone(), number, value.metadata.is_some()))
            }
            _ => None,
        })
        .collect();
    let (a, b) = (|| "a".to_owned(), || "b".to_owned());
    let expected =
        [(0, a(), 0.0, true), (2, b(), 0.0, true), (1, a(), 1.0, false), (3, a(), 1.0, false)];
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), framed in any::<bool>()) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("fuzz.tfevents");
        let mut file = Vec::new();
        if framed {
            // With right checksums, so that the message itself is read.
            let sum = |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8);
            let length = (bytes.len() as u64).to_le_bytes();
            file.extend_from_slice(&length);
            file.extend_from_slice(&sum(&length).to_le_bytes());
            file.extend_from_slice(&bytes);
            file.extend_from_slice(&sum(&bytes).to_le_bytes());
        } else {
            file = bytes;
        }
        std::fs::write(&path, file).unwrap();
        prop_assert!(read(&path).len() <= 1);
    }

    #[test]
    fn no_changed_byte_makes_the_reader_panic_or_lose_more_than_a_record(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files/changed");
        let mut writer = EventWriter::create(&folder).unwrap();
        for step in 0..5 {
            writer.append(&scalar(step, "loss", 0.5)).unwrap();
        }
        writer.flush().unwrap();
        let path = writer.path().to_path_buf();
        drop(writer);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = to;
        std::fs::write(&path, bytes).unwrap();
        let found = read(&path);
        std::fs::remove_file(&path).unwrap();
        let errors = found.iter().filter(|event| event.is_err()).count();
        prop_assert!(errors <= 1 && found.len() >= errors);
    }
}
