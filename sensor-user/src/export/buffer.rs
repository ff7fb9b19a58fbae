//! Memory that page after page is written to.

use std::sync::Arc;

use bytes::Bytes;

/// The memory of the last page: for the next one, once the last has been sent.
#[derive(Debug, Default)]
pub(super) struct Buffer(Arc<Vec<u8>>);

/// A page on its way out.
struct Page(Arc<Vec<u8>>);

impl Buffer {
    /// Empty memory: that of the last page if nobody reads it any more.
    pub(super) fn start(&mut self) -> &mut Vec<u8> {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = Arc::default();
        }
        // It is the only one, so nothing is copied.
        let memory = Arc::make_mut(&mut self.0);
        memory.clear();
        memory
    }

    /// What was written since.
    pub(super) fn page(&self) -> Bytes {
        Bytes::from_owner(Page(Arc::clone(&self.0)))
    }
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_once_nobody_reads_it() {
        let mut buffer = Buffer::default();
        buffer.start().extend([1; 1000]);
        let first = buffer.page();
        let memory = first.as_ptr();
        drop(first);
        buffer.start().extend([2; 900]);
        let second = buffer.page();
        assert_eq!((second.as_ptr(), &second[..]), (memory, &[2; 900][..]));
        buffer.start().extend([3; 10]);
        assert_eq!((&second[..], &buffer.page()[..]), (&[2; 900][..], &[3; 10][..]));
    }
}
