//! [`kept_token`]: the access token that stays the same when a simulator is started anew.
//!
//! One for each port, in a file that only its user can read, so that a `server.config` that was pasted, a page that
//! is open and the commands of the program go on working. It is read before the simulator listens and written
//! afterwards: of several that want the same port only the one that has it leaves a token there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use tracing::warn;

/// Names the folder of the tokens, in the place of the usual one.
const FOLDER_VARIABLE: &str = "VANTIQ_SIMULATOR_TOKENS";
/// Bytes of a token that is looked at.
const MOST_BYTES: u64 = 1024;

/// The token that simulators on this port of this machine keep, if one ever did.
///
/// It is in the folder that the environment variable `VANTIQ_SIMULATOR_TOKENS` names, or else in `vantiq-simulator`
/// where the system has files of the session (`XDG_RUNTIME_DIR`) or, without that, caches.
pub fn kept_token(port: u16) -> Option<String> {
    TokenFile::of_port(port)?.read().ok()?
}

/// What is to be done with a token when the port is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// It is kept already, or shall not be.
    Nothing,
    /// Keep it.
    ForGood,
    /// Keep it as long as the simulator lives: nobody asks for a port by chance again.
    ForNow,
}

impl Keeping {
    /// Does it; what has an end is handed out.
    pub(crate) fn keep(self, port: u16, token: &str) -> Option<TokenLease> {
        if self == Self::Nothing {
            return None;
        }
        let Some(file) = TokenFile::of_port(port) else {
            warn!("there is no folder to keep the token in; the next start has another one");
            return None;
        };
        file.keep(token);
        // What is there already is of a simulator that was killed, mostly: few choose a port that is given out by chance.
        (self == Self::ForNow).then(|| TokenLease(file))
    }
}

/// A token that is kept until this is dropped.
#[derive(Debug)]
pub(crate) struct TokenLease(TokenFile);

impl Drop for TokenLease {
    fn drop(&mut self) {
        self.0.forget();
    }
}

/// Where the token of one port is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenFile {
    folder: PathBuf,
    port: u16,
}

impl TokenFile {
    /// None where there is no place for it, as for users without a home.
    pub(crate) fn of_port(port: u16) -> Option<Self> {
        folder().map(|folder| Self { folder, port })
    }

    /// The token, or none if none was kept.
    ///
    /// # Errors
    ///
    /// When there is a file, but nothing to trust in.
    fn read(&self) -> io::Result<Option<String>> {
        let file = match File::open(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        check_private(&fs::metadata(&self.folder)?)?;
        check_private(&file.metadata()?)?;
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text)?;
        let token = text.trim();
        if is_token(token) { Ok(Some(token.to_owned())) } else { Err(unusable("it has no token in it")) }
    }

    /// The token that was kept; what is of no use is a warning, as a new one will do.
    pub(crate) fn recall(&self) -> Option<String> {
        self.read().unwrap_or_else(|error| {
            warn!(file = %self.path().display(), %error, "the kept token is of no use; there is a new one");
            None
        })
    }

    /// Keeps a token; where that cannot be done is a warning, as it works without.
    fn keep(&self, token: &str) {
        if let Err(error) = self.write(token) {
            warn!(file = %self.path().display(), %error, "the token cannot be kept; the next start has another one");
        }
    }

    /// In a file of its own first: nobody reads half a token, and what was there with other permissions goes.
    fn write(&self, token: &str) -> io::Result<()> {
        private_folder(&self.folder)?;
        check_private(&fs::metadata(&self.folder)?)?;
        let draft = self.folder.join(format!("{}.{:08x}", self.port, rand::random::<u32>()));
        let written = private_file(&draft).and_then(|mut file| writeln!(file, "{token}"));
        let moved = written.and_then(|()| fs::rename(&draft, self.path()));
        moved.inspect_err(|_| remove(&draft))
    }

    fn forget(&self) {
        remove(&self.path());
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.token", self.port))
    }
}

/// A file that cannot be removed, or was not there, does no harm.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
        return Some(folder.into());
    }
    let places = choose_native_strategy().ok()?;
    Some(places.runtime_dir().unwrap_or_else(|| places.cache_dir()).join("vantiq-simulator"))
}

/// Whether it may be sent in a header and stand in a line of its own.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unusable(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Nobody else may read a token, nor put one there.
#[cfg(unix)]
fn check_private(metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let others = if metadata.is_dir() { 0o022 } else { 0o077 };
    if metadata.permissions().mode() & others == 0 {
        Ok(())
    } else {
        Err(unusable("others have access to it"))
    }
}

/// The folders of a user are the user's own there.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn check_private(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("vantiq-simulator-{:016x}", rand::random::<u64>())))
        }

        fn token_file(&self) -> TokenFile {
            TokenFile { folder: self.0.join("tokens"), port: 1 }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_kept_is_recalled_until_it_is_forgotten() {
        let folder = Folder::new();
        let file = folder.token_file();
        assert_eq!(file.recall(), None);
        file.keep("first");
        file.keep("second");
        assert_eq!(file.recall().as_deref(), Some("second"));
        assert_eq!(fs::read_dir(&file.folder).expect("it was made").count(), 1, "no drafts stay");
        file.forget();
        assert_eq!(file.recall(), None);
    }

    #[test]
    fn what_is_no_token_is_replaced() {
        let folder = Folder::new();
        let file = folder.token_file();
        file.keep("two words");
        assert!(file.read().is_err());
        assert_eq!(file.recall(), None);
        file.keep("one");
        assert_eq!(file.recall().as_deref(), Some("one"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_reason_to_stop() {
        let folder = Folder::new();
        fs::create_dir(&folder.0).expect("a folder");
        fs::write(folder.0.join("tokens"), "").expect("a file");
        folder.token_file().keep("one");
        assert_eq!(folder.token_file().recall(), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_has_access() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        let file = folder.token_file();
        file.keep("one");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&file.folder), mode(&file.path())), (0o700, 0o600));

        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
        };
        set(&file.path(), 0o640);
        assert_eq!(file.recall(), None, "others could read it");
        file.keep("two");
        assert_eq!((file.recall().as_deref(), mode(&file.path())), (Some("two"), 0o600));
        set(&file.folder, 0o777);
        assert_eq!(file.recall(), None, "others could put it there");
        file.keep("three");
        set(&file.folder, 0o700);
        assert_eq!(file.recall().as_deref(), Some("two"), "nothing is put where others could read it");
    }
}
