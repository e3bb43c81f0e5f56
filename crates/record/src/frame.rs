//! TFRecord framing: the length, its checksum, the data, their checksum, all little-endian. A
//! checksum is CRC-32C (Castagnoli), turned and shifted, because checksums of data that hold
//! checksums are weak.
//!
//! Source: `tensorflow/core/lib/io/record_writer.h`, `crc32c.h`.

/// Bytes before the data: the length and its checksum.
pub const HEADER: usize = 12;
/// Bytes behind the data: their checksum.
pub const FOOTER: usize = 4;
/// The most bytes of data that are read. A record of a training is a few megabytes at most; a graph
/// with all its constants inside may be large.
pub const LONGEST: u64 = 128 << 20;

/// The masked CRC-32C of bytes.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Adds data as a record.
pub fn push(out: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    out.reserve(HEADER + data.len() + FOOTER);
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(&length).to_le_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(&checksum(data).to_le_bytes());
}

/// The length of the data that a header announces; none if its checksum is wrong.
pub fn length(header: &[u8; HEADER]) -> Option<u64> {
    let (length, sum) = header.split_first_chunk::<8>()?;
    let sum = sum.first_chunk::<4>()?;
    (checksum(length) == u32::from_le_bytes(*sum)).then(|| u64::from_le_bytes(*length))
}

/// The data of a record from data and footer; none if the checksum is wrong.
pub fn checked(rest: &[u8]) -> Option<&[u8]> {
    let (data, sum) = rest.split_last_chunk::<FOOTER>()?;
    (checksum(data) == u32::from_le_bytes(*sum)).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_record_is_what_tensorflow_writes() {
        // `printf` of the first 40 bytes of a file by TensorFlow 2.21, its wall time set to 0.
        let mut data = vec![0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 0x0d];
        data.extend_from_slice(b"brain.Event:2");
        let mut record = Vec::new();
        push(&mut record, &data);
        // A length of 24 has this checksum in every event file there is.
        assert_eq!(record[..12], [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]);
        let header: [u8; HEADER] = record[..HEADER].try_into().unwrap();
        assert_eq!(length(&header), Some(24));
        assert_eq!(checked(&record[HEADER..]), Some(&data[..]));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let mut record = Vec::new();
        push(&mut record, b"abc");
        for bit in 0..record.len() * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let header: [u8; HEADER] = damaged[..HEADER].try_into().unwrap();
            assert!(length(&header) != Some(3) || checked(&damaged[HEADER..]).is_none());
        }
    }
}
