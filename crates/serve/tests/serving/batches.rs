//! Requests that are run together have the bits that they have alone.

use abeyance_serve::ServerOptions;
use std::time::Duration;

use crate::support::{
    Folder, agent, base, expected, get, numbers, pack, post, request, rows, serve, session,
};

#[test]
fn answers_among_others_have_the_bits_of_answers_alone() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 5);
    // Whatever comes within two milliseconds runs together.
    let options = ServerOptions::new().max_batch(16).max_delay(Duration::from_millis(2));
    let server = serve(&folder.0, options);
    let (base, session) = (base(&server), session(5));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (base, session) = (&base, &session);
            scope.spawn(move || {
                let agent = agent();
                for turn in 0..40 {
                    // Up to more rows than one run takes.
                    let count = [1, 2, 1, 5, 0, 1, 23, 3][(client + turn) % 8];
                    let rows = rows(count, client * 1000 + turn);
                    let path = "/v2/models/classifier/infer";
                    let (status, answer) = post(&agent, base, path, &request(&rows));
                    assert_eq!(status, 200, "{answer}");
                    let (given, wanted) = (numbers(&answer), expected(session, &rows));
                    let bits = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&given), bits(&wanted), "{count} rows");
                }
            });
        }
    });
    let (_, stats) = get(&agent(), &base, "/v2/models/classifier/stats");
    let stats = &stats["model_stats"][0];
    let (requests, runs) =
        (stats["inference_stats"]["success"]["count"].as_u64(), stats["execution_count"].as_u64());
    assert_eq!(requests, Some(320));
    assert!(runs < requests, "nothing was run together: {stats}");
}

#[test]
fn a_batch_of_one_row_runs_each_request_alone() {
    let folder = Folder::new();
    pack(&folder.0, "classifier", 1, 5);
    let server = serve(&folder.0, ServerOptions::new().max_batch(1));
    let (base, agent) = (base(&server), agent());
    let rows = rows(3, 0);
    let (status, answer) = post(&agent, &base, "/v2/models/classifier/infer", &request(&rows));
    assert_eq!((status, numbers(&answer)), (200, expected(&session(5), &rows)));
    let (_, stats) = get(&agent, &base, "/v2/models/classifier/stats");
    assert_eq!(stats["model_stats"][0]["inference_count"], 3);
}
