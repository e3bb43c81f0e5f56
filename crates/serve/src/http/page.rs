//! The page for a person, out of the binary.

use axum::extract::RawPathParams;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::answers::bytes;
use crate::request_error::{ErrorKind, RequestError};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const INDEX: &str = include_str!("../page/index.html");

/// Every other file of the page.
const FILES: &[(&str, &str, &str)] = &[
    ("api.js", JAVASCRIPT, include_str!("../page/api.js")),
    ("app.js", JAVASCRIPT, include_str!("../page/app.js")),
    ("batches.js", JAVASCRIPT, include_str!("../page/batches.js")),
    ("callbox.js", JAVASCRIPT, include_str!("../page/callbox.js")),
    ("calls.js", JAVASCRIPT, include_str!("../page/calls.js")),
    ("chart.js", JAVASCRIPT, include_str!("../page/chart.js")),
    ("copy.js", JAVASCRIPT, include_str!("../page/copy.js")),
    ("detail.js", JAVASCRIPT, include_str!("../page/detail.js")),
    ("elements.js", JAVASCRIPT, include_str!("../page/elements.js")),
    ("history.js", JAVASCRIPT, include_str!("../page/history.js")),
    ("inputs.js", JAVASCRIPT, include_str!("../page/inputs.js")),
    ("json.js", JAVASCRIPT, include_str!("../page/json.js")),
    ("live.js", JAVASCRIPT, include_str!("../page/live.js")),
    ("models.js", JAVASCRIPT, include_str!("../page/models.js")),
    ("numbers.js", JAVASCRIPT, include_str!("../page/numbers.js")),
    ("overview.js", JAVASCRIPT, include_str!("../page/overview.js")),
    ("pad.js", JAVASCRIPT, include_str!("../page/pad.js")),
    ("pixels.js", JAVASCRIPT, include_str!("../page/pixels.js")),
    ("place.js", JAVASCRIPT, include_str!("../page/place.js")),
    ("results.js", JAVASCRIPT, include_str!("../page/results.js")),
    ("rust.js", JAVASCRIPT, include_str!("../page/rust.js")),
    ("style.css", CSS, include_str!("../page/style.css")),
    ("tensors.js", JAVASCRIPT, include_str!("../page/tensors.js")),
    ("tryout.js", JAVASCRIPT, include_str!("../page/tryout.js")),
];

pub(super) async fn index() -> Response {
    bytes(StatusCode::OK, HeaderValue::from_static(HTML), INDEX.as_bytes().to_vec())
}

pub(super) async fn file(params: RawPathParams) -> Result<Response, RequestError> {
    let wanted = params.iter().find(|(name, _)| *name == "file").map_or("", |(_, file)| file);
    let found = FILES.iter().find(|(name, ..)| *name == wanted);
    let (_, kind, text) =
        found.ok_or_else(|| RequestError::new(ErrorKind::NotFound, "the page has no such file"))?;
    Ok(bytes(StatusCode::OK, HeaderValue::from_static(kind), text.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            found.push(entry.unwrap().file_name().into_string().unwrap());
        }
        found.retain(|name| name != "index.html");
        found.sort();
        let served: Vec<&str> = FILES.iter().map(|(name, ..)| *name).collect();
        assert_eq!(served, found);
        for name in served {
            assert!(name == "app.js" || INDEX.contains(&format!("page/{name}")), "{name}");
        }
    }
}
