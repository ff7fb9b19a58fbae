use super::*;
use crate::evidence::Basis;
use crate::notices::Book;
use crate::socket::Visit;
use crate::sources::AskCounts;
use crate::status::StatusLine;
use crate::view::{AskView, View};

/// Knows nothing.
struct Ignorant;

impl Questions for Ignorant {
    fn status(&self) -> Result<Vec<StatusLine>> {
        Ok(Vec::new())
    }

    fn view(&self, _: &AskView) -> Result<View> {
        Err(anyhow!("there is none"))
    }

    fn evidence(&self, _: &Search, _: &mut Visit<'_>) -> Result<Basis> {
        Err(anyhow!("there is none"))
    }

    fn notices(&self) -> Result<Book> {
        Err(anyhow!("there is none"))
    }

    fn counts(&self, _: &AskCounts) -> Result<Vec<Line>> {
        Err(anyhow!("there is none"))
    }

    fn register(&self) -> Result<Register> {
        Err(anyhow!("there is none"))
    }
}

#[test]
fn who_may_change_something_has_a_turn_to_search_of_its_own() {
    let (changes, _changing) = mpsc::channel(1);
    let hall = Hall::new(Arc::new(Ignorant), changes);
    let turns: Vec<_> = (0..SEARCHES).map(|_| hall.turn(false).unwrap()).collect();
    assert!(hall.turn(false).is_err());
    let own = hall.turn(true).unwrap();
    assert!(hall.turn(true).is_err());
    drop((turns, own));
    assert!(hall.turn(false).is_ok());
}
