//! `completions`: scripts that let a shell complete commands and options.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::command_line::CommandLine;
use super::error::ProgramError;
use super::exit::Exit;

const EXAMPLES: &str = "Examples:
  vantiq-simulator completions bash > ~/.local/share/bash-completion/completions/vantiq-simulator
  vantiq-simulator completions zsh > \"${fpath[1]}/_vantiq-simulator\"
  vantiq-simulator completions fish > ~/.config/fish/completions/vantiq-simulator.fish";

/// Prints a completion script.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// The shell that it is for
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        io::stdout().lock().write_all(&script(self.shell))?;
        Ok(Exit::Done)
    }
}

/// The whole script first: the generator would panic where nobody reads on.
fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "vantiq-simulator", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_learns_each_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let script = String::from_utf8(script(shell)).expect("scripts are text");
            for command in CommandLine::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(script.contains("silent") && script.contains("no-follow"), "{shell}");
        }
    }
}
