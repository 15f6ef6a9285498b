// What the client keeps: the user's mixed chain, the single chains behind it,
// the large groups, the list. Nothing here waits, so that no one sees half of it.

export class Store {
  constructor(kept, onMessage = () => {}) {
    this.onMessage = onMessage;
    this.reset(kept?.epoch ?? '');
    if (!kept) return;
    for (const [conversation, entries] of Object.entries(kept.chains)) {
      for (const entry of entries) this.#put(conversation, entry);
    }
    for (const { inbox, conversation, index } of kept.inbox) this.inbox.set(inbox.index, { inbox, conversation, index });
    this.index = kept.index;
    this.large = new Set(kept.large);
    this.rows = new Map(kept.rows.map((row) => [row.conversation, row]));
    this.version = kept.version;
  }

  // reset forgets all: another epoch has begun.
  reset(epoch) {
    this.epoch = epoch;
    this.index = 0; // newest of the inbox
    this.inbox = new Map(); // inbox index → where the entry stands
    this.chains = new Map(); // conversation → {newest, entries by index}
    this.large = new Set(); // large groups of the user
    this.rows = new Map();
    this.version = 0; // of the list
  }

  // position is what hello and a long poll tell.
  position() {
    return { epoch: this.epoch, index: this.index, heads: this.heads() };
  }

  heads() {
    let sum = 0;
    for (const conversation of this.large) sum += this.newest(conversation);
    return sum;
  }

  newest(conversation) {
    return this.chains.get(conversation)?.newest ?? 0;
  }

  get(conversation, index) {
    return this.chains.get(conversation)?.entries.get(index);
  }

  // insert keeps an entry of a single chain, once.
  insert({ inbox, type, ...message }) {
    if (this.get(message.conversation, message.index)) return;
    this.#put(message.conversation, message);
    this.onMessage(message);
  }

  #put(conversation, message) {
    if (!this.chains.has(conversation)) this.chains.set(conversation, { newest: 0, entries: new Map() });
    const chain = this.chains.get(conversation);
    chain.entries.set(message.index, message);
    chain.newest = Math.max(chain.newest, message.index);
  }

  // place keeps an entry of the inbox whose message is kept already.
  place(inbox, { conversation, index }, user) {
    this.inbox.set(inbox.index, { inbox, conversation, index });
    this.index = inbox.index;
    const { content } = this.get(conversation, index);
    if (content.type === 'diffusion' && content.mode === 'read') this.large.add(conversation);
    if (content.type === 'diffusion' && content.mode === 'write') this.large.delete(conversation);
    if (content.type === 'members' && content.removed?.includes(user)) this.large.delete(conversation);
  }

  dump() {
    const chains = {};
    for (const [conversation, { entries }] of this.chains) {
      chains[conversation] = [...entries.values()].sort((a, b) => a.index - b.index);
    }
    const inbox = [...this.inbox.values()].map((e) => ({ ...this.get(e.conversation, e.index), inbox: e.inbox }));
    return {
      epoch: this.epoch, index: this.index, heads: this.heads(), inbox, chains,
      large: [...this.large], rows: [...this.rows.values()], version: this.version,
    };
  }
}
