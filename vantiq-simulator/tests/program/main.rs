//! The program, each time as a process of its own.

mod process;
mod serving;
