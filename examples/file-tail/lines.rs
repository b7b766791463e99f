//! [`Lines`]: the lines of a file that grows, is rotated, or is cut short.

use std::{
    io::{self, SeekFrom},
    mem,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    fs::{self, File},
    io::{AsyncBufReadExt, AsyncSeekExt, BufReader},
    time::sleep,
};
use tracing::{error, info, warn};

use crate::offset::Position;

/// How often the end of the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a program may go on writing into its old log when the next one has the name.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Of a longer line nothing is kept; the outbox would have no room for it.
const LONGEST: usize = 16 << 20;

/// A line, without what ends it.
pub(crate) struct Line {
    /// What is no UTF-8 is replaced by U+FFFD.
    pub(crate) text: String,
    /// Where it begins.
    pub(crate) begin: u64,
    /// Where the next one begins.
    pub(crate) end: Position,
}

/// Reads a file line by line, and after it the one that has its name next.
pub(crate) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    /// How far `file` was read.
    pub(crate) read: Position,
    /// The line that is being read, and where it begins.
    line: Vec<u8>,
    begin: u64,
    /// Another file that has the name now.
    next: Option<File>,
}

impl Lines {
    /// Goes on at `from`, whatever the name of that file is now; without it, begins at the start of `path`.
    pub(crate) async fn open(path: &Path, from: Option<Position>) -> Result<Self> {
        let named = open(path).await?;
        let read = Position::start_of(&named.metadata().await?);
        let (path, file) = (path.to_owned(), BufReader::new(named));
        let mut lines = Self { path, file, read, line: Vec::new(), begin: 0, next: None };
        let Some(from) = from else { return Ok(lines) };
        if let Some(file) = lines.find(from).await? {
            lines.begin = from.offset;
            lines.go_on(file, from).await?;
        } else {
            warn!("the file it stopped in is gone or was cut short; beginning at the start of this one");
        }
        Ok(lines)
    }

    /// Waits for the next line.
    pub(crate) async fn next(&mut self) -> Result<Line> {
        loop {
            let line = if self.read_line().await? {
                self.take_line()
            } else if let Some(next) = self.next.take() {
                // Nobody will end its last line.
                let rest = self.take_line();
                info!("the file was rotated");
                self.start(next).await?;
                rest
            } else {
                sleep(LOOK_EVERY).await;
                self.look().await?;
                None
            };
            if let Some(line) = line {
                return Ok(line);
            }
        }
    }

    /// Reads on, and says whether the line is whole now.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let bytes = self.file.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.map_or(bytes.len(), |end| end + 1)];
            if self.line.len() <= LONGEST {
                self.line.extend(part);
            }
            self.read.advance(part);
            let length = part.len();
            self.file.consume(length);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The line as far as it was read, where there is one.
    fn take_line(&mut self) -> Option<Line> {
        let (bytes, end) = (mem::take(&mut self.line), self.read);
        let begin = mem::replace(&mut self.begin, end.offset);
        if bytes.is_empty() {
            return None;
        }
        if bytes.len() > LONGEST {
            error!(offset = begin, size = end.offset - begin, "left out a line that is too large");
            return None;
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(Line { text: String::from_utf8_lossy(line).into_owned(), begin, end })
    }

    /// Finds out what has become of the file at whose end it is.
    async fn look(&mut self) -> Result<()> {
        let mut named = match File::open(&self.path).await {
            // It was renamed, and the next one is not there yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        if self.read.is_in(&mut named).await? {
            return self.go_on(named, self.read).await;
        }
        if self.read.is_in(self.file.get_mut()).await? {
            sleep(LAST_WORDS).await;
            self.file.seek(SeekFrom::Start(self.read.offset)).await?;
            self.next = Some(named);
            return Ok(());
        }
        warn!("the file was cut short; beginning again at its start");
        self.line.clear();
        self.start(named).await
    }

    /// Begins at the start of `file`.
    async fn start(&mut self, file: File) -> Result<()> {
        self.begin = 0;
        let start = Position::start_of(&file.metadata().await?);
        self.go_on(file, start).await
    }

    /// Goes on in `file`, which is at any place.
    async fn go_on(&mut self, mut file: File, at: Position) -> Result<()> {
        file.seek(SeekFrom::Start(at.offset)).await?;
        (self.file, self.read) = (BufReader::new(file), at);
        Ok(())
    }

    /// The file in which `from` is: the one with the name, or one beside it with a name that begins alike, as
    /// rotated logs have.
    async fn find(&self, from: Position) -> Result<Option<File>> {
        let mut named = open(&self.path).await?;
        if from.is_in(&mut named).await? {
            return Ok(Some(named));
        }
        let folder = self.path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let stem = self.path.file_stem().unwrap_or_default().as_encoded_bytes();
        let mut files = fs::read_dir(folder).await?;
        while let Some(file) = files.next_entry().await? {
            let is_like = file.file_name().as_encoded_bytes().starts_with(stem);
            if is_like
                && file.file_type().await?.is_file()
                && let Ok(mut file) = File::open(file.path()).await
                && from.is_in(&mut file).await?
            {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }
}

async fn open(path: &Path) -> Result<File> {
    File::open(path).await.with_context(|| format!("cannot open {}", path.display()))
}
