//! [`Place`]: where the outbox file lies, how it is made, and how a damaged one is set aside.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, DirBuilder, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use redb::backends::FileBackend;

use super::{
    StoreError, StoreErrorKind, StoreSettings,
    file::{Fault, StoreFile},
    pending::Pending,
    record::{Record, carve},
};

/// What opens the file.
type Open = Box<dyn Fn(&StoreSettings) -> Result<StoreFile, Fault> + Send>;

/// Where the outbox file lies.
pub(super) struct Place {
    pub(super) settings: StoreSettings,
    open: Open,
    /// How long what need not be written at once may wait for more.
    pub(super) interval: Duration,
    /// How long a file that cannot be used is left alone.
    pub(super) retry: Duration,
}

const INTERVAL: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(1);

/// What became of a damaged file.
pub(super) struct Rescued {
    pub(super) file: StoreFile,
    /// What could be read of it and lies in the new one.
    pub(super) records: BTreeMap<u64, Record>,
    /// Where it lies now.
    pub(super) aside: PathBuf,
}

impl Place {
    pub(super) fn new(settings: StoreSettings) -> Self {
        Self { settings, open: Box::new(on_disk), interval: INTERVAL, retry: RETRY }
    }

    /// The same on another storage, and without patience.
    #[cfg(test)]
    pub(super) fn on(
        settings: StoreSettings,
        disk: impl Fn() -> Box<dyn redb::StorageBackend> + Send + 'static,
    ) -> Self {
        let (interval, retry) = (Duration::from_millis(1), Duration::ZERO);
        let open = move |settings: &StoreSettings| StoreFile::open(disk(), settings.sync, settings.max_bytes);
        Self { settings, open: Box::new(open), interval, retry }
    }

    /// Opens the file, or makes it.
    pub(super) fn open(&self) -> Result<StoreFile, StoreError> {
        (self.open)(&self.settings).map_err(|fault| self.error(&fault))
    }

    /// Sets the damaged file aside, and begins a new one with what can be read of it. What is still to be
    /// removed is left out.
    pub(super) fn rescue(&self, pending: &Pending) -> Result<Rescued, StoreError> {
        let path = &self.settings.file;
        let moved = || -> io::Result<_> {
            let mut names = (1..u64::MAX).map(|number| beside(path, &format!("damaged-{number}")));
            let aside = names.find(|aside| !aside.exists()).ok_or(io::ErrorKind::AlreadyExists)?;
            fs::rename(path, &aside)?;
            Ok((fs::read(&aside)?, aside))
        };
        let (bytes, aside) = moved().map_err(|error| self.error(&error.into()))?;
        let mut records = carve(&bytes);
        for number in pending.removes() {
            records.remove(&number);
        }
        let mut all = Pending::default();
        records.values().cloned().for_each(|record| all.insert(record));
        let file = self.open()?;
        file.commit(&all).map_err(|fault| self.error(&fault))?;
        Ok(Rescued { file, records, aside })
    }

    /// The same for whoever has to read it.
    pub(super) fn error(&self, fault: &Fault) -> StoreError {
        let cause = fault.cause.as_ref().map(|cause| cause as _);
        StoreError::new(&self.settings.file, fault.kind, cause)
    }
}

/// Opens the file, or makes it and its folder, for nobody else to read.
fn on_disk(settings: &StoreSettings) -> Result<StoreFile, Fault> {
    let path = &settings.file;
    if path.exists() {
        return open_at(path, settings);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(folder)?;
    // A process that ends while it begins a file leaves half a one. So it gets its name when it is whole; it
    // is locked all the time.
    let new = beside(path, "new");
    let file = match open_at(&new, settings) {
        Err(Fault { kind: StoreErrorKind::Damaged, .. }) => {
            fs::remove_file(&new)?;
            open_at(&new, settings)?
        }
        other => other?,
    };
    if path.exists() {
        // Another process was faster.
        fs::remove_file(&new)?;
        return open_at(path, settings);
    }
    fs::rename(&new, path)?;
    sync_folder(folder)?;
    Ok(file)
}

fn open_at(path: &Path, settings: &StoreSettings) -> Result<StoreFile, Fault> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = FileBackend::new(options.open(path)?).map_err(redb::Error::from)?;
    StoreFile::open(Box::new(file), settings.sync, settings.max_bytes)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Without this a crash of the machine may forget that there is the file.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The same path with another ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(ending);
    name.into()
}
