package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

const (
	// heavyUser is the one whose list is long, or who was away.
	heavyUser = "bench-heavy"
	// heavyPeers write to him.
	heavyPeers = 50
	// heavyBatch is how many requests a peer sends at a time.
	heavyBatch = 100
	// catchUpBatch is how many messages a peer writes in a row.
	catchUpBatch = 10
)

// heavy is a user with much to read, and what there is.
type heavy struct {
	token string
	ids   []string // of the conversations, by number
	each  int      // messages in each
}

// peers signs in the users who write to the heavy one.
func (r *runner) peers(ctx context.Context, t *target, n int) (*load, *heavy, error) {
	names := userNames(n)
	tokens, err := t.tokens(ctx, append(slices.Clone(names), heavyUser))
	if err != nil {
		return nil, nil, err
	}
	l := newLoad(r.texts)
	if err := l.signIn(ctx, t, names, tokens); err != nil {
		l.close()
		return nil, nil, harness("%w", err)
	}
	return l, &heavy{token: tokens[heavyUser]}, nil
}

// share is the part of n that peer i of several has: from, to.
func share(n, i, peers int) (from, to int) { return n * i / peers, n * (i + 1) / peers }

// makeList gives the heavy user n conversations with one message each: groups of
// him and a peer, since two users have no more than one conversation beside.
func (r *runner) makeList(ctx context.Context, t *target, n int) (*heavy, error) {
	peers := min(heavyPeers, n)
	l, h, err := r.peers(ctx, t, peers)
	if err != nil {
		return nil, err
	}
	defer l.close()
	h.ids, h.each = make([]string, n), 1
	err = inParallel(ctx, peers, func(ctx context.Context, i int) error {
		from, to := share(n, i, peers)
		for ; from < to; from += heavyBatch {
			if err := l.links[i].makeSome(ctx, h, from, min(from+heavyBatch, to)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, harness("making %d conversations: %w", n, err)
	}
	return h, r.written(ctx, t, l)
}

// makeSome makes the conversations from to to-1 and writes into each.
func (k *link) makeSome(ctx context.Context, h *heavy, from, to int) error {
	var creates, sends [][]byte
	for i := from; i < to; i++ {
		creates = append(creates, appendCreate(nil, i, "g"+strconv.Itoa(i), []string{heavyUser}))
	}
	err := k.askAll(ctx, creates, func(i int, f *frame) error {
		h.ids[from+i] = string(f.conversation)
		return f.expect("opened")
	})
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		sends = append(sends, appendSend(nil, h.ids[i], messageKey{conv: uint32(i)}, nil, k.load.texts.of(uint32(i), 0)))
	}
	return k.askAll(ctx, sends, func(_ int, f *frame) error { return f.expect("sent") })
}

// makeInbox has the peers write n messages to the heavy user, by turns.
func (r *runner) makeInbox(ctx context.Context, t *target, n int) (*heavy, error) {
	peers := min(heavyPeers, max(n/catchUpBatch, 1))
	if n%peers != 0 {
		return nil, harness("%d messages cannot be shared by %d users", n, peers)
	}
	l, h, err := r.peers(ctx, t, peers)
	if err != nil {
		return nil, err
	}
	defer l.close()
	h.ids, h.each = make([]string, peers), n/peers
	err = inParallel(ctx, peers, func(ctx context.Context, i int) error {
		f, err := l.links[i].request(ctx, appendOpen(nil, 0, heavyUser), "opened")
		h.ids[i] = string(f.conversation)
		return err
	})
	for from := 0; err == nil && from < h.each; from += catchUpBatch {
		err = inParallel(ctx, peers, func(ctx context.Context, i int) error {
			var sends [][]byte
			for seq := from; seq < min(from+catchUpBatch, h.each); seq++ {
				key := messageKey{conv: uint32(i), seq: uint32(seq)}
				sends = append(sends, appendSend(nil, h.ids[i], key, nil, l.texts.of(key.conv, key.seq)))
			}
			return l.links[i].askAll(ctx, sends, func(_ int, f *frame) error { return f.expect("sent") })
		})
	}
	if err != nil {
		return nil, harness("writing %d messages: %w", n, err)
	}
	return h, r.written(ctx, t, l)
}

// signInHeavy opens the link of the heavy user.
func (r *runner) signInHeavy(ctx context.Context, t *target, h *heavy) (*load, error) {
	l := newLoad(r.texts)
	if err := l.signIn(ctx, t, []string{heavyUser}, map[string]string{heavyUser: h.token}); err != nil {
		l.close()
		return nil, product("signing in: %w", err)
	}
	return l, nil
}

// checkList compares the pages of a list with what was made. Every row counts.
func (h *heavy) checkList(pages [][]byte) error {
	seen := make(map[string]bool, len(h.ids))
	for _, page := range pages {
		err := eachRow(page, func(f *frame) error {
			if f.unread != int64(h.each) || f.n != int64(h.each) || seen[string(f.conversation)] {
				return fmt.Errorf("conversation %s: n %d, unread %d, listed before: %v", f.conversation, f.n, f.unread, seen[string(f.conversation)])
			}
			seen[string(f.conversation)] = true
			return nil
		})
		if err != nil {
			return product("the list: %w", err)
		}
	}
	for _, id := range h.ids {
		if !seen[id] {
			return product("the list lacks conversation %s", id)
		}
	}
	if len(seen) != len(h.ids) {
		return product("the list has %d conversations, there are %d", len(seen), len(h.ids))
	}
	return nil
}

// checkInbox compares the pages of an inbox with what was written: every
// message once, every entry after the one before, in the inbox and in its chain.
func (h *heavy) checkInbox(pages [][]byte, texts *textPool) error {
	at, chains, got := int64(0), make(map[string]hearing), make(map[messageKey]bool)
	for _, page := range pages {
		err := eachRow(page, func(f *frame) error {
			if f.inboxPre != at || f.inboxIndex <= at {
				return fmt.Errorf("entry %d after %d, the one before was %d", f.inboxIndex, f.inboxPre, at)
			}
			at = f.inboxIndex
			key, ok := parseKey(f.key)
			if !ok {
				return nil // how the conversation began
			}
			c := chains[string(f.conversation)]
			if got[key] || int(key.conv) >= len(h.ids) || h.ids[key.conv] != string(f.conversation) || string(f.text) != string(texts.of(key.conv, key.seq)) {
				return fmt.Errorf("message %d of conversation %d is there twice, or changed", key.seq, key.conv)
			}
			if f.index <= c.index || f.n != c.n+1 || (c.anythingYet && f.pre != c.index) {
				return fmt.Errorf("index %d, pre %d, n %d after index %d, n %d", f.index, f.pre, f.n, c.index, c.n)
			}
			chains[string(f.conversation)] = hearing{index: f.index, n: f.n, anythingYet: true}
			got[key] = true
			return nil
		})
		if err != nil {
			return product("the inbox: %w", err)
		}
	}
	if want := len(h.ids) * h.each; len(got) != want {
		return product("the inbox has %d messages of %d", len(got), want)
	}
	return nil
}
