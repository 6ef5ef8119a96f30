use std::collections::HashMap;

use libp2p::{Multiaddr, StreamProtocol, identity::Keypair};

/// The command line, which `src/testing/interop/guest.ts` describes.
pub struct Options {
    pub key: Keypair,
    pub listen: Vec<Multiaddr>,
    pub dial: Vec<Multiaddr>,
    pub topics: Vec<String>,
    /// None without a DHT.
    pub dht: Option<libp2p::kad::Mode>,
    pub dht_protocol: StreamProtocol,
}

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut values: HashMap<String, Vec<String>> = HashMap::new();
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} has no value"))?;
            values.entry(name).or_default().push(value);
        }
        let mut take = |name: &str| values.remove(name).unwrap_or_default();
        let options = Self {
            key: key(take("--seed").pop())?,
            listen: addresses(take("--listen"))?,
            dial: addresses(take("--dial"))?,
            topics: take("--topic"),
            dht: match take("--dht").pop().as_deref() {
                None => None,
                Some("server") => Some(libp2p::kad::Mode::Server),
                Some("client") => Some(libp2p::kad::Mode::Client),
                Some(other) => return Err(format!("--dht {other} is neither client nor server")),
            },
            dht_protocol: match take("--dht-protocol").pop() {
                None => StreamProtocol::new("/tracemesh/kad/1.0.0"),
                Some(id) => StreamProtocol::try_from_owned(id).map_err(|e| e.to_string())?,
            },
        };
        match values.keys().next() {
            Some(unknown) => Err(format!("unknown option {unknown}")),
            None => Ok(options),
        }
    }
}

fn key(seed: Option<String>) -> Result<Keypair, String> {
    let Some(seed) = seed else {
        return Ok(Keypair::generate_ed25519());
    };
    let bytes = hex::decode(seed).map_err(|e| format!("--seed: {e}"))?;
    Keypair::ed25519_from_bytes(bytes).map_err(|e| format!("--seed: {e}"))
}

fn addresses(texts: Vec<String>) -> Result<Vec<Multiaddr>, String> {
    let parse = |text: &String| text.parse().map_err(|e| format!("{text}: {e}"));
    texts.iter().map(parse).collect()
}
