//! Reads slots that have hot words: the rule of [`sensor_common::hot`], a page at a time.

use std::io;

use sensor_common::hot::HotWord;
use sensor_common::layout::{Counter, PAGE_SLOTS, Page, Settings, WORDS_PAGES, Words};

use crate::counters::add;

/// The maps of counters that are read, each element with an entry for each CPU.
pub(super) trait Source {
    /// How often counters were set.
    fn settings(&mut self, element: u32, per_cpu: &mut [Settings]) -> io::Result<()>;
    /// The hot words.
    fn words(&mut self, element: u32, per_cpu: &mut [Words]) -> io::Result<()>;
    /// The counters.
    fn page(&mut self, page: u32, per_cpu: &mut [Page]) -> io::Result<()>;
}

/// Memory for what is read, an entry for each CPU that there may ever be: 96 KiB each.
pub(super) struct Reader {
    before: Box<[Settings]>,
    after: Box<[Settings]>,
    words: Box<[Words]>,
    first: Box<[Page]>,
    second: Box<[Page]>,
}

impl Reader {
    /// Memory for so many CPUs.
    pub(super) fn new(cpus: usize) -> Self {
        Self {
            before: vec![Settings::default(); cpus].into(),
            after: vec![Settings::default(); cpus].into(),
            words: vec![Words::ZERO; cpus].into(),
            first: vec![Page::ZERO; cpus].into(),
            second: vec![Page::ZERO; cpus].into(),
        }
    }

    /// Adds what all CPUs have counted in the pages of an element of hot words, from its first on, to as many as
    /// there are of `sums`.
    ///
    /// # Errors
    /// The source's.
    pub(super) fn add<'a>(
        &mut self,
        source: &mut impl Source,
        element: u32,
        sums: impl Iterator<Item = &'a mut [Counter]>,
    ) -> io::Result<()> {
        source.settings(element, &mut self.before)?;
        source.words(element, &mut self.words)?;
        source.settings(element, &mut self.after)?;
        let pages = element * WORDS_PAGES..(element + 1) * WORDS_PAGES;
        for ((place, page), sums) in pages.enumerate().zip(sums) {
            if self.is_untouched(place) {
                self.add_words(place, sums);
                continue;
            }
            source.page(page, &mut self.first)?;
            source.settings(element, &mut self.after)?;
            if self.is_unchanged(place) {
                self.add_first_look(place, sums);
            } else {
                source.words(element, &mut self.words)?;
                source.page(page, &mut self.second)?;
                self.add_second_look(place, sums);
            }
        }
        Ok(())
    }

    /// Whether no counter of a page was ever set: then all of them are 0, and need not be read.
    fn is_untouched(&self, place: usize) -> bool {
        self.before.iter().chain(&self.after).all(|settings| settings.0[place] == 0)
    }

    fn is_unchanged(&self, place: usize) -> bool {
        self.before.iter().zip(&self.after).all(|(before, after)| before.0[place] == after.0[place])
    }

    fn add_words(&self, place: usize, sums: &mut [Counter]) {
        for words in &self.words {
            for (sum, word) in sums.iter_mut().zip(of_page(words, place)) {
                add(sum, word.read_alone());
            }
        }
    }

    fn add_first_look(&self, place: usize, sums: &mut [Counter]) {
        for (words, page) in self.words.iter().zip(&self.first) {
            for ((sum, word), &counter) in sums.iter_mut().zip(of_page(words, place)).zip(&page.0) {
                add(sum, word.read(counter));
            }
        }
    }

    fn add_second_look(&self, place: usize, sums: &mut [Counter]) {
        for ((words, first), second) in self.words.iter().zip(&self.first).zip(&self.second) {
            let counters = first.0.iter().zip(&second.0);
            for ((sum, word), (&before, &after)) in sums.iter_mut().zip(of_page(words, place)).zip(counters) {
                add(sum, word.read_again(before, after));
            }
        }
    }
}

/// The words of one of the pages that they belong to.
fn of_page(words: &Words, place: usize) -> &[HotWord] {
    const LENGTH: usize = PAGE_SLOTS as usize;
    &words.0[place * LENGTH..(place + 1) * LENGTH]
}

#[cfg(test)]
mod tests;
