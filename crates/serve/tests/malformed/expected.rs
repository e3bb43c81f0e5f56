//! The answers that malformed requests must have.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::connection::{Answer, exchange};
use crate::parts::{list, text};

/// No message is longer: who sends a megabyte for a name is not sent a megabyte back.
pub const LONGEST_ERROR: usize = 8192;

/// Sends a line of http.jsonl.
///
/// # Errors
/// What is not as it must be.
pub fn http(line: &Value, addr: SocketAddr, patience: Duration) -> Result<(), String> {
    let answers = exchange(line, addr, patience).map_err(|error| error.to_string())?;
    let first = std::iter::once(&line["status"]);
    for (place, (answer, allowed)) in
        answers.iter().zip(first.chain(list(line, "then"))).enumerate()
    {
        let allowed: Vec<u64> =
            allowed.as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        if !allowed.contains(&u64::from(answer.status)) {
            let (status, shown) = (answer.status, answer.shown());
            return Err(format!("answer {place} is {status}, not one of {allowed:?}: {shown}"));
        }
        let says = if place == 0 { list(line, "says") } else { &[] };
        error(answer, line["plain"] == true, says)?;
    }
    Ok(())
}

/// True if an answer that is an error is a right one.
fn error(answer: &Answer, is_plain: bool, says: &[Value]) -> Result<(), String> {
    if answer.status < 400 || is_plain && answer.body.is_empty() {
        return Ok(());
    }
    let shown = answer.shown();
    if answer.header("content-type") != Some("application/json") {
        return Err(format!("its type is {:?}: {shown}", answer.header("content-type")));
    }
    if answer.body.len() > LONGEST_ERROR {
        return Err(format!("it has {} bytes: {shown}", answer.body.len()));
    }
    let told: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("it is no JSON, {error}: {shown}"))?;
    let message = told["error"].as_str().filter(|message| !message.is_empty());
    named(message.ok_or_else(|| format!("it has no `error`: {shown}"))?, says)?;
    match answer.status {
        405 if answer.header("allow").is_none() => Err("405 without Allow".to_owned()),
        503 if answer.header("retry-after").is_none() => Err("503 without Retry-After".to_owned()),
        _ => Ok(()),
    }
}

/// True if all these stand in a message, of each list one.
///
/// # Errors
/// Which does not.
pub fn named(message: &str, says: &[Value]) -> Result<(), String> {
    let stands = |word: &Value| word.as_str().is_some_and(|word| stands_alone(word, message));
    let is_said = |word: &&Value| match word.as_array() {
        Some(ways) => ways.iter().any(stands),
        None => stands(word),
    };
    match says.iter().find(|word| !is_said(word)) {
        Some(word) => Err(format!("{word} is not in its message: {message}")),
        None => Ok(()),
    }
}

/// True if a word stands in a message and no letter or digit touches it: `x` is not in `next`.
fn stands_alone(word: &str, message: &str) -> bool {
    let touches = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric());
    message.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&message[..at], &message[at + word.len()..]);
        !touches(before.chars().next_back()) && !touches(behind.chars().next())
    })
}

/// True if a right request is answered rightly.
///
/// # Errors
/// What came instead.
pub fn next_is_served(addr: SocketAddr) -> Result<(), String> {
    let body = r#"{"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2.5]}]}"#;
    let line = serde_json::json!({
        "method": "POST", "path": "/v2/models/single/infer", "headers": [], "body": [{"text": body}],
    });
    let failed = |what: String| Err(format!("the next request: {what}"));
    match exchange(&line, addr, Duration::from_secs(60)) {
        Err(error) => failed(error.to_string()),
        Ok(answers) => {
            let told: Value = serde_json::from_slice(&answers[0].body).unwrap_or_default();
            if answers[0].status == 200
                && told["outputs"][0]["data"] == serde_json::json!([2.0, 5.0])
            {
                Ok(())
            } else {
                failed(format!("{} {}", answers[0].status, answers[0].shown()))
            }
        }
    }
}

/// Fails a test with all lines that failed.
pub fn report(count: usize, failed: &[(String, String)]) {
    let told: Vec<String> = failed.iter().map(|(name, what)| format!("{name}: {what}")).collect();
    assert!(failed.is_empty(), "{} of {count} lines:\n{}", failed.len(), told.join("\n"));
}

/// A line's name with what went wrong.
pub fn failure(line: &Value, what: String) -> (String, String) {
    (text(line, "name").to_owned(), what)
}
