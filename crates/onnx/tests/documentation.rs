//! `docs/onnx.md` says what the tables say.

use std::fmt::Write;
use std::path::Path;

use abeyance_onnx::{Counterpart, exported_operators, imported_operators};

const BEGIN: &str = "<!-- printed from the tables: `ABEYANCE_REGENERATE=1 cargo test -p abeyance-onnx --test documentation` -->\n";

fn table(title: [&str; 3], rows: &[Counterpart]) -> String {
    let mut text = String::new();
    let mut family = "";
    for row in rows {
        if row.family != family {
            family = row.family;
            write!(text, "\n### {family}\n\n").expect("a text");
            let has_unsupported =
                rows.iter().any(|row| row.family == family && !row.unsupported.is_empty());
            if has_unsupported {
                writeln!(
                    text,
                    "| {} | {} | {} |\n| --- | --- | --- |",
                    title[0], title[1], title[2]
                )
            } else {
                writeln!(text, "| {} | {} |\n| --- | --- |", title[0], title[1])
            }
            .expect("a text");
        }
        let has_unsupported =
            rows.iter().any(|other| other.family == family && !other.unsupported.is_empty());
        let cell = |text: &str| text.replace('|', "\\|");
        if has_unsupported {
            writeln!(
                text,
                "| {} | {} | {} |",
                row.operator,
                cell(row.counterpart),
                cell(row.unsupported)
            )
        } else {
            writeln!(text, "| {} | {} |", row.operator, cell(row.counterpart))
        }
        .expect("a text");
    }
    text
}

#[test]
fn the_documentation_has_every_operator() {
    let imported = imported_operators();
    let exported = exported_operators();
    let printed = format!(
        "\n## Import: {} operators of ONNX\n{}\n## Export: {} operators\n{}",
        imported.len(),
        table(["ONNX", "here", "refused"], &imported),
        exported.len(),
        table(["here", "ONNX", ""], &exported)
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/onnx.md");
    let text = std::fs::read_to_string(&path).expect("docs/onnx.md");
    let (head, rest) = text.split_once(BEGIN).expect("the place for the tables");
    if std::env::var_os("ABEYANCE_REGENERATE").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{printed}")).expect("a writable file");
    } else {
        assert!(
            rest == printed,
            "docs/onnx.md is not what the tables say: run with ABEYANCE_REGENERATE=1"
        );
    }
}

#[test]
fn no_operator_stands_twice() {
    for list in [imported_operators(), exported_operators()] {
        let mut names: Vec<&str> = list.iter().map(|row| row.operator).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
