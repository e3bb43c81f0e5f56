//! Connections that are open and never ask.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Connections held by a thread of their own.
pub struct Idle {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<u64>,
}

impl Idle {
    /// Opens the connections and returns when all of them are open.
    pub fn open(address: SocketAddr, count: u32, patience: Duration) -> Result<Self, String> {
        let (stop, stopped) = oneshot::channel();
        let (say, heard) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let held = crate::on_this_thread(hold(address, count, patience, say.clone(), stopped));
            held.unwrap_or_else(|words| {
                let _ = say.send(Err(words));
                0
            })
        });
        let silent = || "the thread of the idle connections ended".to_owned();
        heard.recv().unwrap_or_else(|_| Err(silent()))?;
        Ok(Self { stop, thread })
    }

    /// Closes the connections and says how many the server had closed by then.
    pub fn close(self) -> u64 {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

async fn hold(
    address: SocketAddr,
    count: u32,
    patience: Duration,
    say: mpsc::Sender<Result<(), String>>,
    stopped: oneshot::Receiver<()>,
) -> u64 {
    let closed = Rc::new(Cell::new(0));
    for place in 0..count {
        let failed = match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                tokio::task::spawn_local(rest(stream, closed.clone()));
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "not in time".to_owned(),
        };
        let words =
            format!("idle connection {} of {count} could not be opened: {failed}", place + 1);
        let _ = say.send(Err(words));
        return 0;
    }
    let _ = say.send(Ok(()));
    let _ = stopped.await;
    closed.get()
}

/// Holds a connection until the server closes it.
async fn rest(mut stream: TcpStream, closed: Rc<Cell<u64>>) {
    let mut bytes = [0; 256];
    while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    closed.set(closed.get() + 1);
}
