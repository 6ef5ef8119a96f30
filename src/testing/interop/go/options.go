package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"flag"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// texts is a flag that may be repeated.
type texts []string

func (t *texts) String() string { return fmt.Sprint(*t) }

func (t *texts) Set(value string) error {
	*t = append(*t, value)
	return nil
}

type options struct {
	seed        string
	listen      texts
	dial        texts
	topics      texts
	dht         string
	dhtProtocol string
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.seed, "seed", "", "Ed25519 seed, 64 hexadecimal digits; random by default")
	flag.Var(&o.listen, "listen", "multiaddr to listen at; may be repeated")
	flag.Var(&o.dial, "dial", "multiaddr with /p2p to dial at the start; may be repeated")
	flag.Var(&o.topics, "topic", "topic to subscribe to; may be repeated; commands publish to the first")
	flag.StringVar(&o.dht, "dht", "", "client or server; no DHT by default")
	flag.StringVar(&o.dhtProtocol, "dht-protocol", "/tracemesh/kad/1.0.0", "protocol id of the DHT")
	flag.Parse()
	return o
}

func (o options) key() (crypto.PrivKey, error) {
	if o.seed == "" {
		key, _, err := crypto.GenerateEd25519Key(nil)
		return key, err
	}
	seed, err := hex.DecodeString(o.seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("--seed %q is not %d bytes in hexadecimal digits", o.seed, ed25519.SeedSize)
	}
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
}
