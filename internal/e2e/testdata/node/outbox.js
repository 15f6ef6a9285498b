// The outbox: what is to be sent, a lane for each conversation. Order survives
// links, refusals and retries: every send names the one before it.
import { BackOff, Lost } from './wait.js';

export class Outbox {
  #lanes = new Map();
  #link;
  #flying = 0;
  #limit = 1;
  #sent = new Map(); // conversation/index → what was sent there, until its entry comes
  #waiters = [];
  refusals = {}; // how often, by code

  // use sends on over this link, or over none.
  use(link, limit = 1) {
    this.#link = link;
    this.#limit = limit;
    this.#flying = 0;
    for (const lane of this.#lanes.values()) {
      lane.until = 0;
      for (const item of lane.items) item.flying = undefined;
    }
    this.#pump();
  }

  // forget what was sent before: another epoch knows nothing of it.
  forget() {
    for (const lane of this.#lanes.values()) Object.assign(lane, { last: undefined, lastIndex: 0 });
    this.#sent.clear();
  }

  send(conversation, key, text) {
    return new Promise((resolve, reject) => {
      if (!this.#lanes.has(conversation)) {
        this.#lanes.set(conversation, { conversation, items: [], last: undefined, lastIndex: 0, until: 0, window: Infinity, backOff: new BackOff() });
      }
      const content = { type: 'text', text };
      this.#lanes.get(conversation).items.push({ key, content, resolve, reject, flying: undefined });
      this.#pump();
    });
  }

  // giveUp refuses what was under way: the server cannot read it.
  giveUp(reason) {
    for (const lane of this.#lanes.values()) {
      for (const item of lane.items.filter((i) => i.flying)) this.#finish(lane, item).reject(reason);
    }
  }

  // place tells what this client sent to an index; it waits a while for the
  // answer, which may come after the push.
  place(conversation, index) {
    const at = `${conversation}/${index}`;
    const found = this.#sent.get(at);
    if (found || this.#flying === 0) {
      this.#sent.delete(at);
      return found;
    }
    return new Promise((resolve) => {
      const waiter = { at, resolve };
      waiter.timer = setTimeout(() => this.#wake(waiter), 1000);
      this.#waiters.push(waiter);
    });
  }

  #wake(waiter) {
    clearTimeout(waiter.timer);
    this.#waiters = this.#waiters.filter((w) => w !== waiter);
    waiter.resolve(this.#sent.get(waiter.at));
    this.#sent.delete(waiter.at);
  }

  #pump() {
    if (!this.#link) return;
    for (const lane of this.#lanes.values()) this.#pumpLane(lane);
  }

  #pumpLane(lane) {
    const wait = lane.until - Date.now();
    if (wait > 0) {
      lane.timer ??= setTimeout(() => { lane.timer = undefined; this.#pump(); }, wait);
      return;
    }
    const flying = lane.items.some((item) => item.flying);
    if (flying && (lane.refused || !this.#link.pipelines)) return; // first the rest of the answers
    lane.refused = false;
    let after = lane.last;
    for (const item of lane.items.slice(0, this.#link.pipelines ? lane.window : 1)) {
      if (this.#flying >= this.#limit) return;
      if (!item.flying) this.#fly(lane, item, after);
      after = item.key;
    }
  }

  async #fly(lane, item, after) {
    const link = this.#link;
    const { conversation } = lane;
    item.flying = link;
    this.#flying++;
    try {
      const sent = await link.request({ type: 'send', conversation, key: item.key, after, content: item.content });
      this.#accepted(lane, item, sent, link);
    } catch (error) {
      if (item.flying !== link) return; // another link has it now
      this.#refused(lane, item, error, link);
    }
  }

  #accepted(lane, item, { message, index, n, at }, link) {
    if (link === this.#link && link.pipelines) this.#remember(`${lane.conversation}/${index}`, { message, n, key: item.key, at, content: item.content });
    if (index > lane.lastIndex) Object.assign(lane, { last: item.key, lastIndex: index });
    lane.backOff.reset();
    lane.window++;
    if (!lane.items.includes(item)) return; // answered on two links
    this.#finish(lane, item).resolve({ conversation: lane.conversation, key: item.key, message, index, n, at });
    this.#pump();
  }

  // remember what is pushed as own; the eldest was pushed otherwise.
  #remember(at, sent) {
    this.#sent.set(at, sent);
    if (this.#sent.size > 4096) this.#sent.delete(this.#sent.keys().next().value);
    for (const waiter of this.#waiters.filter((w) => w.at === at)) this.#wake(waiter);
  }

  #refused(lane, item, error, link) {
    item.flying = undefined;
    if (link === this.#link) this.#flying--;
    if (error.code) this.refusals[error.code] = (this.refusals[error.code] ?? 0) + 1;
    const again = error instanceof Lost || error.retry || error.code === 'predecessor_missing';
    if (!again) {
      this.#finish(lane, item).reject(error);
    } else {
      lane.refused = true;
      if (error.retry) lane.window = 1; // all at once would only be refused again
      const first = lane.items[0] === item;
      if (error.retry || first) lane.until = Math.max(lane.until, Date.now() + (error.retryMs ?? lane.backOff.next()));
    }
    this.#pump();
  }

  #finish(lane, item) {
    if (item.flying && item.flying === this.#link) this.#flying--;
    item.flying = undefined;
    lane.items = lane.items.filter((i) => i !== item);
    return item;
  }
}
