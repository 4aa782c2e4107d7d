//! The commented example, the manual and the schema say the same as the program.

use super::*;
use std::collections::BTreeSet;

fn repository(file: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    fs::read_to_string(Path::new(root).join(file)).unwrap()
}

fn example_plan(text: &str) -> Plan {
    match load_texts(vec![(PathBuf::from("example.toml"), text.to_owned())], &SHIPPED) {
        Ok(loaded) => loaded.plan,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

/// All keys of the schema, as in [`KEYS`]: `instrument.wire.tls.pin`.
fn schema_keys() -> BTreeSet<String> {
    fn walk(schema: &serde_json::Value, root: &serde_json::Value, path: &str, keys: &mut BTreeSet<String>) {
        let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) else { return };
        for (name, property) in properties {
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            keys.insert(here.clone());
            let forms = property.get("anyOf").and_then(|forms| forms.as_array()).into_iter().flatten();
            for form in std::iter::once(property).chain(property.get("items")).chain(forms) {
                let reference = form.get("$ref").and_then(|r| r.as_str()).and_then(|r| r.strip_prefix('#'));
                let target = reference.map_or(Some(form), |pointer| root.pointer(pointer));
                target.into_iter().for_each(|target| walk(target, root, &here, keys));
            }
        }
    }
    let schema = json_schema().to_value();
    let mut keys = BTreeSet::new();
    walk(&schema, &schema, "", &mut keys);
    assert!(keys.contains("instrument.wire.tls.allow_clients"), "{keys:?}");
    keys
}

#[test]
fn commented_defaults_are_the_defaults() {
    let text = repository("deploy/orugate.example.toml");
    let plain = example_plan(&text);
    let bedside: Vec<_> = plain.instruments.iter().filter(|plan| plan.bedside.is_some()).collect();
    assert_eq!(bedside.iter().map(|plan| &*plan.name).collect::<Vec<_>>(), ["ventilator-icu-12"]);
    let stale_after = bedside[0].bedside.as_ref().map(|plan| plan.stale_after);
    assert_eq!(
        Some(bedside[0].profile.feed()),
        stale_after.map(|stale_after| Feed::Bedside { stale_after }),
        "how long a value holds is the profile's"
    );
    let mut defaults = 0;
    for (number, line) in text.lines().enumerate() {
        let Some(default) =
            line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
        else {
            continue;
        };
        defaults += 1;
        let lines = text.lines().enumerate().map(|(n, l)| if n == number { default } else { l });
        let with = example_plan(&lines.collect::<Vec<_>>().join("\n"));
        let difference = Difference::between(&plain, &with);
        assert!(difference.is_empty(), "line {}: {line} is not the default: {difference:?}", number + 1);
        assert_ne!(plain.hash, with.hash);
    }
    assert_eq!(defaults, 37, "a default was added or lost");
}

#[test]
fn the_example_and_the_manual_have_every_key() {
    let example = repository("deploy/orugate.example.toml");
    let manual = repository("docs/configuration.md");
    for key in schema_keys() {
        let last = key.rsplit('.').next().unwrap_or(&key);
        let typed = example.lines().any(|line| {
            let line = line.trim_start_matches("#+").trim_start_matches('#').trim();
            line.starts_with(&format!("{last} = "))
                || line.starts_with('[') && line.trim_matches(['[', ']']).ends_with(last)
        });
        assert!(typed, "the example does not show {key}");
        assert!(manual.contains(&format!("`{key}`")), "the manual does not have {key}");
    }
}

/// The longest of [`KEYS`] that covers a key.
fn covering(key: &str) -> Option<Takes> {
    let covers =
        |known: &str| key == known || key.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'));
    let longest = KEYS.iter().filter(|(known, _)| covers(known)).max_by_key(|(known, _)| known.len());
    longest.map(|(_, takes)| *takes)
}

#[test]
fn the_manual_says_of_every_key_when_it_takes_effect() {
    let manual = repository("docs/configuration.md");
    for key in schema_keys() {
        let Some(takes) = covering(&key) else {
            assert!(
                ["version", "gateway", "journal", "capture", "alerts"].contains(&&*key),
                "{key} is not in KEYS"
            );
            continue;
        };
        let word = match takes {
            Takes::Live => "live",
            Takes::Connection => "connection",
            Takes::Restart => "restart",
        };
        let row = manual.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {key}"));
        // A table is as its keys are.
        let has_keys = schema_keys().iter().any(|k| k.starts_with(&format!("{key}.")));
        let counts = !has_keys || KEYS.iter().any(|(known, _)| *known == key);
        assert!(
            !counts || row.contains(&format!("| {word} |")),
            "{key} is {word}, and the manual says {row}"
        );
    }
}

#[test]
fn a_key_that_is_no_table_is_described_in_the_schema() {
    fn described(schema: &serde_json::Value, undescribed: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) {
            let without = properties.iter().filter(|(_, property)| property.get("description").is_none());
            undescribed.extend(without.map(|(name, _)| name.clone()));
        }
        match schema {
            serde_json::Value::Object(map) => map.values().for_each(|v| described(v, undescribed)),
            serde_json::Value::Array(list) => list.iter().for_each(|v| described(v, undescribed)),
            _ => {}
        }
    }
    let mut undescribed = Vec::new();
    described(&json_schema().to_value(), &mut undescribed);
    assert_eq!(undescribed, Vec::<String>::new());
}

#[test]
fn what_a_reload_leaves_for_a_restart_is_what_it_says() {
    let text = repository("deploy/orugate.example.toml");
    let old = example_plan(&text);
    let new = example_plan(
        &text
            .replace("GW01", "GW02")
            .replace("CORE-LAB", "WARD")
            .replace("/var/lib/orugate/journal", "/var/lib/other")
            .replace("#admin_socket = \"/run/orugate", "admin_socket = \"/run/other")
            .replace("9600", "19200"),
    );
    let all = Difference::between(&old, &new);
    let waits: Vec<&str> = all.for_restart().map(|change| &*change.key).collect();
    assert_eq!(waits, ["gateway.id", "journal.path", "gateway.admin_socket"]);
    let in_force = new.clone().as_reloaded(&old);
    assert_eq!(Difference::between(&old, &in_force).for_restart().count(), 0);
    let left = Difference::between(&in_force, &new);
    assert_eq!(left.changes.len(), waits.len());
}

#[test]
fn changes_are_told_with_what_they_mean_worst_first() {
    let text = repository("deploy/orugate.example.toml");
    let new = text
        .replacen("mode = \"live\"", "mode = \"test\"", 1)
        .replace("name = \"engine\"", "name = \"engine-b\"")
        .replace("send_to = [\"engine\"]", "send_to = [\"engine-b\"]")
        .replace("#max_size = \"4 GiB\"", "max_size = \"8 GiB\"");
    let difference = Difference::between(&example_plan(&text), &example_plan(&new));
    let told: String = difference.changes.iter().map(|change| format!("{change}\n")).collect();
    expect![[r#"
        engine: no longer a destination (engine.example:2575): what waits for it stays in the journal and goes nowhere. engine-b is new at the same address: a new name is a new queue, so let this one run empty before
        haematology-1: mode live → test: its results no longer reach patients' charts (MSH-11 T); they go nowhere
        haematology-1: send_to: its results no longer go to engine, and go to engine-b
        chemistry-1: send_to: its results no longer go to engine, and go to engine-b
        coagulation-1: send_to: its results no longer go to engine, and go to engine-b
        engine-b: new destination at engine.example:2575
        journal: max_size: 4 GiB → 8 GiB
        journal: snapshots_size: 1 GiB → 2 GiB
    "#]]
    .assert_eq(&told);
}
