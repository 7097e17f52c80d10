use std::fs::File;
use std::io;

/// The exact vectors in their file, read one at a time at their place.
pub(super) struct RowFile {
    file: File,
    /// Where the first row begins.
    start: u64,
    row_bytes: usize,
}

impl RowFile {
    pub(super) fn new(file: File, start: u64, row_bytes: usize) -> Self {
        Self { file, start, row_bytes }
    }

    /// Reads one row into `bytes`; rows may be read by several threads at once.
    pub(super) fn read(&self, row: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.resize(self.row_bytes, 0);
        read_exact_at(&self.file, bytes, self.start + (row * self.row_bytes) as u64)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = bytes.get_mut(count..).unwrap_or_default();
        offset += count as u64;
    }
    Ok(())
}
