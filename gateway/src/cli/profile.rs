//! Commands about profiles: which there are, what one does, whether one is right, and a draft of a new one.

use super::files;
use crate::config;
use crate::looks;
use crate::profiles::examples::{blessed, differences};
use crate::profiles::{self, Shelf, SiteProfile, said};
use orugate_driver::Draft;
use orugate_drivers::Catalogue;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const REFUSED: u8 = 1;
const USAGE: u8 = 64;
const NO_MESSAGE: u8 = 65;
const IO: u8 = 74;
const CONFIG: u8 = 78;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// List the profiles, shipped and of the site
    List,
    /// Print a profile as it takes effect; of one that extends another, with the base's keys in it
    Show {
        /// Its name, or its file
        name: String,
    },
    /// Say all mistakes in a profile's file, and replay its examples
    Check {
        /// The file
        file: PathBuf,
        /// Write what came into the file where something else was expected; read the difference before you believe it
        #[arg(long)]
        bless: bool,
    },
    /// Draft a profile from captures of an instrument that no profile fits
    ///
    /// Each choice stands in the draft with what was seen, each question with TODO(you). Nothing of a patient is in it.
    New {
        /// A capture: bytes of the line, a script or records, one a line; several may be given. - is standard input
        #[arg(long, required = true, num_args = 1.., value_name = "CAPTURE")]
        from: Vec<PathBuf>,
        /// The new profile's name: small letters, digits and hyphens [default: that of the file, or new-analyzer]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Write it into this file, which must not exist yet [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print the JSON schema of profiles, for editors
    Schema {
        /// Whose profiles
        #[arg(long, value_name = "NAME", default_value = "astm")]
        driver: String,
    },
}

/// The profiles of one site.
pub(super) struct Site {
    shelf: Shelf,
}

impl Site {
    /// Those that ship and those beside this configuration, which need not be there. What is wrong with a file of the
    /// site is said, and hinders nobody who asks for another profile.
    pub(super) fn of(catalogue: &Catalogue, configuration: &Path) -> Self {
        let (shelf, mistakes) = config::shelf(configuration, catalogue);
        for mistake in mistakes {
            eprintln!("{mistake}");
        }
        Self { shelf }
    }

    /// A profile by its name, or from a file when what was typed looks like one.
    pub(super) fn profile(&self, name: &str) -> Result<SiteProfile, String> {
        let path = Path::new(name);
        if !name.contains('/') && path.extension().is_none_or(|extension| extension != "toml") {
            return self.shelf.by_name(name);
        }
        let text = config::read_text(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
        self.shelf.read(path, &text).map_err(|mistakes| said(&mistakes))
    }
}

pub(super) fn run(catalogue: &Catalogue, configuration: &Path, action: Action) -> u8 {
    match action {
        Action::List => list(catalogue, configuration),
        Action::Show { name } => match Site::of(catalogue, configuration).profile(&name) {
            Ok(site) => {
                if let Some(base) = &site.extends {
                    println!("# As it takes effect: {base} with the changes of {}.", site.common().name);
                }
                print!("{}", site.effective);
                0
            }
            Err(why) => {
                eprintln!("{why}");
                USAGE
            }
        },
        Action::Check { file, bless } => check(&Site::of(catalogue, configuration), &file, bless),
        Action::New { from, name, out } => {
            new(catalogue, &Site::of(catalogue, configuration), &from, name, out.as_deref())
        }
        Action::Schema { driver } => match profiles::schema(catalogue, &driver) {
            Some(schema) => {
                println!("{schema:#}");
                0
            }
            None => {
                let known: Vec<_> = catalogue.drivers.iter().map(|driver| driver.name()).collect();
                eprintln!("There is no driver {driver}. There are: {}.", known.join(", "));
                USAGE
            }
        },
    }
}

pub(super) fn list(catalogue: &Catalogue, configuration: &Path) -> u8 {
    let site = Site::of(catalogue, configuration);
    let shipped = catalogue.names().filter_map(|name| site.shelf.by_name(name).ok());
    for profile in shipped {
        line(&profile, "");
    }
    for (file, profile) in site.shelf.site() {
        line(profile, &format!(", {}", file.display()));
    }
    0
}

fn line(profile: &SiteProfile, place: &str) {
    let common = profile.common();
    let extends = profile.extends.as_ref().map(|base| format!(", extends {base}")).unwrap_or_default();
    println!(
        "{:<18} {} (driver {}, evidence: {}{extends}{place})",
        common.name, common.title, common.driver, common.evidence
    );
}

fn check(site: &Site, file: &Path, bless: bool) -> u8 {
    let text = match config::read_text(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{} cannot be read: {error}", file.display());
            return IO;
        }
    };
    let profile = match site.shelf.read(file, &text) {
        Ok(profile) => profile,
        Err(mistakes) => {
            eprintln!("{}", said(&mistakes));
            return CONFIG;
        }
    };
    let common = profile.common();
    let differences = differences(&*profile.profile);
    let (name, total) = (&common.name, common.examples.len());
    if bless && !differences.is_empty() {
        let Some(new) = blessed(&text, &differences) else {
            eprintln!("The examples of {} cannot be found in its text. Nothing was changed.", file.display());
            return REFUSED;
        };
        if let Err(error) = std::fs::write(file, new) {
            eprintln!("{} cannot be written: {error}", file.display());
            return IO;
        }
    }
    for difference in &differences {
        println!("example {}, {:?}:", difference.number + 1, difference.shows);
        print!("{}", difference.lines);
    }
    let wrong = differences.len();
    println!("{name}: no mistakes; evidence: {}", common.evidence);
    match text.matches("TODO(you)").count() {
        0 => {}
        1 => println!("One question is still in it: look for TODO(you), answer it, delete it."),
        left => println!("{left} questions are still in it: look for TODO(you), answer each, delete it."),
    }
    match (total, wrong) {
        (0, _) => println!(
            "It has no example. Write one, so that the next version of Orugate is checked against it: docs/profile.md"
        ),
        (_, 0) => println!("All of its examples ({total}) give what they say."),
        (_, _) if bless => println!(
            "{wrong} of its examples ({total}) were rewritten with what came. Compare each line with the analyzer."
        ),
        _ => {
            println!(
                "{wrong} of its examples ({total}) give something else than they say (-expected, +came). When what \
                 came is right: orugate profile check --bless {}",
                file.display()
            );
            return REFUSED;
        }
    }
    0
}

fn new(catalogue: &Catalogue, site: &Site, from: &[PathBuf], name: Option<String>, out: Option<&Path>) -> u8 {
    let stem = out.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let name = name.or(stem).unwrap_or_else(|| "new-analyzer".to_owned());
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 40 || !name.bytes().all(good) {
        eprintln!(
            "{name:?} is no name for a profile: write --name with up to 40 small letters, digits and hyphens, such \
             as maker-model."
        );
        return USAGE;
    }
    let mut captures = Vec::new();
    for file in from {
        match files::Capture::read(file) {
            Ok(capture) => captures.push(capture.into_bytes()),
            Err(code) => return code,
        }
    }
    let mut why = Vec::new();
    let draft = catalogue.drivers.iter().find_map(|driver| match driver.draft(&name, &captures) {
        Ok(draft) => Some(draft),
        Err(reason) => {
            why.push(format!("The driver {} cannot read this: {reason}.", driver.name()));
            None
        }
    });
    let Some(Draft { toml, said: sentences }) = draft else {
        why.iter().for_each(|line| eprintln!("{line}"));
        let bytes = captures.iter().find(|capture| !capture.is_empty());
        eprintln!("{}", bytes.map_or("The input is empty.", |bytes| looks::like(bytes)));
        return NO_MESSAGE;
    };
    // A name on the shelf already is the first thing to say.
    let path = out.unwrap_or(Path::new("(the draft)"));
    let toml = match site.shelf.read(path, &toml) {
        Ok(profile) => blessed(&toml, &differences(&*profile.profile)).unwrap_or(toml),
        Err(mistakes) => {
            eprintln!("{}", said(&mistakes));
            return REFUSED;
        }
    };
    let written = match out {
        None => std::io::stdout().write_all(toml.as_bytes()),
        Some(file) => std::fs::File::create_new(file).and_then(|mut file| file.write_all(toml.as_bytes())),
    };
    if let Err(error) = written {
        eprintln!("{} cannot be written: {error}. A file that exists is left alone.", path.display());
        return IO;
    }
    for sentence in sentences {
        eprintln!("{sentence}");
    }
    if let Some(file) = out {
        eprintln!("The draft is in {}.", file.display());
    }
    let file = out.map_or("FILE".to_owned(), |file| file.display().to_string());
    eprintln!(
        "Next: answer each TODO(you) in the draft, look at what comes of your captures (orugate replay --profile {file} \
         CAPTURE), then orugate profile check {file}. docs/profile.md leads through it."
    );
    0
}
