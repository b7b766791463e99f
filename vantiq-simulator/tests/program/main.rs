//! The program, each time as a process of its own.

mod commands;
mod faults;
mod process;
mod replay;
mod serving;
mod tap;
