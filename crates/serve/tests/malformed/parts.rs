//! Parts of the requests in http.jsonl and grpc.jsonl: their bytes, and when to wait. form.py
//! describes their form.

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use serde_json::Value;

/// Blocks that a repetition is written in: long enough to be few, short enough to be in memory.
const BLOCK: usize = 256 << 10;

/// The lines of a file of this folder.
pub fn lines(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/malformed/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The text of a field.
pub fn text<'v>(line: &'v Value, field: &str) -> &'v str {
    line[field].as_str().unwrap_or_else(|| panic!("`{field}` of {line} is no text"))
}

/// The elements of a list, none where there is no list.
pub fn list<'v>(line: &'v Value, field: &str) -> &'v [Value] {
    line[field].as_array().map_or(&[], Vec::as_slice)
}

/// Writes what parts say, none of which may be a wait.
pub fn write(parts: &[Value], host: &str, out: &mut dyn Write) -> io::Result<()> {
    parts.iter().try_for_each(|part| write_one(part, host, out))
}

fn write_one(part: &Value, host: &str, out: &mut dyn Write) -> io::Result<()> {
    let (kind, inner) = kind(part);
    let parts = inner.as_array().map_or(&[][..], Vec::as_slice);
    match kind {
        "text" => out.write_all(inner.as_str().unwrap().as_bytes()),
        "base64" => {
            let engine = base64::engine::general_purpose::STANDARD;
            out.write_all(&engine.decode(inner.as_str().unwrap()).unwrap())
        }
        "host" => out.write_all(host.as_bytes()),
        "repeat" => {
            let once = bytes(parts, host);
            let mut left = part["times"].as_u64().unwrap() as usize;
            let at_once = (BLOCK / once.len().max(1)).clamp(1, left.max(1));
            let block = once.repeat(at_once);
            while left > 0 {
                let times = left.min(at_once);
                out.write_all(&block[..times * once.len()])?;
                left -= times;
            }
            Ok(())
        }
        "gzip" => {
            let mut packed = GzEncoder::new(out, Compression::fast());
            write(parts, host, &mut packed)?;
            packed.finish().map(|_| ())
        }
        "zlib" => {
            let mut packed = ZlibEncoder::new(out, Compression::fast());
            write(parts, host, &mut packed)?;
            packed.finish().map(|_| ())
        }
        "deflate" => {
            let mut packed = DeflateEncoder::new(out, Compression::fast());
            write(parts, host, &mut packed)?;
            packed.finish().map(|_| ())
        }
        "cut" => {
            let whole = bytes(parts, host);
            let to = (part["to"].as_u64().unwrap() as usize).min(whole.len());
            out.write_all(&whole[..to])
        }
        "frame" => {
            let message = bytes(parts, host);
            out.write_all(&[part["flag"].as_u64().unwrap() as u8])?;
            out.write_all(&(message.len() as u32).to_be_bytes())?;
            out.write_all(&message)
        }
        other => panic!("`{other}` is no part that has bytes"),
    }
}

/// The kind of a part and its content.
fn kind(part: &Value) -> (&str, &Value) {
    let fields = part.as_object().unwrap_or_else(|| panic!("{part} is no part"));
    let qualifies = ["times", "to", "flag", "every_ms"];
    let (kind, inner) =
        fields.iter().find(|(name, _)| !qualifies.contains(&name.as_str())).unwrap();
    (kind, inner)
}

/// The bytes of parts, in memory.
pub fn bytes(parts: &[Value], host: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write(parts, host, &mut out).unwrap();
    out
}

/// A text, or long ones as a list of parts.
pub fn value(value: &Value, host: &str) -> Vec<u8> {
    match value.as_array() {
        Some(parts) => bytes(parts, host),
        None => value.as_str().unwrap().as_bytes().to_vec(),
    }
}

/// How many bytes parts say, counted and not kept.
pub fn length(parts: &[Value], host: &str) -> u64 {
    struct Count(u64);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    write(parts, host, &mut count).unwrap();
    count.0
}

/// Something to do on a connection.
pub enum Step<'l> {
    /// Write this.
    Part(&'l Value),
    /// Write these, a byte at a time.
    Drip(Vec<u8>, Duration),
    /// Shut the half of the connection that sends.
    Close,
    /// Send nothing more.
    Stall,
}

/// The steps that send a request, part by part.
pub fn steps<'l>(parts: &'l [Value], host: &str) -> Vec<Step<'l>> {
    let step = |part: &'l Value| match kind(part) {
        ("drip", inner) => {
            let pause = Duration::from_millis(part["every_ms"].as_u64().unwrap());
            Step::Drip(bytes(inner.as_array().unwrap(), host), pause)
        }
        ("close", _) => Step::Close,
        ("stall", _) => Step::Stall,
        _ => Step::Part(part),
    };
    parts.iter().map(step).collect()
}
