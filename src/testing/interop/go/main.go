// A libp2p peer without the mesh protocol, under control of a test: src/testing/interop/guest.ts describes its interface.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	// Of a message; the rest is only counted.
	shownBytes   = 256
	commandLimit = 15 * time.Second
)

type fields map[string]any

var output sync.Mutex

// report prints one event as a line of JSON.
func report(event string, values fields) {
	values["event"] = event
	line, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(line))
}

// guest is the peer with all that its commands need.
type guest struct {
	host   host.Host
	dht    *dht.IpfsDHT
	topics []*pubsub.Topic
	scores *scores
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	g, err := start(ctx, parseOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	g.obey(ctx)
	cancel()
	g.host.Close()
}

func start(ctx context.Context, o options) (*guest, error) {
	key, err := o.key()
	if err != nil {
		return nil, err
	}
	listen := libp2p.ListenAddrStrings(o.listen...)
	if len(o.listen) == 0 {
		listen = libp2p.NoListenAddrs
	}
	h, err := libp2p.New(libp2p.Identity(key), listen, libp2p.DisableRelay())
	if err != nil {
		return nil, err
	}
	if err := reportConnections(h); err != nil {
		return nil, err
	}
	g := &guest{host: h}
	if g.topics, g.scores, err = startGossip(ctx, h, o.topics); err != nil {
		return nil, err
	}
	if err := g.startDht(ctx, o); err != nil {
		return nil, err
	}
	report("listening", fields{"peer": h.ID().String(), "addresses": addressesOf(peer.AddrInfo{Addrs: h.Addrs()})})
	for _, address := range o.dial {
		g.run(ctx, "dial", address)
	}
	return g, nil
}

func (g *guest) startDht(ctx context.Context, o options) (err error) {
	mode := dht.ModeClient
	switch o.dht {
	case "":
		return nil
	case "server":
		mode = dht.ModeServer
	}
	g.dht, err = dht.New(ctx, g.host, dht.Mode(mode), dht.V1ProtocolOverride(protocol.ID(o.dhtProtocol)))
	if err != nil {
		return err
	}
	return g.dht.Bootstrap(ctx)
}

// reportConnections reports a peer as connected after identify: a listener may refuse a connection after its dial
// succeeded.
func reportConnections(h host.Host) error {
	events, err := h.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		return err
	}
	go func() {
		for one := range events.Out() {
			identified := one.(event.EvtPeerIdentificationCompleted)
			report("connected", fields{"peer": identified.Peer.String(), "address": identified.Conn.RemoteMultiaddr().String()})
		}
	}()
	h.Network().Notify(&network.NotifyBundle{DisconnectedF: func(n network.Network, c network.Conn) {
		report("disconnected", fields{"peer": c.RemotePeer().String(), "left": len(n.ConnsToPeer(c.RemotePeer()))})
	}})
	return nil
}

// obey runs the commands on standard input until `quit` or its end.
func (g *guest) obey(ctx context.Context) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		command, argument, _ := strings.Cut(lines.Text(), " ")
		if command == "quit" {
			return
		}
		go g.run(ctx, command, argument)
	}
}

func (g *guest) run(ctx context.Context, command, argument string) {
	limited, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	if err := g.execute(limited, command, argument); err != nil {
		report("failed", fields{"command": command, "error": err.Error()})
	}
}

func (g *guest) execute(ctx context.Context, command, argument string) error {
	switch command {
	case "publish":
		return g.publish(ctx, []byte(argument))
	case "publish-big":
		var bytes int
		if _, err := fmt.Sscan(argument, &bytes); err != nil {
			return err
		}
		return g.publish(ctx, []byte(strings.Repeat("x", bytes)))
	case "dial":
		info, err := peer.AddrInfoFromString(argument)
		if err != nil {
			return err
		}
		return g.host.Connect(ctx, *info)
	case "disconnect":
		id, err := peer.Decode(argument)
		if err != nil {
			return err
		}
		return g.host.Network().ClosePeer(id)
	case "find":
		return g.find(ctx, argument)
	case "scores":
		report("scores", fields{"worst": g.scores.snapshot()})
		return nil
	default:
		return fmt.Errorf("unknown command")
	}
}

func (g *guest) publish(ctx context.Context, data []byte) error {
	if len(g.topics) == 0 {
		return fmt.Errorf("no topic")
	}
	return g.topics[0].Publish(ctx, data)
}

func (g *guest) find(ctx context.Context, argument string) error {
	id, err := peer.Decode(argument)
	if err != nil {
		return err
	}
	if g.dht == nil {
		return fmt.Errorf("no DHT")
	}
	info, err := g.dht.FindPeer(ctx, id)
	if err != nil {
		return err
	}
	report("found", fields{"peer": id.String(), "addresses": addressesOf(info)})
	return nil
}

func addressesOf(info peer.AddrInfo) []string {
	addresses := []string{}
	for _, address := range info.Addrs {
		addresses = append(addresses, address.String())
	}
	return addresses
}
