//! The documents say nothing that is not so: links lead somewhere, commands are ones that the programs take,
//! configurations are accepted, messages are the program's own words, files are there.

mod command;
mod files;
mod links;
mod messages;
mod page;
mod settings;
