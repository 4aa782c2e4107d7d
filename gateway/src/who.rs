//! Who did something, as the journal keeps it.
//!
//! Promises the number that the kernel gives, and the name that `/etc/passwd` had for it then, since accounts come and go and the
//! record stays. Leaves out who somebody else was before `sudo`: that is root here, so people are given accounts of their own.

/// `uid 1000 (b.tech)`; without a name where none is known on this box.
#[must_use]
pub fn actor(uid: u32) -> String {
    let users = std::fs::read("/etc/passwd").unwrap_or_default();
    named(uid, &String::from_utf8_lossy(&users))
}

fn named(uid: u32, users: &str) -> String {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then_some(name)
    });
    let fits =
        |name: &&str| !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_graphic());
    name.filter(fits).map_or_else(|| format!("uid {uid}"), |name| format!("uid {uid} ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_number_and_by_the_name_of_then_and_nothing_strange_gets_into_the_journal() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nb.tech:x:1000:1000::/home/b:/bin/sh\na b:x:7:7::/:\n:x:8:8::/:\n";
        for (uid, said) in
            [(0, "uid 0 (root)"), (1000, "uid 1000 (b.tech)"), (1, "uid 1"), (7, "uid 7"), (8, "uid 8")]
        {
            assert_eq!(named(uid, users), said);
        }
        assert_eq!(named(0, ""), "uid 0");
    }
}
