use std::time::Duration;

use libp2p::{
    Swarm, SwarmBuilder,
    gossipsub::{self, MessageAuthenticity, MessageId},
    identify,
    identity::Keypair,
    kad::{self, store::MemoryStore},
    noise, ping,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
    tcp, yamux,
};

use crate::options::Options;

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub gossip: gossipsub::Behaviour,
    pub dht: Toggle<kad::Behaviour<MemoryStore>>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

pub fn build_swarm(options: &Options) -> Result<Swarm<Behaviour>, AnyError> {
    let swarm = SwarmBuilder::with_existing_identity(options.key.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_quic()
        .with_behaviour(|key| behaviour(key, options))?
        // The default closes a connection after 10 s without use, which is no subject of these tests.
        .with_swarm_config(|c| c.with_idle_connection_timeout(Duration::from_secs(3600)))
        .build();
    Ok(swarm)
}

fn behaviour(key: &Keypair, options: &Options) -> Result<Behaviour, AnyError> {
    let peer = key.public().to_peer_id();
    Ok(Behaviour {
        gossip: gossip(key, options)?,
        dht: options.dht.map(|mode| dht(peer, mode, options)).into(),
        identify: identify::Behaviour::new(identify::Config::new("guest/1".into(), key.public())),
        ping: ping::Behaviour::default(),
    })
}

/// Signs all messages, with rust's default limits. Peers on one machine share an address, so that costs no score.
fn gossip(key: &Keypair, options: &Options) -> Result<gossipsub::Behaviour, AnyError> {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Strict)
        .message_id_fn(message_id)
        .build()?;
    let mut gossip = gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config)?;
    let params = gossipsub::PeerScoreParams {
        ip_colocation_factor_weight: 0.0,
        ..Default::default()
    };
    gossip.with_peer_score(params, gossipsub::PeerScoreThresholds::default())?;
    for topic in &options.topics {
        gossip.subscribe(&gossipsub::IdentTopic::new(topic))?;
    }
    Ok(gossip)
}

/// As in the specification; rust's default is text.
fn message_id(message: &gossipsub::Message) -> MessageId {
    let mut id = message.source.map_or(vec![], |peer| peer.to_bytes());
    id.extend(message.sequence_number.unwrap_or_default().to_be_bytes());
    MessageId::from(id)
}

fn dht(peer: libp2p::PeerId, mode: kad::Mode, options: &Options) -> kad::Behaviour<MemoryStore> {
    let config = kad::Config::new(options.dht_protocol.clone());
    let mut dht = kad::Behaviour::with_config(peer, MemoryStore::new(peer), config);
    dht.set_mode(Some(mode));
    dht
}
