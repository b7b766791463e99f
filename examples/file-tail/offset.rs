//! [`OffsetFile`]: how far the file was sent and acknowledged, on disk.

use std::{io, path::PathBuf};

use anyhow::{Context, Result};
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};

/// A file that holds one number.
#[derive(Debug, Clone)]
pub(crate) struct OffsetFile(pub(crate) PathBuf);

impl OffsetFile {
    /// The number; 0 where there is no file yet.
    pub(crate) async fn load(&self) -> Result<u64> {
        match fs::read_to_string(&self.0).await {
            Ok(text) => text.trim().parse().with_context(|| format!("{} holds no offset", self.0.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.0.display())),
        }
    }

    /// Stores the number. A crash leaves the old one or the new one, never half of one.
    pub(crate) async fn store(&self, offset: u64) -> Result<()> {
        let beside = self.0.with_extension("offset.tmp");
        let write = async {
            let mut file = File::create(&beside).await?;
            file.write_all(offset.to_string().as_bytes()).await?;
            file.sync_all().await?;
            fs::rename(&beside, &self.0).await
        };
        write.await.with_context(|| format!("cannot write {}", self.0.display()))
    }
}
