use std::io::{self, BufRead, BufReader, Read};

use crate::domain::{ContentHash, Hasher};

/// The longest line that is read into memory.
pub(super) const MAX_LINE_BYTES: usize = 1 << 20;

/// One line without its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Line<'a> {
    /// Readable text.
    Text(&'a str),
    /// Not UTF-8 from this character on, counted from 1.
    NotUtf8 { column: usize },
    /// Longer than [`MAX_LINE_BYTES`]; its content was passed over.
    TooLong,
}

/// Reads lines in constant memory, hashing all that passes through.
///
/// A byte-order mark at the start and a carriage return before a line feed do not belong to the text.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    hasher: Hasher,
    buffer: Vec<u8>,
    number: usize,
    bytes: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        let reader = BufReader::with_capacity(1 << 16, reader);
        Self { reader, hasher: Hasher::default(), buffer: Vec::new(), number: 0, bytes: 0 }
    }

    /// The next line and its number, from 1.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(usize, Line<'_>)>> {
        self.buffer.clear();
        let mut length = 0_usize;
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = chunk.get(..end.map_or(chunk.len(), |end| end + 1)).unwrap_or(chunk);
            self.hasher.raw(taken);
            let text = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or(chunk);
            length += text.len();
            if length <= MAX_LINE_BYTES {
                self.buffer.extend_from_slice(text);
            }
            let taken = taken.len();
            self.bytes += taken as u64;
            self.reader.consume(taken);
            if taken == 0 && length == 0 {
                return Ok(None);
            }
            if taken == 0 || end.is_some() {
                break;
            }
        }
        self.number += 1;
        Ok(Some((self.number, self.line(length))))
    }

    fn line(&self, length: usize) -> Line<'_> {
        if length > MAX_LINE_BYTES {
            return Line::TooLong;
        }
        let bytes = self.buffer.strip_suffix(b"\r").unwrap_or(&self.buffer);
        let bytes = if self.number == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) } else { bytes };
        match std::str::from_utf8(bytes) {
            Ok(text) => Line::Text(text),
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                Line::NotUtf8 { column: String::from_utf8_lossy(valid).chars().count() + 1 }
            }
        }
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The hash of all that was read.
    pub(super) fn finish(self) -> ContentHash {
        self.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_carriage_returns_are_not_text_but_are_hashed() {
        let content = b"\xef\xbb\xbfone\r\n\ntwo";
        let mut lines = Lines::new(&content[..]);
        assert_eq!(lines.next_line().unwrap(), Some((1, Line::Text("one"))));
        assert_eq!(lines.next_line().unwrap(), Some((2, Line::Text(""))));
        assert_eq!(lines.next_line().unwrap(), Some((3, Line::Text("two"))));
        assert_eq!(lines.next_line().unwrap(), None);
        assert_eq!(lines.bytes(), content.len() as u64);
        assert_eq!(lines.finish(), ContentHash::of(content));
    }

    #[test]
    fn a_line_of_fifty_megabytes_is_passed_over_in_constant_memory() {
        let content = io::repeat(b'x').take(50_000_000).chain(&b"\nok\n"[..]);
        let mut lines = Lines::new(content);
        assert_eq!(lines.next_line().unwrap(), Some((1, Line::TooLong)));
        assert!(lines.buffer.capacity() <= 2 * MAX_LINE_BYTES);
        assert_eq!(lines.next_line().unwrap(), Some((2, Line::Text("ok"))));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_located_in_characters() {
        let mut lines = Lines::new(&b"\xc3\xa9a\xff\n"[..]);
        assert_eq!(lines.next_line().unwrap(), Some((1, Line::NotUtf8 { column: 3 })));
    }
}
