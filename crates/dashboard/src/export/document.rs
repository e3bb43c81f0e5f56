//! The page as one document: its modules stand in an import map, under names of their own, as data.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::page::{FILES, INDEX, TOKEN, file};

/// Before a module's name in the import map. A module out of a `data:` address has no folder that
/// `./` could mean.
const PREFIX: &str = "abeyance/";
const STYLE: [&str; 2] = [r#"<link rel="stylesheet" href=""#, r#"">"#];
const ENTRY: [&str; 2] = [r#"<script type="module" src=""#, r#""></script>"#];
const CHARSET: &str = r#"<meta charset="utf-8">"#;
const END: &str = "</body>";

/// The parts of the page before the recording and after it.
pub(super) fn around() -> [String; 2] {
    let map = json!({ "imports": modules() }).to_string();
    let (mut head, mut policy) = (String::new(), Policy::default());
    let (before, after) = INDEX.split_once(END).unwrap_or((INDEX, ""));
    for line in before.lines() {
        if let Some(name) = between(line, STYLE) {
            let text = file(name).map_or("", |file| file.text);
            if !text.is_empty() {
                put(&mut head, "style", "", text);
                policy.styles.push(hash(text));
            }
        } else if let Some(name) = between(line, ENTRY) {
            let start = format!("import \"{PREFIX}{name}\";");
            put(&mut head, "script", " type=\"importmap\"", &map);
            put(&mut head, "script", " type=\"module\"", &start);
            policy.scripts.extend([hash(&map), hash(&start)]);
        } else if !line.contains(TOKEN) {
            head.push_str(line);
            head.push('\n');
        }
    }
    let head = head.replacen(CHARSET, &format!("{CHARSET}\n{}", policy.tag()), 1);
    let notices = FILES.iter().filter(|file| file.name.ends_with(".LICENSE"));
    let notices: String = notices.map(|file| format!("\n{}: {}", file.name, file.text)).collect();
    [
        format!("{head}<script type=\"application/json\" id=\"recording\">"),
        format!("</script>\n<script type=\"text/plain\">{notices}</script>\n{END}{after}"),
    ]
}

/// The text between a begin and an end in a line.
fn between<'a>(line: &'a str, [begin, end]: [&str; 2]) -> Option<&'a str> {
    line.trim().strip_prefix(begin)?.strip_suffix(end)
}

fn put(text: &mut String, tag: &str, attributes: &str, content: &str) {
    let _ = writeln!(text, "<{tag}{attributes}>{content}</{tag}>");
}

/// All modules as addresses, by their names.
fn modules() -> Map<String, Value> {
    let scripts = FILES.iter().filter(|file| file.name.ends_with(".js"));
    let entry = |file: &crate::page::File| {
        let address =
            format!("data:text/javascript;base64,{}", STANDARD.encode(with_names(file.text)));
        (format!("{PREFIX}{}", file.name), address.into())
    };
    scripts.map(entry).collect()
}

/// A module whose imports are by the names of the map.
fn with_names(module: &str) -> String {
    let mut text = String::with_capacity(module.len() + 256);
    for line in module.split_inclusive('\n') {
        if line.starts_with("import ") {
            text.push_str(&line.replacen("from \"./", &format!("from \"{PREFIX}"), 1))
        } else {
            text.push_str(line)
        }
    }
    text
}

/// The content security policy of the file: a browser may run and show what stands in it, and
/// nothing from elsewhere.
#[derive(Default)]
struct Policy {
    scripts: Vec<String>,
    styles: Vec<String>,
}

impl Policy {
    fn tag(&self) -> String {
        let (scripts, styles) = (self.scripts.join(" "), self.styles.join(" "));
        let policy = format!(
            "default-src 'none'; script-src {scripts} data:; style-src {styles}; img-src data: blob:; base-uri 'none'; form-action 'none'"
        );
        format!(r#"<meta http-equiv="Content-Security-Policy" content="{policy}">"#)
    }
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_is_asked_of_anybody() {
        let text = around().concat();
        for word in ["src=\"", "href=\"h", "href=\"/", "@import", "url(", TOKEN] {
            assert!(!text.contains(word), "{word}");
        }
        assert!(text.contains("default-src 'none'; script-src 'sha256-"));
    }

    #[test]
    fn every_import_is_in_the_map() {
        let modules = modules();
        let mut entered = HashSet::new();
        for (name, address) in &modules {
            let (_, text) = address.as_str().unwrap().split_once("base64,").unwrap();
            let text = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let from = line.rsplit('"').nth(1).unwrap();
                assert!(modules.contains_key(from), "{name}: {line}");
                entered.insert(from.to_owned());
            }
            assert!(!text.contains("from \"./"), "{name}");
            assert!(!text.contains("import("), "{name}");
        }
        // All but where it begins are wanted by another.
        let alone: Vec<_> = modules.keys().filter(|name| !entered.contains(*name)).collect();
        assert_eq!(alone, ["abeyance/app.js"]);
        assert!(around()[0].contains("import \"abeyance/app.js\";"));
    }

    #[test]
    fn styles_and_notices_cannot_end_where_they_should_not() {
        for file in FILES.iter().filter(|file| !file.name.ends_with(".js")) {
            assert!(!file.text.contains("</"), "{}", file.name);
        }
        let [before, _] = around();
        let styles = FILES.iter().filter(|file| file.name.ends_with(".css"));
        for file in styles.filter(|file| !file.text.is_empty()) {
            assert!(before.contains(file.text), "{}", file.name);
        }
    }
}
