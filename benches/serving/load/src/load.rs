//! The closed loop: each connection asks, waits, and asks again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::failure::Failure;
use crate::grpc;
use crate::http;
use crate::images::Image;
use crate::protocol::{Protocol, Target};

/// Pause after a connection could not be made or was lost, so that a server that is away is not
/// asked a million times.
const PAUSE: Duration = Duration::from_millis(10);

/// The requests that all connections send, and the answers they expect.
pub struct Work {
    pub protocol: Protocol,
    pub target: Target,
    pub address: SocketAddr,
    /// One request an image.
    pub requests: Vec<Bytes>,
    /// One answer an image, where answers are compared.
    pub expected: Option<Vec<Answer>>,
    pub timeout: Duration,
}

impl Work {
    /// Writes the requests once.
    pub fn new(
        protocol: Protocol,
        target: Target,
        address: SocketAddr,
        images: &[Image],
        timeout: Duration,
    ) -> Self {
        let request = |image| match protocol {
            Protocol::OipGrpc => grpc::request(&target, image),
            _ => protocol.request(&target, image).into(),
        };
        let requests = images.iter().map(request).collect();
        Self { protocol, target, address, requests, expected: None, timeout }
    }

    /// Asks about every image alone, one after the other.
    pub async fn answers(&self) -> Result<Vec<Answer>, Failure> {
        let mut connection = Connection::open(self).await?;
        let mut answers = Vec::new();
        for request in &self.requests {
            let (answer, closes) = connection.ask(self, request, true).await?;
            answers.extend(answer);
            if closes {
                connection = Connection::open(self).await?;
            }
        }
        Ok(answers)
    }
}

/// A connection of either kind.
enum Connection {
    Http(http::Connection),
    Grpc(Box<grpc::Connection>),
}

impl Connection {
    async fn open(work: &Work) -> Result<Self, Failure> {
        let opened = async {
            match work.protocol {
                Protocol::OipGrpc => grpc::Connection::open(work.address, &work.target)
                    .await
                    .map(|it| Self::Grpc(Box::new(it))),
                _ => http::Connection::open(work.address).await.map(Self::Http),
            }
        };
        let late = |_| Failure::Connect("not in time".to_owned());
        timeout(work.timeout, opened).await.map_err(late)?
    }

    /// Asks once. The answer is taken apart only if it is wanted; whether the connection ends with
    /// it is told besides.
    async fn ask(
        &mut self,
        work: &Work,
        request: &Bytes,
        wanted: bool,
    ) -> Result<(Option<Answer>, bool), Failure> {
        let asked = async {
            match self {
                Self::Grpc(connection) => {
                    let message = connection.ask(request).await?;
                    let answer = wanted.then(|| grpc::answer(message)).transpose();
                    Ok((answer.map_err(Failure::Unreadable)?, false))
                }
                Self::Http(connection) => {
                    let reply = connection.ask(request).await?;
                    if reply.status != 200 {
                        let words = String::from_utf8_lossy(reply.body).chars().take(300).collect();
                        return Err(Failure::Status(reply.status.to_string(), words));
                    }
                    let answer =
                        wanted.then(|| work.protocol.answer(reply.body, reply.json_length));
                    Ok((answer.transpose().map_err(Failure::Unreadable)?, reply.closes))
                }
            }
        };
        timeout(work.timeout, asked).await.map_err(|_| Failure::Late)?
    }
}

/// Latencies, failures and wrong answers counted by one thread.
pub struct Seen {
    /// Nanoseconds from the first byte sent to the last received, of the answers in the measured
    /// time.
    pub latencies: Histogram<u64>,
    /// Answers in all, those of the warm-up too.
    pub answered: u64,
    pub checked: u64,
    pub wrong: u64,
    pub first_wrong: Option<String>,
    /// Failures by kind, those of the warm-up too.
    pub failures: BTreeMap<String, u64>,
    pub first_failure: Option<String>,
    /// Connections made again, since the server had ended them with an answer or after a failure.
    pub reconnected: u64,
    /// Idle connections that the server had closed at the end.
    pub idle_closed: u64,
}

impl Seen {
    pub fn new() -> Self {
        Self {
            // A day in nanoseconds, three digits: some 250 kB.
            latencies: Histogram::new_with_bounds(1, 86_400_000_000_000, 3)
                .unwrap_or_else(|error| unreachable!("fixed bounds: {error}")),
            answered: 0,
            checked: 0,
            wrong: 0,
            first_wrong: None,
            failures: BTreeMap::new(),
            first_failure: None,
            reconnected: 0,
            idle_closed: 0,
        }
    }

    fn fail(&mut self, failure: &Failure) {
        *self.failures.entry(failure.kind()).or_default() += 1;
        self.first_failure.get_or_insert_with(|| failure.words());
    }

    fn compare(&mut self, place: usize, answer: &Answer, expected: &Answer) {
        self.checked += 1;
        if let Some(difference) = answer.difference(expected) {
            self.wrong += 1;
            self.first_wrong.get_or_insert(format!("image {place}: {difference}"));
        }
    }

    /// Adds what another thread saw.
    pub fn add(&mut self, other: Self) {
        self.latencies
            .add(&other.latencies)
            .unwrap_or_else(|error| unreachable!("bounds of one kind: {error}"));
        self.answered += other.answered;
        self.checked += other.checked;
        self.wrong += other.wrong;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
        for (kind, count) in other.failures {
            *self.failures.entry(kind).or_default() += count;
        }
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.reconnected += other.reconnected;
        self.idle_closed += other.idle_closed;
    }
}

/// The measured time.
#[derive(Clone, Copy)]
pub struct Window {
    pub begin: Instant,
    pub end: Instant,
}

/// Runs some of the connections on this thread until the window's end. `next` hands out images to
/// all.
pub async fn run(
    work: Rc<Work>,
    connections: u32,
    window: Window,
    next: &'static AtomicUsize,
) -> Seen {
    let seen = Rc::new(RefCell::new(Seen::new()));
    let ask = |_| tokio::task::spawn_local(ask(work.clone(), window, next, seen.clone()));
    let askers: Vec<_> = (0..connections).map(ask).collect();
    for asker in askers {
        if let Err(error) = asker.await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    seen.replace(Seen::new())
}

/// One connection's loop.
async fn ask(work: Rc<Work>, window: Window, next: &AtomicUsize, seen: Rc<RefCell<Seen>>) {
    let mut open: Option<Connection> = None;
    let mut is_first = true;
    loop {
        let now = Instant::now();
        if now >= window.end {
            return;
        }
        let connection = match &mut open {
            Some(connection) => connection,
            None => match Connection::open(&work).await {
                Ok(connection) => {
                    seen.borrow_mut().reconnected += u64::from(!is_first);
                    is_first = false;
                    open.insert(connection)
                }
                Err(failure) => {
                    seen.borrow_mut().fail(&failure);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let place = next.fetch_add(1, Ordering::Relaxed) % work.requests.len();
        let begun = Instant::now();
        let asked = connection.ask(&work, &work.requests[place], work.expected.is_some()).await;
        let ended = Instant::now();
        match asked {
            Ok((answer, closes)) => {
                let mut seen = seen.borrow_mut();
                seen.answered += 1;
                if window.begin <= begun && ended <= window.end {
                    seen.latencies.saturating_record((ended - begun).as_nanos() as u64);
                }
                if let (Some(answer), Some(expected)) = (answer, &work.expected) {
                    seen.compare(place, &answer, &expected[place]);
                }
                if closes {
                    open = None;
                }
            }
            Err(failure) => {
                seen.borrow_mut().fail(&failure);
                // After a status the connection goes on, if the server lets it.
                if !matches!(failure, Failure::Status(..)) {
                    open = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
