//! The crate table of the design, as a test: who may depend on whom, read from `cargo metadata`.
//!
//! Promises: an edge that the table does not allow, a workspace crate that the table does not name, and a crate that
//! reaches what it must never reach (tokio below a driver) fail here, whatever features are on. Leaves out: licences,
//! sources and versions, which are in `deny.toml`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What a crate may use from outside the workspace.
enum Outside {
    /// Only these, each for a reason that its crate's documentation or the design gives.
    Only(&'static [&'static str]),
    /// Whatever `deny.toml` lets in: the shells.
    Any,
}

/// One row of the table.
struct Row {
    name: &'static str,
    folder: &'static str,
    /// Workspace crates that it may use.
    inside: &'static [&'static str],
    outside: Outside,
    /// Crates that must not be anywhere below it.
    never: &'static [&'static str],
}

/// Runtimes and devices: the crates that say what to do must not be able to do it.
const IO: &[&str] =
    &["tokio", "tokio-serial", "serialport", "mio", "mio-serial", "socket2", "tracing-subscriber"];

/// A new driver is a new row, with the outside crates that it needs and why.
const TABLE: &[Row] = &[
    Row {
        name: "orugate-protocol",
        folder: "protocol",
        inside: &[],
        outside: Outside::Only(&["heapless", "memchr", "encoding_rs"]),
        never: &["serde", "toml", "jiff", "tokio", "mio", "socket2"],
    },
    Row {
        name: "orugate-driver",
        folder: "drivers/api",
        inside: &["orugate-protocol"],
        outside: Outside::Only(&["serde", "toml", "schemars"]),
        never: IO,
    },
    Row {
        name: "orugate-astm",
        folder: "drivers/astm",
        inside: &["orugate-protocol", "orugate-driver"],
        outside: Outside::Only(&["heapless", "serde", "toml", "schemars"]),
        never: IO,
    },
    Row {
        name: "orugate-hl7",
        folder: "drivers/hl7",
        inside: &["orugate-protocol", "orugate-driver"],
        outside: Outside::Only(&["serde", "toml", "schemars"]),
        never: IO,
    },
    Row {
        name: "orugate-dri",
        folder: "drivers/dri",
        inside: &["orugate-protocol", "orugate-driver"],
        outside: Outside::Only(&["serde", "toml", "schemars"]),
        never: IO,
    },
    Row {
        name: "orugate-lines",
        folder: "drivers/lines",
        inside: &["orugate-protocol", "orugate-driver"],
        outside: Outside::Only(&["serde", "toml", "schemars"]),
        never: IO,
    },
    Row {
        name: "orugate-intellivue",
        folder: "drivers/intellivue",
        inside: &["orugate-protocol", "orugate-driver"],
        outside: Outside::Only(&["serde", "toml", "schemars"]),
        never: IO,
    },
    Row {
        name: "orugate-medibus",
        folder: "drivers/medibus",
        inside: &["orugate-protocol", "orugate-driver"],
        outside: Outside::Only(&["serde", "toml", "schemars"]),
        never: IO,
    },
    Row {
        name: "orugate-drivers",
        folder: "drivers/registry",
        inside: &[
            "orugate-driver",
            "orugate-astm",
            "orugate-dri",
            "orugate-hl7",
            "orugate-intellivue",
            "orugate-lines",
            "orugate-medibus",
        ],
        outside: Outside::Only(&[]),
        never: IO,
    },
    Row {
        name: "orugate-journal",
        folder: "gateway/journal",
        inside: &[],
        // serde: postcard's records are derived with it. ring: in place of aws-lc-rs, by the feature of that name. zeroize: keys
        // are wiped when they go.
        outside: Outside::Only(&["postcard", "serde", "crc32c", "aws-lc-rs", "ring", "zeroize"]),
        never: IO,
    },
    Row {
        name: "orugate",
        folder: "gateway",
        inside: &["orugate-protocol", "orugate-driver", "orugate-astm", "orugate-drivers", "orugate-journal"],
        outside: Outside::Any,
        never: &["openssl", "openssl-sys", "native-tls"],
    },
    Row {
        name: "orugate-tests",
        folder: "tests",
        inside: &[
            "orugate-protocol",
            "orugate-driver",
            "orugate-astm",
            "orugate-drivers",
            "orugate-journal",
            "orugate",
        ],
        outside: Outside::Any,
        never: &["openssl", "openssl-sys", "native-tls"],
    },
];

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Everything in the metadata that the table does not allow, one sentence each.
fn violations(metadata: &Value, table: &[Row]) -> Vec<String> {
    let mut wrong = Vec::new();
    let members: BTreeSet<&str> =
        list(metadata, "workspace_members").iter().filter_map(Value::as_str).collect();
    let packages: BTreeMap<&str, &Value> =
        list(metadata, "packages").iter().map(|package| (text(package, "id"), package)).collect();
    let names: BTreeSet<&str> =
        members.iter().filter_map(|id| packages.get(id)).map(|package| text(package, "name")).collect();
    for id in &members {
        let Some(package) = packages.get(id) else {
            wrong.push(format!("{id} is a member without a package"));
            continue;
        };
        let name = text(package, "name");
        let Some(row) = table.iter().find(|row| row.name == name) else {
            wrong.push(format!("{name} is not in the table"));
            continue;
        };
        if !text(package, "manifest_path").ends_with(&format!("/{}/Cargo.toml", row.folder)) {
            wrong.push(format!("{name} is not in {}", row.folder));
        }
        for dependency in list(package, "dependencies") {
            let to = text(dependency, "name");
            let dev = text(dependency, "kind") == "dev";
            let allowed = if names.contains(to) || to.starts_with("orugate") {
                row.inside.contains(&to)
            } else {
                // What only tests are built with reaches no user.
                dev || match row.outside {
                    Outside::Only(crates) => crates.contains(&to),
                    Outside::Any => true,
                }
            };
            if !allowed {
                wrong.push(format!("{name} must not use {to}"));
            }
        }
        for below in reached(metadata, id).iter().filter_map(|id| packages.get(id.as_str())) {
            let below = text(below, "name");
            if row.never.contains(&below) {
                wrong.push(format!("{name} must never reach {below}"));
            }
        }
    }
    wrong
}

/// The ids of all packages below one, by normal and build dependencies.
fn reached(metadata: &Value, from: &str) -> BTreeSet<String> {
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"], "nodes").iter().map(|node| (text(node, "id"), node)).collect();
    let mut found = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(id) = open.pop() {
        let node = nodes.get(id.as_str()).unwrap_or_else(|| panic!("{id} is not in the resolved graph"));
        for dependency in list(node, "deps") {
            let built = list(dependency, "dep_kinds").iter().any(|kind| text(kind, "kind") != "dev");
            let id = text(dependency, "pkg").to_owned();
            if built && found.insert(id.clone()) {
                open.push(id);
            }
        }
    }
    found
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(orugate_tests::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

#[test]
fn the_workspace_keeps_to_the_table() {
    let metadata = metadata();
    assert_eq!(violations(&metadata, TABLE), Vec::<String>::new());
    let members: BTreeSet<&str> =
        list(&metadata, "workspace_members").iter().filter_map(Value::as_str).collect();
    for row in TABLE {
        let found = list(&metadata, "packages")
            .iter()
            .any(|package| text(package, "name") == row.name && members.contains(text(package, "id")));
        assert!(found, "{} is in the table and not in the workspace", row.name);
    }
    // The walk sees the graph at all: what the gateway is known to stand on is below it.
    let gateway = members.iter().find(|id| id.contains("/gateway#")).expect("the gateway is a member");
    assert!(reached(&metadata, gateway).iter().any(|id| id.contains("#tokio@") || id.starts_with("tokio ")));
}

#[test]
fn protocol_cannot_allocate_by_std_or_be_unsafe() {
    let source = std::fs::read_to_string(orugate_tests::root().join("protocol/src/lib.rs")).unwrap();
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(source.lines().any(|line| line == attribute), "protocol/src/lib.rs lacks {attribute}");
    }
    for krate in ["extern crate alloc", "extern crate std"] {
        let outside_tests = source
            .lines()
            .zip(source.lines().skip(1))
            .any(|(before, line)| line.trim_start().starts_with(krate) && before.trim() != "#[cfg(test)]");
        assert!(!outside_tests, "protocol/src/lib.rs has `{krate}` outside tests");
    }
}

/// A workspace of two crates, with one more dependency for the first and one more edge in the resolved graph.
fn synthetic(dependency: Value, below_driver: &str) -> Value {
    let package = |name: &str, folder: &str, dependencies: Value| json!({ "id": name, "name": name, "manifest_path": format!("/w/{folder}/Cargo.toml"), "dependencies": dependencies });
    let outside = |name: &str| package(name, name, json!([]));
    let edge = |to: &str, kind: Value| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] });
    json!({
        "workspace_members": ["orugate-protocol", "orugate-driver"],
        "packages": [
            package("orugate-protocol", "protocol", json!([{ "name": "memchr", "kind": null }, dependency])),
            package("orugate-driver", "drivers/api", json!([{ "name": "orugate-protocol", "kind": null }, { "name": "toml", "kind": null }])),
            outside("memchr"), outside("toml"), outside("tokio"), outside("winnow"),
        ],
        "resolve": { "nodes": [
            { "id": "orugate-protocol", "deps": [edge("memchr", Value::Null), edge("tokio", json!("dev"))] },
            { "id": "orugate-driver", "deps": [edge("orugate-protocol", Value::Null), edge("toml", Value::Null)] },
            { "id": "toml", "deps": [edge(below_driver, json!("build"))] },
            { "id": "memchr", "deps": [] }, { "id": "tokio", "deps": [] }, { "id": "winnow", "deps": [] },
        ] },
    })
}

#[test]
fn the_checker_finds_each_kind_of_forbidden_edge() {
    let good = json!({ "name": "heapless", "kind": null });
    let of = |dependency: Value| violations(&synthetic(dependency, "winnow"), TABLE);
    assert_eq!(of(good.clone()), Vec::<String>::new());
    assert_eq!(of(json!({ "name": "serde", "kind": null })), ["orugate-protocol must not use serde"]);
    assert_eq!(of(json!({ "name": "cc", "kind": "build" })), ["orugate-protocol must not use cc"]);
    assert_eq!(of(json!({ "name": "proptest", "kind": "dev" })), Vec::<String>::new());
    // Upwards, even for tests only, and even when the target is not in this workspace any more.
    let upwards = ["orugate-protocol must not use orugate-driver"];
    assert_eq!(of(json!({ "name": "orugate-driver", "kind": null })), upwards);
    assert_eq!(of(json!({ "name": "orugate-driver", "kind": "dev" })), upwards);
    assert_eq!(
        of(json!({ "name": "orugate-gone", "kind": null })),
        ["orugate-protocol must not use orugate-gone"]
    );
    assert_eq!(violations(&synthetic(good, "tokio"), TABLE), ["orugate-driver must never reach tokio"]);
}

#[test]
fn the_checker_finds_crates_that_the_table_does_not_place() {
    let mut metadata = synthetic(json!({ "name": "heapless", "kind": null }), "winnow");
    metadata["packages"][1]["name"] = json!("orugate-novel");
    assert_eq!(violations(&metadata, TABLE), ["orugate-novel is not in the table"]);
    metadata["packages"][1]["name"] = json!("orugate-driver");
    metadata["packages"][1]["manifest_path"] = json!("/w/gateway/api/Cargo.toml");
    assert_eq!(violations(&metadata, TABLE), ["orugate-driver is not in drivers/api"]);
    metadata["workspace_members"] = json!(["orugate-nobody"]);
    assert_eq!(violations(&metadata, TABLE), ["orugate-nobody is a member without a package"]);
}
