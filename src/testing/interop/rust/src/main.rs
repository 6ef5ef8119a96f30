//! A libp2p peer without the mesh protocol, under control of a test: `src/testing/interop/guest.ts` describes its
//! interface.

mod behaviour;
mod guest;
mod options;

use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncBufReadExt, BufReader};

use guest::Guest;
use options::Options;

/// Interval of reading the scores.
const SCORE_INTERVAL: Duration = Duration::from_millis(500);
/// Time for the runtime to send the last packets: a swarm has no call that waits for them.
const LAST_PACKETS: Duration = Duration::from_millis(50);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut guest = Guest::start(options)?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut scores = tokio::time::interval(SCORE_INTERVAL);
    loop {
        tokio::select! {
            event = guest.swarm.select_next_some() => guest.on_event(event),
            _ = scores.tick() => guest.read_scores(),
            line = lines.next_line() => match line?.as_deref() {
                None | Some("quit") => break,
                Some(line) => guest.obey(line),
            },
        }
    }
    guest.disconnect_all();
    let drain = async {
        while guest.swarm.connected_peers().next().is_some() {
            guest.swarm.select_next_some().await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), drain).await;
    tokio::time::sleep(LAST_PACKETS).await;
    Ok(())
}
