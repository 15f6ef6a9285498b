// The receiver of one link: takes what the link brings, one after the other,
// and pulls what is missing. A new link has a new one, which resumes.
import { Lost, Refused } from './wait.js';

export class Receiver {
  #queue = [];
  #draining;
  #closed = false;

  // ownPlace(conversation, index) gives what the client itself sent, if it knows.
  constructor({ link, store, user, ownPlace, onLost, maxInbox = 200, maxHistory = 50 }) {
    Object.assign(this, { link, store, user, ownPlace, onLost, maxInbox, maxHistory });
  }

  close() {
    this.#closed = true;
    this.#queue = [];
  }

  welcome(welcome) {
    return this.#take(async () => {
      for (const entry of welcome.missed ?? []) await this.#inboxEntry(entry);
      if (!welcome.recovered) await this.#compare(welcome.inbox);
    });
  }

  pong(inbox) {
    return this.#take(() => this.#compare(inbox));
  }

  page(page) {
    return this.#take(async () => {
      for (const entry of page.entries) await this.#inboxEntry(entry);
      await this.#compare({ index: this.store.index, heads: page.heads });
    });
  }

  push(frame) {
    if (frame.type !== 'msg' && frame.type !== 'own') return; // a hint, or news of a later version
    this.#take(() => this.#push(frame));
  }

  // take queues work. Its promise ends when all before it is done.
  #take(work) {
    return new Promise((resolve) => {
      if (this.#closed) return resolve();
      this.#queue.push({ work, resolve });
      this.#draining ??= this.#drain();
    });
  }

  async #drain() {
    try {
      for (let next; !this.#closed && (next = this.#queue.shift());) {
        await next.work();
        next.resolve();
      }
    } catch (error) {
      this.close(); // what is missing now, the next link's welcome shows
      this.onLost(error);
    } finally {
      this.#draining = undefined;
    }
  }

  async #push(frame) {
    const { store } = this;
    const seen = frame.inbox ? frame.inbox.index <= store.index : frame.index <= store.newest(frame.conversation);
    if (seen) return;
    if (frame.inbox && frame.inbox.pre > store.index) return this.#pullInbox();
    const entry = frame.type === 'own' ? await this.#own(frame) : frame;
    if (!entry) return frame.inbox ? this.#pullInbox() : this.#pullHistory(frame.conversation, frame.index);
    if (frame.inbox) return this.#inboxEntry(entry);
    return this.#chainEntry(entry);
  }

  // own makes an entry of what was sent: possible if nothing stands between.
  async #own({ inbox, conversation, index }) {
    const sent = await this.ownPlace(conversation, index);
    if (!sent || this.store.newest(conversation) !== index - 1) return undefined;
    return { ...sent, conversation, index, pre: index - 1, from: this.user, inbox };
  }

  async #inboxEntry(entry) {
    if (this.#closed || entry.inbox.index <= this.store.index) return;
    await this.#chainEntry(entry);
    if (!this.#closed) this.store.place(entry.inbox, entry, this.user);
  }

  async #chainEntry(entry) {
    const joins = entry.content.type === 'members' && entry.content.added?.includes(this.user);
    if (entry.pre > this.store.newest(entry.conversation) && !joins) {
      await this.#pullHistory(entry.conversation, entry.pre);
    }
    if (!this.#closed) this.store.insert(entry);
  }

  async #compare({ index, heads }) {
    if (index > this.store.index) await this.#pullInbox();
    if (heads !== this.store.heads()) await this.#pullHeads();
  }

  async #pullInbox() {
    for (;;) {
      const page = await this.#ask({ type: 'inbox', after: this.store.index, limit: this.maxInbox });
      for (const entry of page.entries) await this.#inboxEntry(entry);
      if (page.entries.length === 0 || this.store.index >= page.newest) return;
    }
  }

  async #pullHeads() {
    const { heads } = await this.#ask({ type: 'heads' });
    if (this.#closed) return;
    this.store.large = new Set(heads.map((head) => head.conversation));
    for (const { conversation, index } of heads) {
      if (index > this.store.newest(conversation)) await this.#pullHistory(conversation, index);
    }
  }

  // pullHistory reads on until an index. Who has left reads nothing: then a
  // hole stays, as the protocol says.
  async #pullHistory(conversation, until) {
    for (let more = true; more && this.store.newest(conversation) < until;) {
      const after = this.store.newest(conversation);
      try {
        const page = await this.#ask({ type: 'history', conversation, after, limit: this.maxHistory });
        if (this.#closed) return;
        for (const message of page.messages) this.store.insert(message);
        more = page.more;
      } catch (error) {
        if (error instanceof Refused && error.code === 'forbidden') return;
        throw error;
      }
    }
  }

  async #ask(frame) {
    for (;;) {
      try {
        return await this.link.request(frame);
      } catch (error) {
        if (!(error instanceof Refused) || !error.retry) throw error;
        await new Promise((resolve) => { setTimeout(resolve, error.retryMs ?? 250 + Math.random() * 250); });
        if (this.#closed) throw new Lost('the link has ended');
      }
    }
  }
}
