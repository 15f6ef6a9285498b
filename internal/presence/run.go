package presence

import "time"

// chunk is how many watchers are told while the board is held.
const chunk = 256

// run ends graces and tells watchers.
func (b *Board) run() {
	defer b.done.Done()
	tick := time.NewTicker(b.pause)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			b.expire(now)
			b.tellAll()
		case <-b.stop:
			return
		}
	}
}

// expire turns those offline whose grace is over.
func (b *Board) expire(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for ; n < len(b.gone) && !b.gone[n].at.After(now); n++ {
		id := b.gone[n].id
		u := b.users[id]
		if u == nil || u.links > 0 || u.until.After(now) { // he came back, and maybe left again
			continue
		}
		b.turn(id, u, false)
		b.forget(id, u)
	}
	if b.gone = b.gone[n:]; len(b.gone) == 0 {
		b.gone = nil
	}
}

// tellAll tells each watcher once. Those that are marked meanwhile wait for the
// next time.
func (b *Board) tellAll() {
	b.mu.Lock()
	todo := b.dirty
	b.dirty = nil
	b.mu.Unlock()
	for len(todo) > 0 {
		n := min(chunk, len(todo))
		b.tellSome(todo[:n])
		todo = todo[n:]
	}
}

func (b *Board) tellSome(some []*Watcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range some {
		var news []State
		for id := range w.changed {
			was, watched := w.told[id]
			if u := b.users[id]; watched && u.online != was {
				w.told[id] = u.online
				news = append(news, State{id, u.online})
			}
		}
		w.changed = nil
		if len(news) > 0 {
			w.tell(news)
		}
	}
}
