package bench

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

// rows puts objects into pages of two.
func rows(objects ...string) (pages [][]byte) {
	for ; len(objects) > 2; objects = objects[2:] {
		pages = append(pages, []byte("["+strings.Join(objects[:2], ",")+"]"))
	}
	return append(pages, []byte("["+strings.Join(objects, ",")+"]"))
}

func TestAListIsComparedWithWhatWasMade(t *testing.T) {
	h := &heavy{ids: []string{"a", "b", "c"}, each: 1}
	row := func(id string, n, unread int) string {
		return fmt.Sprintf(`{"conversation":%q,"n":%d,"unread":%d}`, id, n, unread)
	}
	a, b, c := row("a", 1, 1), row("b", 1, 1), row("c", 1, 1)
	for story, l := range map[string]struct {
		pages [][]byte
		well  bool
	}{
		"all": {rows(c, a, b), true}, "one lacks": {rows(a, b), false}, "one twice": {rows(a, b, c, a), false},
		"a stranger": {rows(a, b, c, row("d", 1, 1)), false}, "read already": {rows(a, b, row("c", 1, 0)), false},
		"other n": {rows(a, b, row("c", 2, 1)), false}, "no page": {[][]byte{[]byte("x")}, false},
	} {
		if err := h.checkList(l.pages); (err == nil) != l.well || err != nil && exitCode(err) != ExitProduct {
			t.Errorf("%s: %v", story, err)
		}
	}
}

func TestAnInboxIsComparedWithWhatWasWritten(t *testing.T) {
	h := &heavy{ids: []string{"a", "b"}, each: 2}
	entry := func(inbox, conv, seq, index int) string {
		key := messageKey{conv: uint32(conv), seq: uint32(seq)}
		return fmt.Sprintf(`{"inbox":{"index":%d,"pre":%d},"conversation":%q,"index":%d,"pre":%d,"n":%d,"key":%q,"content":{"text":%q}}`,
			inbox, inbox-1, h.ids[conv], index, index-1, index, key.appendTo(nil), testPool().of(key.conv, key.seq))
	}
	one, two, three, four := entry(1, 0, 0, 1), entry(2, 1, 0, 1), entry(3, 0, 1, 2), entry(4, 1, 1, 2)
	for story, c := range map[string]struct {
		pages [][]byte
		well  bool
	}{
		"all":             {rows(one, two, three, four), true},
		"one lacks":       {rows(one, two, three), false},
		"a hole":          {rows(one, two, four), false},
		"one twice":       {rows(one, two, three, entry(4, 1, 0, 2)), false},
		"another text":    {rows(one, two, three, strings.Replace(four, `"text":"`, `"text":"x`, 1)), false},
		"a chain's hole":  {rows(one, two, three, entry(4, 1, 1, 3)), false},
		"of another chat": {rows(one, two, three, strings.Replace(four, `"b"`, `"a"`, 1)), false},
	} {
		if err := h.checkInbox(c.pages, testPool()); (err == nil) != c.well || err != nil && exitCode(err) != ExitProduct {
			t.Errorf("%s: %v", story, err)
		}
	}
}

// Requests that are refused for now are asked again until all are answered.
func TestRefusedRequestsAreAskedAgain(t *testing.T) {
	dice := newDice()
	server := &moody{newEchoServer(), func(k *echoLink, f *frame) error {
		if dice.oneIn(2) {
			return k.refuse(f, "overloaded", 1)
		}
		k.out = appendSent(k.out[:0], f, 1, 1)
		return k.write()
	}}
	l, err := connect(t.Context(), serveHere(t, server), testPool(), shape{users: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var sends [][]byte
	for seq := range uint32(40) {
		sends = append(sends, appendSend(nil, l.convs[0].id, messageKey{seq: seq}, nil, []byte("x")))
	}
	got := make([]int, len(sends))
	err = l.links[0].askAll(t.Context(), sends, func(i int, f *frame) error {
		got[i]++
		if key, ok := parseKey(f.key); !ok || int(key.seq) != i {
			t.Errorf("request %d was given the answer to %s", i, bytes.Clone(f.key))
		}
		return f.expect("sent")
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range got {
		if n != 1 {
			t.Errorf("request %d got %d answers", i, n)
		}
	}
}

func TestAskingEndsWithItsContext(t *testing.T) {
	server := &moody{newEchoServer(), func(k *echoLink, f *frame) error { return k.refuse(f, "overloaded", 60_000) }}
	l, err := connect(t.Context(), serveHere(t, server), testPool(), shape{users: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	send := appendSend(nil, l.convs[0].id, messageKey{}, nil, []byte("x"))
	if err := l.links[0].askAll(ctx, [][]byte{send}, func(int, *frame) error { return nil }); err == nil {
		t.Error("it had an answer")
	}
}
