//! [`Position`]: how far which file was read. [`OffsetFile`]: the one that was delivered last, on disk.

use std::{fs::Metadata, io, path::PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};
use tracing::warn;

/// So many bytes at its start tell a file from others.
const HEAD: u64 = 1_024;

/// How far which file was read. A name is not enough: a log that is rotated leaves it to another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Number of the next byte.
    pub(crate) offset: u64,
    /// The file's number in its file system; 0 where the standard library tells none.
    inode: u64,
    /// Hash of the bytes before the offset, [`HEAD`] at most. Numbers of files are used again.
    head: u64,
}

impl Position {
    /// The start of the file with this metadata.
    pub(crate) fn start_of(file: &Metadata) -> Self {
        Self { offset: 0, inode: inode(file), head: 0xcbf2_9ce4_8422_2325 }
    }

    /// Goes on behind `bytes`, which come next.
    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        let rest = usize::try_from(HEAD.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        // FNV-1a: the standard library's hashes may be others with the next compiler.
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        self.head = bytes.iter().take(rest).fold(self.head, step);
        self.offset += bytes.len() as u64;
    }

    /// Whether it can be one in `file`, which is read from its start for that.
    pub(crate) async fn is_in(&self, file: &mut File) -> io::Result<bool> {
        let metadata = file.metadata().await?;
        let (mut read, mut bytes) = (Self::start_of(&metadata), Vec::new());
        if metadata.len() < self.offset || read.inode != self.inode {
            return Ok(false);
        }
        file.rewind().await?;
        file.take(self.offset.min(HEAD)).read_to_end(&mut bytes).await?;
        read.advance(&bytes);
        Ok(read.head == self.head)
    }
}

#[cfg(unix)]
fn inode(file: &Metadata) -> u64 {
    // Without the device, which can have another number after a restart.
    std::os::unix::fs::MetadataExt::ino(file)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// The file that holds a position.
#[derive(Debug)]
pub(crate) struct OffsetFile(pub(crate) PathBuf);

impl OffsetFile {
    /// The position; `None` where there is no file yet, or it holds something else: rather all lines twice
    /// than none of them until somebody looks.
    pub(crate) async fn load(&self) -> Result<Option<Position>> {
        let text = match fs::read(&self.0).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read {}", self.0.display()))?,
        };
        let position = serde_json::from_slice(&text);
        Ok(position
            .inspect_err(|error| warn!(file = %self.0.display(), %error, "holds no offset; beginning at 0"))
            .ok())
    }

    /// Stores the position. A crash leaves the old one or the new one, never half of one.
    pub(crate) async fn store(&self, position: Position) -> Result<()> {
        let beside = self.0.with_added_extension("tmp");
        let write = async {
            let mut file = File::create(&beside).await?;
            file.write_all(&serde_json::to_vec(&position)?).await?;
            file.sync_all().await?;
            fs::rename(&beside, &self.0).await
        };
        write.await.with_context(|| format!("cannot write {}", self.0.display()))
    }
}
