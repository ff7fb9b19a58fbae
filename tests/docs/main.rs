//! The documents say nothing that is not so: links lead somewhere, commands are ones that the programs take,
//! configurations are accepted, messages and figures are the program's own, files are there.

mod command;
mod examples;
mod figures;
mod files;
mod links;
mod messages;
mod page;
mod settings;
