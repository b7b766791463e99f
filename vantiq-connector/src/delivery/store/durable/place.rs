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

    /// Sets the damaged file aside, and puts a new one with what can be read of it in its place. What is still
    /// to be removed is left out. Where it fails the damaged file stays where it is.
    pub(super) fn rescue(&self, pending: &Pending) -> Result<Rescued, StoreError> {
        let rescue = || {
            let (file, records) = write_new(&self.settings, pending)?;
            Ok(Rescued { file, records, aside: take_its_place(&self.settings.file)? })
        };
        rescue().map_err(|fault| self.error(&fault))
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
    let folder = folder_of(path);
    make_folder(folder)?;
    let file = begin(settings)?;
    if path.exists() {
        // Another process was faster.
        fs::remove_file(new_path(path))?;
        return open_at(path, settings);
    }
    fs::rename(new_path(path), path)?;
    sync_folder(folder)?;
    Ok(file)
}

/// A file that is to become that of the `settings`, or what a process that ended left of one. A process that
/// ends while it begins a file leaves half a one. So it gets its name when it is whole; it is locked all the
/// time.
fn begin(settings: &StoreSettings) -> Result<StoreFile, Fault> {
    let new = new_path(&settings.file);
    match open_at(&new, settings) {
        Err(Fault { kind: StoreErrorKind::Damaged, .. }) => {
            fs::remove_file(&new)?;
            open_at(&new, settings)
        }
        other => other,
    }
}

/// The first step of a rescue: what can be read of the damaged file lies in the new one, on the disk, whatever
/// the settings say. A process that ends here leaves the damaged file, to be rescued at the next start.
pub(super) fn write_new(
    settings: &StoreSettings,
    pending: &Pending,
) -> Result<(StoreFile, BTreeMap<u64, Record>), Fault> {
    let mut records = carve(&fs::read(&settings.file)?);
    for number in pending.removes() {
        records.remove(&number);
    }
    // All of it was in the file before, be it under another bound.
    let file = begin(&StoreSettings { max_bytes: u64::MAX, ..settings.clone() })?;
    let mut all = Pending::default();
    // Another rescue may have come so far.
    file.load()?.into_keys().for_each(|number| all.remove(number));
    records.values().cloned().for_each(|record| all.insert(record));
    let written = file.commit(&all).and_then(|()| {
        OpenOptions::new().write(true).open(new_path(&settings.file))?.sync_all()?;
        Ok(sync_folder(folder_of(&settings.file))?)
    });
    if let Err(fault) = written {
        // It takes room on a disk that may be full; the next attempt begins with what it finds.
        let _ = fs::remove_file(new_path(&settings.file));
        return Err(fault);
    }
    Ok((file.bounded(settings.max_bytes), records))
}

/// The second step: the damaged file gives way. A process that ends in the middle leaves no file but the new
/// one, which is taken at the next start.
fn take_its_place(path: &Path) -> io::Result<PathBuf> {
    let aside = set_aside(path)?;
    fs::rename(new_path(path), path)?;
    sync_folder(folder_of(path))?;
    Ok(aside)
}

/// Gives the damaged file a name that no other has. Returns it.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut names = (1..u64::MAX).map(|number| beside(path, &format!("damaged-{number}")));
    let aside = names.find(|aside| !aside.exists()).ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &aside)?;
    Ok(aside)
}

fn open_at(path: &Path, settings: &StoreSettings) -> Result<StoreFile, Fault> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = FileBackend::new(options.open(path)?).map_err(redb::Error::from)?;
    StoreFile::open(Box::new(file), settings.sync, settings.max_bytes)
}

/// Makes the folder and those above it that are missing, so that a crash of the machine forgets none.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    missing.into_iter().filter(|made| !made.as_os_str().is_empty()).map(folder_of).try_for_each(sync_folder)
}

/// Where `path` lies.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

/// What the file at `path` is called while it is not whole.
pub(super) fn new_path(path: &Path) -> PathBuf {
    beside(path, "new")
}

/// The same path with another ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(ending);
    name.into()
}
