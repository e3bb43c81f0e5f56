//! The page's files, which are part of the binary.

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! files {
    ($($name:literal $kind:ident),* $(,)?) => {
        &[$(File { name: $name, kind: $kind, text: include_str!(concat!("../page/", $name)) }),*]
    };
}

/// Where the page begins.
pub(crate) const INDEX: &str = include_str!("../page/index.html");

/// All others.
pub(crate) const FILES: &[File] = files![
    "app.js" SCRIPT,
    "style.css" STYLE,
    "uplot.js" SCRIPT,
    "uplot.css" STYLE,
    "uplot.LICENSE" TEXT,
];

/// What stands in the page for the token that controls are sent with.
pub(crate) const TOKEN: &str = "{{token}}";

/// The file of that name.
pub(crate) fn file(name: &str) -> Option<File> {
    FILES.iter().find(|file| file.name == name).copied()
}
