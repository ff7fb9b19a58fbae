//! Writes an archive that the kernel unpacks as its first file system: cpio in its `newc` form.
//!
//! The form is documented in the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Component, Path};

/// Permission bits of a program.
pub const PROGRAM: u32 = 0o755;
/// Permission bits of a file that is only read.
pub const DATA: u32 = 0o644;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const DEVICE: u32 = 0o020_000;

/// An archive in the making.
pub struct Archive<W> {
    out: W,
    written: usize,
    number: u32,
    there: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    /// An empty one.
    pub fn new(out: W) -> Self {
        Self { out, written: 0, number: 0, there: BTreeSet::new() }
    }

    /// Adds a folder and those above it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn folder(&mut self, path: &Path) -> io::Result<()> {
        let mut name = String::new();
        for part in path.components() {
            let Component::Normal(part) = part else { continue };
            if !name.is_empty() {
                name.push('/');
            }
            name.push_str(&part.to_string_lossy());
            if self.there.insert(name.clone()) {
                self.entry(&name, FOLDER | PROGRAM, (0, 0), &[])?;
            }
        }
        Ok(())
    }

    /// Adds a file, with the folders above it; one that is there already stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&mut self, path: &Path, permissions: u32, content: &[u8]) -> io::Result<()> {
        self.folder(path.parent().unwrap_or(Path::new("")))?;
        let name = path.to_string_lossy().trim_start_matches('/').to_owned();
        if self.there.insert(name.clone()) {
            self.entry(&name, FILE | permissions, (0, 0), content)?;
        }
        Ok(())
    }

    /// Adds a character device.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn device(&mut self, path: &Path, number: (u32, u32)) -> io::Result<()> {
        self.folder(path.parent().unwrap_or(Path::new("")))?;
        let name = path.to_string_lossy().trim_start_matches('/').to_owned();
        self.entry(&name, DEVICE | 0o600, number, &[])
    }

    /// Writes the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, (0, 0), &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) -> io::Result<()> {
        self.number += 1;
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        let name_length = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        // Number, mode, owner, group, links, time, length, device of the archive, device, name, checksum.
        let fields = [self.number, mode, 0, 0, 1, 0, length, 0, 0, device.0, device.1, name_length, 0];
        self.write(b"070701")?;
        for field in fields {
            self.write(format!("{field:08x}").as_bytes())?;
        }
        self.write(name.as_bytes())?;
        self.write(&[0])?;
        self.pad()?;
        self.write(content)?;
        self.pad()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len();
        self.out.write_all(bytes)
    }

    /// Names and contents start at multiples of four.
    fn pad(&mut self) -> io::Result<()> {
        let missing = self.written.wrapping_neg() % 4;
        self.write(&[0; 3][..missing])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_laid_out_as_the_kernel_reads_it() -> io::Result<()> {
        let mut archive = Archive::new(Vec::new());
        archive.file(Path::new("/a/b"), DATA, b"hello")?;
        archive.file(Path::new("/a/b"), DATA, b"again")?;
        let bytes = archive.finish()?;
        let header = |number: u32, mode: u32, length: u32, name: &str| {
            let name_length = u32::try_from(name.len() + 1).expect("short");
            let fields = [number, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
            let fields = fields.map(|field: u32| format!("{field:08x}")).concat();
            format!("070701{fields}{name}\0")
        };
        let mut expected = header(1, 0o040_755, 0, "a");
        expected += &header(2, 0o100_644, 5, "a/b");
        expected += "\0\0hello\0\0\0";
        expected += &header(3, 0, 0, "TRAILER!!!");
        assert_eq!(String::from_utf8_lossy(&bytes).trim_end_matches('\0'), expected.trim_end_matches('\0'));
        assert_eq!(bytes.len() % 4, 0);
        Ok(())
    }
}
