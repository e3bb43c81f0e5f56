//! Whatever a file holds, reading it ends in the array that was written or in an error that helps.

mod scratch;

use std::io::{self, Read};

use abeyance_datasets::idx::{self, ForeignFormat, Idx, IdxErrorKind, MAX_BYTES};
use scratch::{Scratch, gzip, idx};

fn read(bytes: &[u8]) -> Result<Idx<u8>, IdxErrorKind> {
    idx::from_reader(bytes, "the file").map_err(|error| {
        assert_eq!(error.file, "the file");
        let message = error.to_string();
        assert!(message.starts_with("the file: "), "{message}");
        assert!(message.contains("\n  help: "), "{message}");
        error.kind
    })
}

fn message(bytes: &[u8]) -> String {
    idx::from_reader::<u8>(bytes, "f").unwrap_err().to_string()
}

/// Two images of 3 by 4 pixels.
fn sound() -> Vec<u8> {
    idx(0x08, &[2, 3, 4], &(100..124).collect::<Vec<u8>>())
}

#[test]
fn a_sound_file_reads_the_same_gzipped_or_not() {
    let plain = read(&sound()).unwrap();
    assert_eq!(plain.dims, [2, 3, 4]);
    assert_eq!(plain.data, (100..124).collect::<Vec<u8>>());
    assert_eq!(read(&gzip(&sound())).unwrap(), plain);
    assert_eq!(plain.into_array().unwrap()[[1, 2, 3]], 123);
}

#[test]
fn gzip_members_one_after_another_are_one_file() {
    let whole = sound();
    let (first, second) = whole.split_at(9);
    let members = [gzip(first), gzip(second)].concat();
    assert_eq!(read(&members).unwrap(), read(&sound()).unwrap());
}

#[test]
fn every_truncation_is_an_error() {
    for file in [sound(), gzip(&sound())] {
        for length in 0..file.len() {
            let kind = read(&file[..length]).unwrap_err();
            assert!(
                matches!(
                    kind,
                    IdxErrorKind::Empty
                        | IdxErrorKind::ShortHeader { .. }
                        | IdxErrorKind::Truncated { .. }
                        | IdxErrorKind::Gzip { .. }
                        | IdxErrorKind::NotIdx { .. }
                ),
                "{length}: {kind}"
            );
        }
    }
}

#[test]
fn every_change_of_a_byte_is_an_error_or_a_change_of_a_pixel() {
    let original = read(&sound()).unwrap();
    let plain = sound();
    for at in 0..plain.len() {
        for flip in 1..=u8::MAX {
            let mut file = plain.clone();
            file[at] ^= flip;
            match read(&file) {
                Ok(array) => {
                    assert!(at >= 16, "byte {at} of the header");
                    assert_eq!(array.dims, original.dims);
                    assert_eq!(array.data[at - 16], original.data[at - 16] ^ flip);
                }
                Err(_) => assert!(at < 16, "byte {at} is a pixel"),
            }
        }
    }
}

#[test]
fn every_change_of_a_gzipped_byte_is_an_error_or_changes_nothing() {
    let original = read(&sound()).unwrap();
    let gzipped = gzip(&sound());
    for at in 0..gzipped.len() {
        for flip in 1..=u8::MAX {
            let mut file = gzipped.clone();
            file[at] ^= flip;
            // The gzip header has a date and the like, and the last compressed byte has bits to
            // spare.
            if let Ok(array) = read(&file) {
                let idle = at < 10 || at == gzipped.len() - 9;
                assert!(idle, "byte {at} ^ {flip:#x} went unnoticed");
                assert_eq!(array, original);
            }
        }
    }
}

#[test]
fn a_gigantic_claim_takes_no_memory() {
    // 2^60 and more, beyond what 64 bits count, and 255 dimensions.
    for dims in [
        vec![1 << 30, 1 << 30],
        vec![u32::MAX; 3],
        vec![u32::MAX; 255],
        vec![0, u32::MAX, u32::MAX],
    ] {
        assert!(matches!(read(&idx(0x08, &dims, b"")), Err(IdxErrorKind::Oversized { .. })));
    }
    let text = message(&idx(0x08, &[1 << 30, 1 << 30], b""));
    assert!(
        text.contains("[1073741824, 1073741824] elements of 1 bytes, more than the 4 GiB"),
        "{text}"
    );

    // As much as is allowed, but not there.
    let limit = idx(0x08, &[1 << 16, 1 << 16], b"1234");
    for file in [&limit, &gzip(&limit)] {
        assert!(matches!(
            read(file),
            Err(IdxErrorKind::Truncated { promised: MAX_BYTES, found: 4, .. })
        ));
    }
}

#[test]
fn a_gzip_bomb_expands_no_further_than_its_header_says() {
    let mut bomb = idx(0x08, &[10], &[0; 10]);
    bomb.resize(64 << 20, 0);
    let bomb = gzip(&bomb);
    assert!(bomb.len() < 100_000);
    let counted = match read(&bomb) {
        Err(IdxErrorKind::Trailing { extra, more: true, .. }) => extra,
        other => panic!("{other:?}"),
    };
    assert_eq!(counted, 1 << 16);
}

#[test]
fn dimensions_of_zero_and_no_dimensions_are_arrays_too() {
    let empty = read(&idx(0x08, &[0, 28, 28], b"")).unwrap();
    assert_eq!((empty.dims.as_slice(), empty.data.len()), (&[0, 28, 28][..], 0));
    assert_eq!(empty.into_array().unwrap().shape(), [0, 28, 28]);

    let scalar = read(&idx(0x08, &[], &[7])).unwrap();
    assert_eq!((scalar.dims.len(), scalar.data), (0, vec![7]));
}

#[test]
fn truncated_and_trailing_say_how_many_bytes() {
    let text = message(&sound()[..20]);
    assert!(text.contains("header [2, 3, 4] promises 24 bytes of elements, found 4"), "{text}");
    let text = message(&[sound(), vec![0; 5]].concat());
    assert!(text.contains("promises 24 bytes of elements, found 5 after them"), "{text}");
    let text = message(&sound()[..10]);
    assert!(text.contains("ends after 10 bytes, inside the header of 16"), "{text}");
    assert!(message(b"").contains("it is empty"));
    assert!(message(&gzip(b"")).contains("it is empty"));
}

#[test]
fn a_file_of_another_kind_is_recognised() {
    for (bytes, expected) in [
        (&b"\n <html><body>404"[..], ForeignFormat::Markup),
        (b"<?xml", ForeignFormat::Markup),
        (b"version https://git-lfs.github.com/spec/v1\n", ForeignFormat::LfsPointer),
        (b"PK\x03\x04\x14\0", ForeignFormat::Zip),
        (b"\xfd7zXZ\0\0", ForeignFormat::Packed),
        (b"\x93NUMPY\x01\0", ForeignFormat::Npy),
        (b"\x89PNG\r\n", ForeignFormat::Picture),
        (b"PAR1....", ForeignFormat::Parquet),
        (b"\x03\x08\0\0", ForeignFormat::LittleEndian),
        (b"5,0,0,12\n", ForeignFormat::Text),
    ] {
        for file in [bytes.to_vec(), gzip(bytes)] {
            match read(&file) {
                Err(IdxErrorKind::NotIdx { looks_like: Some(found), .. }) => {
                    assert_eq!(found, expected)
                }
                other => panic!("{expected:?}: {other:?}"),
            }
        }
    }
    let text = message(&gzip(&gzip(&sound())));
    assert!(text.contains("gzip inside gzip, and begins 1f 8b"), "{text}");
    let text = message(&[1, 2, 3, 4]);
    assert!(text.contains("it begins 01 02 03 04, expected 00 00"), "{text}");
}

#[test]
fn element_types_are_read_or_named() {
    let pairs = idx(0x0b, &[2], &[0xff, 0xfe, 0x01, 0x00]);
    let words: Idx<i16> = idx::from_reader(pairs.as_slice(), "f").unwrap();
    assert_eq!(words.data, [-2, 256]);
    let floats = idx(0x0d, &[1], &1.5_f32.to_be_bytes());
    let floats: Idx<f32> = idx::from_reader(floats.as_slice(), "f").unwrap();
    assert_eq!(floats.data, [1.5]);
    let doubles = idx(0x0e, &[1], &(-0.1_f64).to_be_bytes());
    let doubles: Idx<f64> = idx::from_reader(doubles.as_slice(), "f").unwrap();
    assert_eq!(doubles.data, [-0.1]);

    let text = message(&pairs);
    assert!(text.contains("elements of type i16, expected u8"), "{text}");
    assert!(text.contains("`idx::read::<i16>`"), "{text}");
    let text = message(&[0, 0, 0x0a, 1]);
    assert!(text.contains("unknown element type 0x0a"), "{text}");
    assert!(text.contains("0x08 (u8), 0x09 (i8), 0x0b (i16)"), "{text}");
}

#[test]
fn a_path_that_is_no_file_is_told() {
    let folder = Scratch::new("paths");
    let error = idx::read::<u8>(folder.path()).unwrap_err();
    assert!(matches!(error.kind, IdxErrorKind::Directory), "{error}");
    let error = idx::read::<u8>(folder.path().join("absent")).unwrap_err();
    assert!(matches!(error.kind, IdxErrorKind::Missing), "{error}");
    assert!(error.to_string().contains("absent: no such file"), "{error}");
    #[cfg(unix)]
    {
        let error = idx::read::<u8>("/dev/zero").unwrap_err();
        assert!(matches!(error.kind, IdxErrorKind::NotRegular), "{error}");
    }
    let path = folder.write("named.png", &gzip(&sound()));
    assert_eq!(idx::read::<u8>(path).unwrap(), read(&sound()).unwrap());
}

#[test]
fn a_reader_that_fails_passes_its_error_on() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable is loose"))
        }
    }
    let file = sound();
    let error = idx::from_reader::<u8>(file[..20].chain(Broken), "f").unwrap_err();
    assert_eq!(error.to_string(), "f: it cannot be read: the cable is loose");
}

#[test]
fn a_reader_that_gives_a_byte_at_a_time_will_do() {
    struct Trickle<'b>(&'b [u8]);
    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let one = buffer.len().min(1);
            self.0.read(&mut buffer[..one])
        }
    }
    for file in [sound(), gzip(&sound())] {
        let array = idx::from_reader::<u8>(Trickle(&file), "f").unwrap();
        assert_eq!(array, read(&sound()).unwrap());
    }
}
