package main

import (
	"context"
	"encoding/hex"
	"maps"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

// scores keeps the lowest score that this peer gave to each other one.
type scores struct {
	mutex sync.Mutex
	worst map[string]float64
}

func (s *scores) inspect(current map[peer.ID]float64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for id, score := range current {
		s.worst[id.String()] = min(score, s.worst[id.String()])
	}
}

func (s *scores) snapshot() map[string]float64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return maps.Clone(s.worst)
}

// startGossip subscribes to the topics and reports every message. Go has no default scores: these are those of js,
// which punish one broken promise. Peers on one machine share an address, so that costs nothing.
func startGossip(ctx context.Context, h host.Host, names []string) ([]*pubsub.Topic, *scores, error) {
	worst := &scores{worst: map[string]float64{}}
	params := &pubsub.PeerScoreParams{
		SkipAtomicValidation:   true,
		AppSpecificScore:       func(peer.ID) float64 { return 0 },
		BehaviourPenaltyWeight: -10,
		BehaviourPenaltyDecay:  0.2,
		DecayInterval:          time.Second,
		DecayToZero:            0.1,
		RetainScore:            time.Minute,
	}
	thresholds := &pubsub.PeerScoreThresholds{SkipAtomicValidation: true, GossipThreshold: -10, PublishThreshold: -50, GraylistThreshold: -80}
	ps, err := pubsub.NewGossipSub(ctx, h,
		pubsub.WithPeerScore(params, thresholds),
		pubsub.WithPeerScoreInspect(worst.inspect, 500*time.Millisecond))
	if err != nil {
		return nil, nil, err
	}
	var topics []*pubsub.Topic
	for _, name := range names {
		topic, err := ps.Join(name)
		if err != nil {
			return nil, nil, err
		}
		subscription, err := topic.Subscribe()
		if err != nil {
			return nil, nil, err
		}
		topics = append(topics, topic)
		go reportMessages(ctx, h.ID(), subscription)
	}
	return topics, worst, nil
}

// reportMessages reports own messages, too: they have their id only here.
func reportMessages(ctx context.Context, self peer.ID, subscription *pubsub.Subscription) {
	for {
		message, err := subscription.Next(ctx)
		if err != nil {
			return
		}
		event := "message"
		if message.GetFrom() == self {
			event = "published"
		}
		data := message.GetData()
		report(event, fields{
			"from":  message.GetFrom().String(),
			"id":    hex.EncodeToString([]byte(message.ID)),
			"topic": message.GetTopic(),
			"bytes": len(data),
			"text":  string(data[:min(len(data), shownBytes)]),
		})
	}
}
