use std::collections::HashMap;

use libp2p::{
    Multiaddr, PeerId, Swarm,
    gossipsub::{self, IdentTopic},
    identify,
    kad::{self, GetClosestPeersOk, QueryId, QueryResult},
    multiaddr::Protocol,
    swarm::{DialError, SwarmEvent, dial_opts::DialOpts},
};
use serde_json::{Value, json};

use crate::behaviour::{Behaviour, BehaviourEvent, build_swarm};
use crate::options::Options;

/// Bytes that are shown of a message; the rest is only counted.
const SHOWN_BYTES: usize = 256;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The peer with all that its commands need.
pub struct Guest {
    pub swarm: Swarm<Behaviour>,
    options: Options,
    /// Listeners that have no address yet.
    starting: usize,
    /// The lowest score that this peer gave to each other one.
    worst: HashMap<PeerId, f64>,
    /// Queries for a peer, which run until they have the peers closest to it.
    finds: HashMap<QueryId, PeerId>,
}

impl Guest {
    pub fn start(options: Options) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut swarm = build_swarm(&options)?;
        for address in &options.listen {
            swarm.listen_on(address.clone())?;
        }
        let starting = options.listen.len();
        let mut guest = Self {
            swarm,
            options,
            starting,
            worst: HashMap::new(),
            finds: HashMap::new(),
        };
        if starting == 0 {
            guest.on_listening();
        }
        Ok(guest)
    }

    fn on_listening(&mut self) {
        let addresses: Vec<_> = self.swarm.listeners().map(Multiaddr::to_string).collect();
        report(
            "listening",
            json!({ "peer": self.swarm.local_peer_id().to_string(), "addresses": addresses }),
        );
        for address in std::mem::take(&mut self.options.dial) {
            if let Err(error) = self.dial(address) {
                report_failure("dial", &error.to_string());
            }
        }
    }

    pub fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { .. } if self.starting > 0 => {
                self.starting -= 1;
                if self.starting == 0 {
                    self.on_listening();
                }
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => report_failure("dial", &error.to_string()),
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established,
                ..
            } => {
                report(
                    "disconnected",
                    json!({ "peer": peer_id.to_string(), "left": num_established }),
                );
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                self.on_identified(peer_id, info);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message {
                message_id, message, ..
            })) => {
                report_message("message", &message_id, &message);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Dht(event)) => self.on_dht(event),
            _ => {}
        }
    }

    /// Reports a peer as connected after identify: a listener may refuse a connection after its dial succeeded. The DHT
    /// does not learn addresses from identify by itself.
    fn on_identified(&mut self, peer: PeerId, info: identify::Info) {
        report("connected", json!({ "peer": peer.to_string() }));
        let Some(dht) = self.swarm.behaviour_mut().dht.as_mut() else {
            return;
        };
        if !info.protocols.contains(&self.options.dht_protocol) {
            return;
        }
        for address in info.listen_addrs {
            dht.add_address(&peer, address);
        }
    }

    fn on_dht(&mut self, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed {
            id,
            result: QueryResult::GetClosestPeers(result),
            step,
            ..
        } = event
        else {
            return;
        };
        let Some(&wanted) = self.finds.get(&id) else {
            return;
        };
        if step.last {
            self.finds.remove(&id);
        }
        let peers = match result {
            Ok(GetClosestPeersOk { peers, .. }) => peers,
            Err(error) => return report_failure("find", &error.to_string()),
        };
        match peers.into_iter().find(|one| one.peer_id == wanted) {
            Some(found) => {
                let addresses: Vec<_> = found.addrs.iter().map(Multiaddr::to_string).collect();
                report("found", json!({ "peer": wanted.to_string(), "addresses": addresses }));
            }
            None if step.last => report_failure("find", "not among the closest peers"),
            None => {}
        }
    }

    pub fn read_scores(&mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let score = self.swarm.behaviour().gossip.peer_score(&peer).unwrap_or_default();
            let worst = self.worst.entry(peer).or_default();
            *worst = worst.min(score);
        }
    }

    pub fn obey(&mut self, line: &str) {
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        if let Err(error) = self.execute(command, argument) {
            report_failure(command, &error.to_string());
        }
    }

    fn execute(&mut self, command: &str, argument: &str) -> Outcome {
        match command {
            "publish" => self.publish(argument.as_bytes().to_vec())?,
            "publish-big" => self.publish(vec![b'x'; argument.parse()?])?,
            "dial" => self.dial(argument.parse()?)?,
            "disconnect" => {
                let _ = self.swarm.disconnect_peer_id(argument.parse()?);
            }
            "find" => self.find(argument.parse()?)?,
            "scores" => {
                let worst: HashMap<_, _> = self
                    .worst
                    .iter()
                    .map(|(peer, score)| (peer.to_string(), score))
                    .collect();
                report("scores", json!({ "worst": worst }));
            }
            _ => return Err("unknown command".into()),
        }
        Ok(())
    }

    /// Dials a peer unless it is connected or being dialled, as go does.
    fn dial(&mut self, address: Multiaddr) -> Outcome {
        let Some(Protocol::P2p(peer)) = address.iter().last() else {
            return Err("no /p2p".into());
        };
        match self
            .swarm
            .dial(DialOpts::peer_id(peer).addresses(vec![address]).build())
        {
            Err(DialError::DialPeerConditionFalse(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn publish(&mut self, data: Vec<u8>) -> Outcome {
        let topic = IdentTopic::new(self.options.topics.first().ok_or("no topic")?);
        let bytes = data.len();
        let text = shown(&data);
        let id = self.swarm.behaviour_mut().gossip.publish(topic, data)?;
        report(
            "published",
            json!({ "id": hex::encode(id.0), "bytes": bytes, "text": text }),
        );
        Ok(())
    }

    fn find(&mut self, peer: PeerId) -> Outcome {
        let dht = self.swarm.behaviour_mut().dht.as_mut().ok_or("no DHT")?;
        let query = dht.get_closest_peers(peer);
        self.finds.insert(query, peer);
        Ok(())
    }

    pub fn disconnect_all(&mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }
}

fn report_message(event: &str, id: &gossipsub::MessageId, message: &gossipsub::Message) {
    let from = message.source.map(|peer| peer.to_string());
    let topic = message.topic.to_string();
    let (bytes, text) = (message.data.len(), shown(&message.data));
    report(
        event,
        json!({ "from": from, "id": hex::encode(&id.0), "topic": topic, "bytes": bytes, "text": text }),
    );
}

fn shown(data: &[u8]) -> String {
    String::from_utf8_lossy(&data[..data.len().min(SHOWN_BYTES)]).into_owned()
}

fn report_failure(command: &str, error: &str) {
    report("failed", json!({ "command": command, "error": error }));
}

/// Prints one event as a line of JSON.
fn report(event: &str, mut fields: Value) {
    fields["event"] = event.into();
    println!("{fields}");
}
