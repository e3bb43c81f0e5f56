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

/// The first file of the page.
pub(crate) const INDEX: &str = include_str!("../page/index.html");

/// All others.
pub(crate) const FILES: &[File] = files![
    "api.js" SCRIPT,
    "app.js" SCRIPT,
    "bands.js" SCRIPT,
    "board.js" SCRIPT,
    "choice.js" SCRIPT,
    "confusion.js" SCRIPT,
    "controls.js" SCRIPT,
    "curves.js" SCRIPT,
    "digits.js" SCRIPT,
    "draw.js" SCRIPT,
    "graph.js" SCRIPT,
    "images.js" SCRIPT,
    "layers.js" SCRIPT,
    "link.js" SCRIPT,
    "node.js" SCRIPT,
    "outline.js" SCRIPT,
    "pan.js" SCRIPT,
    "panel.js" SCRIPT,
    "parts.css" STYLE,
    "parts.js" SCRIPT,
    "pen.js" SCRIPT,
    "picture.js" SCRIPT,
    "plot.js" SCRIPT,
    "runs.js" SCRIPT,
    "scopes.js" SCRIPT,
    "scrub.js" SCRIPT,
    "sprite.js" SCRIPT,
    "store.js" SCRIPT,
    "style.css" STYLE,
    "texts.js" SCRIPT,
    "timeline.js" SCRIPT,
    "uplot.LICENSE" TEXT,
    "uplot.css" STYLE,
    "uplot.js" SCRIPT,
    "view.js" SCRIPT,
];

/// The placeholder in the page for the token that controls are sent with.
pub(crate) const TOKEN: &str = "@TOKEN@";

/// The page as a server gives it: with its token, and with all modules named at its head, so that a
/// browser asks for them at once and not one after the other as it finds them imported.
pub(crate) fn served(token: &str) -> String {
    let modules = FILES.iter().filter(|file| file.kind == SCRIPT);
    let links =
        modules.map(|file| format!("<link rel=\"modulepreload\" href=\"{}\">\n", file.name));
    let head = links.chain(["</head>".to_owned()]).collect::<String>();
    INDEX.replacen("</head>", &head, 1).replace(TOKEN, token)
}

/// The file of that name.
pub(crate) fn file(name: &str) -> Option<File> {
    FILES.iter().find(|file| file.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name == "index.html" || file(&name).is_some(), "{name}");
        }
        assert!(INDEX.contains(TOKEN));
        let served = served("secret");
        assert!(served.contains("content=\"secret\"") && !served.contains(TOKEN));
        assert_eq!(
            served.matches("modulepreload").count() + 3,
            FILES.len() - 1,
            "styles and a licence"
        );
    }
}
