//! What fails again and again is logged when it begins, when the reason is another, and when it is over.

use anyhow::Error;

use crate::obstacle::in_words;

/// Failures of one thing in a row.
#[derive(Debug, Default)]
pub struct Repeated {
    reason: Option<String>,
    times: u64,
}

impl Repeated {
    /// Notes a failure, and gives its words if they are not in the log yet.
    pub fn failed(&mut self, error: &Error) -> Option<String> {
        self.times += 1;
        let reason = in_words(error);
        (self.reason.as_ref() != Some(&reason)).then(|| {
            self.reason = Some(reason.clone());
            reason
        })
    }

    /// Notes that it works, and gives how often it had failed if it just did.
    pub fn worked(&mut self) -> Option<u64> {
        self.reason.take().map(|_| std::mem::take(&mut self.times))
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
}
