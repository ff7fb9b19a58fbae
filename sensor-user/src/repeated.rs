//! What fails again and again is logged when it begins, when the reason is another, and when it is over.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Error;

use crate::obstacle::in_words;

/// Failures of one thing in a row.
#[derive(Debug, Default)]
pub struct Repeated {
    reason: Option<String>,
    times: u64,
    trouble: Trouble,
}

/// Why something does not work now, for whoever asks.
#[derive(Clone, Debug, Default)]
pub struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// Why; `None` while it works.
    #[must_use]
    pub fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It does not work, for this reason, or works.
    pub fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

impl Repeated {
    /// None yet; why it does not work is said here.
    #[must_use]
    pub fn said_by(trouble: Trouble) -> Self {
        Self { trouble, ..Self::default() }
    }

    /// Notes a failure, and gives its words if they are not in the log yet.
    pub fn failed(&mut self, error: &Error) -> Option<String> {
        self.times += 1;
        let reason = in_words(error);
        (self.reason.as_ref() != Some(&reason)).then(|| {
            self.reason = Some(reason.clone());
            self.trouble.set(Some(reason.clone()));
            reason
        })
    }

    /// Notes that it works, and gives how often it had failed if it just did.
    pub fn worked(&mut self) -> Option<u64> {
        let before = self.reason.take()?;
        // Unless somebody else has another reason by now.
        if self.trouble.get() == Some(before) {
            self.trouble.set(None);
        }
        Some(std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn it_is_told_when_it_begins_when_it_changes_and_when_it_ends() {
        let mut row = Repeated::default();
        let told = ["a", "a", "b", "b", "a"].map(|reason| row.failed(&anyhow!(reason)));
        assert_eq!(told.map(Option::unwrap_or_default), ["a", "", "b", "", "a"]);
        assert_eq!((row.worked(), row.worked()), (Some(5), None));
        assert_eq!((row.failed(&anyhow!("a")).as_deref(), row.worked()), (Some("a"), Some(1)));
    }

    #[test]
    fn whoever_asks_is_told_the_reason_of_now() {
        let trouble = Trouble::default();
        let mut row = Repeated::said_by(trouble.clone());
        let told = ["a", "a", "b"].map(|reason| {
            row.failed(&anyhow!(reason));
            trouble.get().unwrap_or_default()
        });
        assert_eq!(told, ["a", "a", "b"]);
        row.worked();
        assert_eq!(trouble.get(), None);
    }
}
