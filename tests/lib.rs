//! What several integration tests need of the product's own code.

pub mod hasty;
pub mod observed;
pub mod served;
