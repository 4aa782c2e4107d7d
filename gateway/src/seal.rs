//! The keys of a sealed journal: read from where the configuration says, and made.
//!
//! Promises that a key that could be read is one, that it is not beside the journal, and that no message shows anything
//! of it but its id. Leaves out what is done with it; the journal does that.

use crate::config::{FileOrCredential, JournalPlan, Loaded, Mistake, beside};
use crate::secret::{self, Unread, path_of};
use orugate_journal::{KeyId, KeyRing, SealKey};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// More than any form of a key; what is larger is another file.
const MAX_FILE: u64 = 4_000;

/// Something about one of the keys.
struct Finding {
    /// Which, in the order of [`SealPlan::all`](crate::config::SealPlan::all).
    number: usize,
    /// A sentence that begins with the file.
    message: String,
    /// It is not on this machine, or not for this user.
    absent: bool,
}

/// The keys of a plan's journal, and what should not stay as it is. `None` without sealing.
///
/// # Errors
/// Why one of them cannot be used, in a sentence that names its file.
pub fn keys(plan: &JournalPlan) -> Result<(Option<KeyRing>, Vec<String>), String> {
    let (keys, remarks, faults) = read(plan);
    if let Some(fault) = faults.into_iter().next() {
        return Err(fault.message);
    }
    let mut keys = keys.into_iter();
    let ring = keys.next().map(|current| KeyRing::new(current, keys.collect()));
    Ok((ring, remarks.into_iter().map(|remark| remark.message).collect()))
}

/// Keys from these files, for a journal that is only looked at: any of them opens what it sealed.
///
/// # Errors
/// Why one of them cannot be used, in a sentence that names its file.
pub fn from_files(files: &[PathBuf]) -> Result<Option<KeyRing>, String> {
    let mut keys = Vec::new();
    for file in files {
        let key = read_key(&FileOrCredential::File(file.clone()));
        keys.push(key.map_err(|(Unread::Absent(message) | Unread::Wrong(message))| message)?);
    }
    let mut keys = keys.into_iter();
    Ok(keys.next().map(|first| KeyRing::new(first, keys.collect())))
}

/// What was found in the keys' files: what makes the configuration wrong, and what is worth a warning. A file that is not
/// here is a warning, because a configuration may be checked on another machine.
#[must_use]
pub fn check(loaded: &Loaded) -> (Vec<Mistake>, Vec<Mistake>) {
    let Some(typed) = &loaded.seal else { return Default::default() };
    let (_, remarks, faults) = read(&loaded.plan.journal);
    let (absent, wrong): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| fault.absent);
    let placed = |found: Vec<Finding>| {
        found.into_iter().filter_map(|f| typed.finding(f.number, f.message)).collect::<Vec<_>>()
    };
    (placed(wrong), placed(remarks.into_iter().chain(absent).collect()))
}

/// True when a key can be read only by the service itself: then a command cannot judge it.
#[must_use]
pub fn is_for_the_service(plan: &JournalPlan) -> bool {
    let mut keys = plan.seal.iter().flat_map(|seal| seal.all());
    keys.any(|key| matches!(key, FileOrCredential::Credential(_)) && !path_of(key).exists())
}

/// Writes a fresh key into a new file that only its owner can read.
///
/// # Errors
/// There is such a file, or it cannot be written.
pub fn new_key(file: &Path) -> io::Result<KeyId> {
    let failed = || io::Error::other("the crypto library gave no key");
    let bytes = SealKey::random_bytes().ok_or_else(failed)?;
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len() + 1));
    bytes.iter().for_each(|byte| text.extend([byte >> 4, byte & 15].map(digit)));
    text.push('\n');
    let key = SealKey::new(bytes).ok_or_else(failed)?;
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    // A key that a power cut takes away again would take with it what was sealed meanwhile.
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).inspect_err(|_| {
        let _ = fs::remove_file(file);
    })?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()?;
    Ok(key.id())
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0')
}

fn read(plan: &JournalPlan) -> (Vec<SealKey>, Vec<Finding>, Vec<Finding>) {
    let (mut keys, mut remarks, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (number, from) in plan.seal.iter().flat_map(|seal| seal.all()).enumerate() {
        let finding = |message| Finding { number, message, absent: false };
        match read_one(from, &plan.path) {
            Ok(key) => keys.push(key),
            Err(Unread::Absent(message)) => faults.push(Finding { absent: true, ..finding(message) }),
            Err(Unread::Wrong(message)) => faults.push(finding(message)),
        }
        remarks.extend(secret::open_to_all(from).map(finding));
        remarks.extend(same_medium(from, &plan.path).map(finding));
    }
    (keys, remarks, faults)
}

fn read_one(from: &FileOrCredential, journal: &Path) -> Result<SealKey, Unread> {
    let key = read_key(from)?;
    // By its real place: a link elsewhere would only look as if the key were away from the journal.
    let real = |path: &Path| fs::canonicalize(path).ok();
    if let (FileOrCredential::File(path), Some(journal)) = (from, real(journal))
        && real(path).is_some_and(|path| path.starts_with(journal))
    {
        return Err(Unread::Wrong(beside(from)));
    }
    Ok(key)
}

fn read_key(from: &FileOrCredential) -> Result<SealKey, Unread> {
    let bytes = secret::read(from, MAX_FILE, "a key can be")?;
    let key = parse(&bytes).map_err(|what| {
        Unread::Wrong(format!(
            "{from} {what}; a key is 32 bytes, or 64 hexadecimal digits. To make one: orugate journal new-key FILE"
        ))
    })?;
    SealKey::new(key).ok_or_else(|| Unread::Wrong(format!("{from}: the crypto library does not work")))
}

/// What was read as a key, or what it is instead.
fn parse(bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, String> {
    let mut key = Zeroizing::new([0; 32]);
    // Raw bytes first: their last one may be a line feed by chance.
    if bytes.len() == key.len() {
        key.copy_from_slice(bytes);
    } else {
        let text = bytes.trim_ascii_end();
        if text.len() != 64 {
            return Err(format!("has {} bytes", bytes.len()));
        }
        for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
            let mut digits = pair.iter().map(|digit| char::from(*digit).to_digit(16));
            let value = digits.try_fold(0, |value, digit| Some(value << 4 | digit?));
            *byte = value
                .and_then(|value| u8::try_from(value).ok())
                .ok_or("holds what is no hexadecimal digit")?;
        }
    }
    if key.windows(2).all(|pair| pair[0] == pair[1]) {
        return Err("holds one byte again and again, which anybody would guess".to_owned());
    }
    Ok(key)
}

/// A remark about a key that goes away with the journal.
fn same_medium(from: &FileOrCredential, journal: &Path) -> Option<String> {
    let FileOrCredential::File(path) = from else { return None };
    let device = |path: &Path| fs::metadata(path).ok().map(|metadata| metadata.dev());
    // Before the journal is made, the folder that it will be in tells.
    let there = journal.ancestors().find_map(device)?;
    (device(path)? == there).then(|| {
        format!(
            "{from} is on the same file system as the journal: whoever takes that medium has both. See docs/sealing.md \
             for better places"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SealPlan;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    fn plan(folder: &Path, key: &Path) -> JournalPlan {
        JournalPlan {
            path: folder.join("journal"),
            max_size: 64 << 20,
            keep_delivered: Duration::from_secs(3600),
            keep_raw: Duration::from_secs(3600),
            keep_keys: Duration::from_secs(3600),
            snapshots_size: 16 << 20,
            endurance: None,
            seal: Some(SealPlan { key: FileOrCredential::File(key.to_owned()), previous: Vec::new() }),
        }
    }

    fn said(content: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let result = keys(&plan(folder.path(), &file));
        let said = result.map(|(ring, _)| ring.unwrap().ids().map(|id| id.to_string()).collect::<String>());
        said.unwrap_or_else(|message| message).replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn a_key_is_32_bytes_or_64_digits_and_both_mean_the_same() {
        let raw: Vec<u8> = (0..2).flat_map(|_| (0..16).map(|n| n * 0x11)).collect();
        let id = said(&raw);
        assert_eq!(id.len(), 16, "{id}");
        for text in [HEX.to_owned(), HEX.to_lowercase(), format!("{HEX}\n"), format!("{HEX}\r\n")] {
            assert_eq!(said(text.as_bytes()), id, "{text:?}");
        }
        // A raw key may end with a line feed.
        let mut ends = raw;
        ends[31] = b'\n';
        assert_eq!(said(&ends).len(), 16);
    }

    #[test]
    fn what_is_no_key_is_said() {
        let what = "a key is 32 bytes, or 64 hexadecimal digits. To make one: orugate journal new-key FILE";
        assert_eq!(said(b""), "key is empty");
        assert_eq!(said(&HEX.as_bytes()[1..]), format!("key has 63 bytes; {what}"));
        assert_eq!(said(&[7; 33]), format!("key has 33 bytes; {what}"));
        assert_eq!(
            said(HEX.replace("99", "9g").as_bytes()),
            format!("key holds what is no hexadecimal digit; {what}")
        );
        assert_eq!(
            said(&[0; 32]),
            format!("key holds one byte again and again, which anybody would guess; {what}")
        );
        assert_eq!(said(&[b'x'; 5000]), "key is larger than a key can be");
    }

    #[test]
    fn a_key_that_all_can_read_or_on_the_journals_medium_is_remarked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, HEX).unwrap();
        let remarks = |mode| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            keys(&plan(folder.path(), &file)).unwrap().1
        };
        let [medium] = &remarks(0o640)[..] else { panic!() };
        assert!(medium.contains("on the same file system as the journal"), "{medium}");
        let both = remarks(0o644);
        assert!(both[0].contains("can be read by every user of this machine: chmod o-r"), "{both:?}");
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn a_key_in_the_journals_folder_is_refused_behind_a_link_too() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, link) = (folder.path().join("journal"), folder.path().join("link"));
        fs::create_dir(&journal).unwrap();
        fs::write(journal.join("key"), HEX).unwrap();
        std::os::unix::fs::symlink(&journal, &link).unwrap();
        for key in [journal.join("key"), link.join("key")] {
            let message = keys(&plan(folder.path(), &key)).unwrap_err();
            assert!(message.contains("is in the journal's folder"), "{message}");
        }
    }

    #[test]
    fn a_new_key_is_for_its_owner_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let id = new_key(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        let ring = keys(&plan(folder.path(), &file)).unwrap().0.unwrap();
        assert_eq!(ring.ids().collect::<Vec<_>>(), [id]);
        let before = fs::read(&file).unwrap();
        assert_eq!(before.len(), 65);
        assert_eq!(new_key(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).unwrap(), before);
        assert_ne!(new_key(&folder.path().join("other")).unwrap(), id);
    }
}
