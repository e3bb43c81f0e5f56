//! The pages and the source are in order: named paths exist, files have heads, long files say why,
//! and the habits that `docs/style.md` gives up become fewer.
//!
//! These tests read text and use nothing of the engine. Each message names the file, the line and
//! the way to mend it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

/// Folders of the repository that are read, besides the files of its root.
const FOLDERS: [&str; 7] = ["benches", "crates", "docs", "examples", "findings", "src", "tests"];

/// Folders of built, downloaded or measured files. Folders that begin with a dot are left out too.
const LEFT_OUT: [&str; 4] = ["target", "results", "__pycache__", "node_modules"];

/// Prefixes of the paths that have to exist wherever a page names them.
const NAMED: [&str; 8] =
    [".ci/", "benches/", "crates/", "docs/", "examples/", "findings/", "graphs/", "tests/"];

/// Lines that a file of `crates/*/src` may have without a reason in its head.
const LONG: usize = 600;

/// Prefix of the line of a head that gives the reason.
const REASON: &str = "//! Long because ";

/// Files that wait to be split, each with its limit of lines until then. Only shorten this list.
const TO_SPLIT: [(&str, usize); 0] = [];

/// The number of comment lines wider than `WIDTH` columns. Only ever lower it.
const WIDE_COMMENTS: usize = 6;
const WIDTH: usize = 100;

/// The number of matches on a `bool`, each of which should be an `if`. Only ever lower it.
const MATCHES_ON_BOOL: usize = 2;

/// The number of docs that begin with one of `UNCLEAR`. Only ever lower it.
const UNCLEAR_DOCS: usize = 25;
const UNCLEAR: [&str; 3] = ["The same", "What ", "Whether "];

/// A text file, by its path from the root.
struct Source {
    path: String,
    text: String,
    changed: SystemTime,
}

impl Source {
    /// Code that another program writes, and that nobody edits.
    fn is_generated(&self) -> bool {
        self.text.starts_with("// This file is @generated")
    }

    /// Pieces of a generated client. They are put together behind a head of the client's own.
    fn is_template(&self) -> bool {
        self.path.starts_with("crates/cli/src/client/parts/")
    }

    /// A program that must not compile. Its errors are kept with line numbers.
    fn must_not_compile(&self) -> bool {
        self.path.contains("/fail/")
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files whose names end with `.extension`, in the order of their paths.
fn sources(extension: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS.map(|folder| root().join(folder)).into();
    folders.push(root().to_owned());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                let is_left_out = name.starts_with('.') || LEFT_OUT.contains(&name.as_str());
                if folder != root() && !is_left_out {
                    folders.push(entry.path());
                }
            } else if kind.is_file() && entry.path().extension().is_some_and(|e| e == extension) {
                paths.push(entry.path());
            }
        }
    }
    paths.sort();
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")),
        changed: fs::metadata(&path).unwrap().modified().unwrap_or(SystemTime::UNIX_EPOCH),
        path: path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"),
    };
    paths.into_iter().map(read).collect()
}

/// The names of the folders in `crates/`.
fn crates() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.join("Cargo.toml").is_file());
    folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} to mend:\n{}", faults.len(), faults.join("\n"));
}

/// Compares the places found with the number allowed. Both more and fewer fail: the number follows.
#[track_caller]
fn assert_ratchet(constant: &str, allowed: usize, found: &[(&Source, usize)], mend: &str) {
    if found.len() > allowed {
        let mut places = found.to_vec();
        places.sort_by_key(|(source, _)| std::cmp::Reverse(source.changed));
        let shown = places.iter().take(40).map(|(source, line)| format!("{}:{line}", source.path));
        let shown: Vec<String> = shown.collect();
        panic!(
            "{} places, and {constant} in tests/tidy.rs allows {allowed}: {mend}. The first ones, \
             files changed last before others:\n{}",
            found.len(),
            shown.join("\n")
        );
    }
    assert!(
        found.len() == allowed,
        "fewer than there were: set {constant} in tests/tidy.rs from {allowed} to {}",
        found.len()
    );
}

/// The path that a text begins with, without the punctuation behind it.
fn leading_path(text: &str) -> &str {
    let belongs = |c: char| c.is_alphanumeric() || "_-./*".contains(c);
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', '-'])
}

/// The paths in a line of a page that have to exist: those with a prefix of `NAMED`, and
/// `CRATE/src/..` or `CRATE/tests/..`.
fn named_paths<'a>(line: &'a str, crates: &BTreeSet<String>) -> Vec<&'a str> {
    let mut paths = Vec::new();
    let continues = |c: char| c.is_alphanumeric() || "_-./:@".contains(c);
    let mut before = ' ';
    for (index, c) in line.char_indices() {
        if !continues(before) {
            let path = leading_path(&line[index..]);
            let mut parts = path.split('/');
            let is_in_a_crate = parts.next().is_some_and(|first| crates.contains(first))
                && parts.next().is_some_and(|second| ["src", "tests"].contains(&second));
            if is_in_a_crate || NAMED.iter().any(|prefix| path.starts_with(prefix)) {
                paths.push(path);
            }
        }
        before = c;
    }
    paths
}

/// The targets of a line's links and pictures that lie in the repository.
fn links(line: &str) -> Vec<&str> {
    let markdown = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let attributes = ["src=\"", "href=\""].into_iter().flat_map(|begin| line.split(begin).skip(1));
    let html = attributes.filter_map(|rest| rest.split('"').next());
    let targets = markdown.chain(html).map(|target| target.split('#').next().unwrap_or_default());
    targets.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

/// The part of a path before the first one with a `*`.
fn without_wildcards(path: &str) -> PathBuf {
    let parts = Path::new(path).components();
    parts.take_while(|part| !part.as_os_str().to_string_lossy().contains('*')).collect()
}

/// A path without `..`, or none where it leads out of the repository.
fn normalized(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    Some(clean)
}

/// Looks a path up from the page's folder, each folder above it, and `crates/`.
fn exists_from(page: &str, path: &str) -> bool {
    let path = without_wildcards(path);
    let mut folders: Vec<&Path> = Path::new(page).ancestors().skip(1).collect();
    folders.push(Path::new("crates"));
    folders.iter().any(|folder| root().join(folder).join(&path).exists())
}

#[test]
fn every_path_that_a_page_names_is_there() {
    let crates = crates();
    let mut faults = Vec::new();
    for page in sources("md") {
        let mut is_code = false;
        for (number, line) in page.lines() {
            if line.trim_start().starts_with("```") {
                is_code = !is_code;
                continue;
            }
            let folder = Path::new(&page.path).parent().unwrap();
            let targets = if is_code { Vec::new() } else { links(line) };
            for target in targets {
                let path = normalized(&folder.join(target));
                if !path.is_some_and(|path| root().join(path).exists()) {
                    faults.push(format!(
                        "{}:{number}: links to `{target}`, which does not exist: link to a file, \
                         relative to the page's folder",
                        page.path
                    ));
                }
            }
            for path in named_paths(line, &crates) {
                if !exists_from(&page.path, path) {
                    faults.push(format!(
                        "{}:{number}: names `{path}`, which does not exist: write the path from the root",
                        page.path
                    ));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_rust_file_begins_with_a_head_that_says_what_is_in_it() {
    let mut faults = Vec::new();
    for source in sources("rs") {
        if source.is_generated() || source.is_template() || source.must_not_compile() {
            continue;
        }
        let first = source.text.lines().next().unwrap_or_default();
        let says_something = first.strip_prefix("//! ").is_some_and(|head| head.len() >= 10);
        if !says_something {
            faults.push(format!(
                "{}:1: has no head: begin the file with `//!` and what is in it",
                source.path
            ));
        }
    }
    assert_none(&faults);
}

#[test]
fn a_long_file_says_why_it_is_one() {
    let mut faults = Vec::new();
    let mut to_split = BTreeMap::from(TO_SPLIT);
    for source in sources("rs") {
        let is_of_a_crate = source.path.starts_with("crates/") && source.path.contains("/src/");
        if !is_of_a_crate || source.is_generated() {
            continue;
        }
        let lines = source.lines().count();
        let most = to_split.remove(source.path.as_str());
        let head = source.text.lines().take_while(|line| line.starts_with("//!"));
        let is_explained = head.into_iter().any(|line| line.starts_with(REASON));
        if lines > most.unwrap_or(LONG) && !is_explained {
            faults.push(format!(
                "{}:{lines}: more than {} lines: split it by subject, or give the reason \
                 in a line `{REASON}..` of its head",
                source.path,
                most.unwrap_or(LONG)
            ));
        }
        if lines <= LONG && most.is_some() {
            faults.push(format!(
                "{}:{lines}: is short enough: take it off TO_SPLIT in tests/tidy.rs",
                source.path
            ));
        }
    }
    for path in to_split.keys() {
        faults.push(format!("{path}:1: does not exist: take it off TO_SPLIT in tests/tidy.rs"));
    }
    assert_none(&faults);
}

#[test]
fn wide_comments_become_fewer() {
    let sources = sources("rs");
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_generated()) {
        let comments = source.lines().filter(|(_, line)| line.trim_start().starts_with("//"));
        let wide = comments.filter(|(_, line)| line.chars().count() > WIDTH);
        found.extend(wide.map(|(number, _)| (source, number)));
    }
    let mend = "break comments at 100 columns";
    assert_ratchet("WIDE_COMMENTS", WIDE_COMMENTS, &found, mend);
}

/// The lines of matches whose arms are exactly `true` and `false`, in code laid out by `rustfmt`.
fn matches_on_bool(source: &Source) -> Vec<usize> {
    let lines: Vec<&str> = source.text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let arm = |line: &str| line.split_once(" =>").map(|(pattern, _)| pattern.trim().to_owned());
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let is_match = line.contains("match ") && line.ends_with('{');
        let Some(first) = lines.get(index + 1).filter(|_| is_match) else { continue };
        let depth = indent(first);
        let inside =
            lines[index + 1..].iter().take_while(|line| line.is_empty() || indent(line) >= depth);
        let at_depth = inside.filter(|line| indent(line) == depth);
        let patterns: Vec<String> = at_depth.filter_map(|line| arm(line)).collect();
        if patterns == ["true", "false"] || patterns == ["false", "true"] {
            found.push(index + 1);
        }
    }
    found
}

#[test]
fn matches_on_a_bool_become_fewer() {
    let sources = sources("rs");
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_generated()) {
        found.extend(matches_on_bool(source).into_iter().map(|line| (source, line)));
    }
    let mend = "write `if` and `else`";
    assert_ratchet("MATCHES_ON_BOOL", MATCHES_ON_BOOL, &found, mend);
}

#[test]
fn docs_that_do_not_stand_alone_become_fewer() {
    let sources = sources("rs");
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_generated()) {
        let mut before = false;
        for (number, line) in source.lines() {
            let line = line.trim_start();
            let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
            let begins = doc.filter(|_| !before).map_or("", str::trim_start);
            if UNCLEAR.iter().any(|begin| begins.starts_with(begin)) {
                found.push((source, number));
            }
            before = doc.is_some();
        }
    }
    let mend = "begin a doc with a verb or a noun phrase that stands alone, not with `The same`, \
                `What` or `Whether`";
    assert_ratchet("UNCLEAR_DOCS", UNCLEAR_DOCS, &found, mend);
}

#[test]
fn the_readme_lists_every_page_once() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let list = "## Where to read on";
    let begin = readme.lines().position(|line| line == list);
    let begin = begin.unwrap_or_else(|| panic!("README.md:1: has no section `{list}`"));
    let section = readme.lines().enumerate().skip(begin + 1);
    let section = section.take_while(|(_, line)| !line.starts_with("## "));
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, line) in section {
        for link in links(line) {
            places.entry(link).or_default().push(index + 1);
        }
    }
    let mut pages: Vec<String> = sources("md").into_iter().map(|page| page.path).collect();
    pages.retain(|path| path.starts_with("docs/") || !path.contains('/') && path != "README.md");
    let mut faults = Vec::new();
    for page in pages {
        match places.get(page.as_str()).map(Vec::as_slice) {
            Some([_]) => {}
            Some([_, second, ..]) => {
                faults.push(format!(
                    "README.md:{second}: lists {page} a second time: once is enough"
                ));
            }
            _ => faults.push(format!("README.md:{}: does not list {page}: add it", begin + 1)),
        }
    }
    assert_none(&faults);
}

#[test]
fn the_architecture_page_names_every_crate() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let unnamed = crates().into_iter().filter(|name| !page.contains(&format!("`crates/{name}`")));
    let faults = unnamed.map(|name| {
        format!(
            "docs/architecture.md:3: does not name `crates/{name}`: add it to the table of layers"
        )
    });
    assert_none(&faults.collect::<Vec<_>>());
}
