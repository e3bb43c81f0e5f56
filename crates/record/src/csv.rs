//! `metrics.csv`: the scalars of a run as a table.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use abeyance_storage::{Disk, replace};

use crate::Error;
use crate::folder::for_each_event;
use crate::proto::{Content, What};

/// The name of the file.
pub const NAME: &str = "metrics.csv";

/// A table of a row a step: the step, the wall time of its first number, and a column a tag, empty
/// where it has no number at that step. A tag that is new gets a column at the end, for which the
/// file is written anew.
#[derive(Debug)]
pub struct Csv {
    path: PathBuf,
    file: File,
    tags: Vec<String>,
    /// The row that is not written yet.
    row: Option<Row>,
    /// Rows that are not on the disk yet.
    pending: Vec<u8>,
}

#[derive(Debug)]
struct Row {
    step: i64,
    wall: f64,
    numbers: Vec<Option<f32>>,
}

impl Csv {
    /// An empty table in a folder, in place of any that is there.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        write_whole(&path, |out| header(&[], out))?;
        let file = open(&path)?;
        Ok(Self { path, file, tags: Vec::new(), row: None, pending: Vec::new() })
    }

    /// A table of all scalars of an event file.
    pub fn of_events(folder: &Path, events: &Path) -> Result<Self, Error> {
        let mut csv = Self::create(folder)?;
        for_each_event(events, |event| {
            let Ok(event) = event else { return Ok(()) };
            let Some(What::Summary(summary)) = &event.what else { return Ok(()) };
            for value in &summary.value {
                let number = match &value.content {
                    Some(Content::SimpleValue(number)) => Some(*number),
                    Some(Content::Tensor(tensor))
                        if !value.tag.starts_with(crate::tags::PREFIX) =>
                    {
                        tensor.number().map(|number| number as f32)
                    }
                    _ => None,
                };
                if let Some(number) = number {
                    csv.add(event.step, event.wall_time, &value.tag, number)?;
                }
            }
            Ok(())
        })?;
        csv.flush()?;
        Ok(csv)
    }

    /// Adds a number. A row is written once a number of another step comes.
    pub fn add(&mut self, step: i64, wall: f64, tag: &str, number: f32) -> Result<(), Error> {
        if self.row.as_ref().is_some_and(|row| row.step != step) {
            self.end_row();
        }
        let column = match self.tags.iter().position(|known| known == tag) {
            Some(column) => column,
            None => {
                self.widen(tag)?;
                self.tags.len() - 1
            }
        };
        let row = self.row.get_or_insert_with(|| Row { step, wall, numbers: Vec::new() });
        if row.numbers.len() <= column {
            row.numbers.resize(column + 1, None);
        }
        if let Some(cell) = row.numbers.get_mut(column) {
            *cell = Some(number);
        }
        Ok(())
    }

    fn end_row(&mut self) {
        let Some(row) = self.row.take() else { return };
        // Writing to memory does not fail.
        let _ = write!(self.pending, "{},{:.3}", row.step, row.wall);
        for column in 0..self.tags.len() {
            let _ = match row.numbers.get(column).copied().flatten() {
                Some(number) => write!(self.pending, ",{number}"),
                None => write!(self.pending, ","),
            };
        }
        self.pending.push(b'\n');
    }

    /// Gives a new tag a column.
    fn widen(&mut self, tag: &str) -> Result<(), Error> {
        self.write()?;
        let old = std::fs::read(&self.path).map_err(Error::disk("cannot read", &self.path))?;
        self.tags.push(tag.to_owned());
        let rows = old.split_inclusive(|&byte| byte == b'\n').skip(1);
        write_whole(&self.path, |out| {
            header(&self.tags, out)?;
            for row in rows {
                out.write_all(row.strip_suffix(b"\n").unwrap_or(row))?;
                out.write_all(b",\n")?;
            }
            Ok(())
        })?;
        self.file = open(&self.path)?;
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        let written = self.file.write_all(&self.pending);
        self.pending.clear();
        written.map_err(Error::disk("cannot write", &self.path))
    }

    /// Hands the rows that are whole to the operating system.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.write()
    }

    /// Writes the last row too.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.end_row();
        self.write()
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new().append(true).open(path).map_err(Error::disk("cannot open", path))
}

fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), Error> {
    replace(&Disk, path, write).map_err(Error::disk("cannot write", path))
}

fn header(tags: &[String], out: &mut dyn Write) -> std::io::Result<()> {
    out.write_all(b"step,wall")?;
    for tag in tags {
        if tag.contains([',', '"', '\n', '\r']) {
            // A line break would end the header.
            write!(out, ",\"{}\"", tag.replace('"', "\"\"").replace(['\n', '\r'], " "))?
        } else {
            write!(out, ",{tag}")?
        }
    }
    out.write_all(b"\n")
}
