// A merchantim client, written from docs/protocol.md, docs/rest.md and
// docs/openapi.json alone. It keeps one link: the long one if it can be had,
// else the short one while it goes on trying.
import { EventEmitter } from 'node:events';
import { LongLink } from './long.js';
import { Outbox } from './outbox.js';
import { Receiver } from './receiver.js';
import { ShortLink } from './short.js';
import { Store } from './store.js';
import { BackOff, Lost, Refused, sleep } from './wait.js';

const close = { goingAway: 1001, tooBig: 1009, protocol: 4400, token: 4401, replaced: 4409 };
const fallBackAfter = 2; // tries without a welcome

// Client emits state, message (each entry of a chain, once) and token (a new
// one is wanted).
export class Client extends EventEmitter {
  link; // the one in use, if any
  #over = new AbortController();
  #receiver;
  #short;
  #renewing;
  #limits = {};
  #waiting = []; // requests without a link

  // retry is how to back off, if not as the server says.
  constructor({ url, token, device, kept, retry, patience = 3000 }) {
    super();
    Object.assign(this, { url, token, device, retry, patience });
    this.store = new Store(kept, (message) => this.emit('message', message));
    this.outbox = new Outbox();
  }

  // run keeps a link until stop.
  async run() {
    const { signal } = this.#over;
    this.entry = await this.#bootstrap();
    this.retry ??= this.entry.retry;
    this.backOff = new BackOff(this.retry);
    for (let fails = 0; !signal.aborted;) {
      const end = await this.#longOnce();
      fails = end.welcomed ? 0 : fails + 1;
      if (signal.aborted) break;
      if (fails >= fallBackAfter) this.#short ??= this.#shortly();
      const wait = await this.#afterwards(end);
      if (wait === undefined) break;
      await sleep(wait, signal);
    }
    this.#short?.stop();
    await this.#short?.done;
    this.#use(undefined);
  }

  stop() {
    this.#over.abort();
    this.long?.close();
  }

  send(conversation, key, text) {
    return this.outbox.send(conversation, key, text);
  }

  // ask repeats a request until it is answered: every one may be repeated.
  async ask(frame) {
    const backOff = new BackOff();
    for (;;) {
      const link = this.link ?? await new Promise((resolve) => { this.#waiting.push(resolve); });
      try {
        return await link.request(frame);
      } catch (error) {
        if (error instanceof Refused && !error.retry) throw error;
        await sleep(error.retryMs ?? backOff.next());
      }
    }
  }

  // list brings the rows up to date. The version to go on from is that of the
  // first page: what changes while others are read comes again.
  async list(limit = 50) {
    const { store } = this;
    const since = store.version;
    let version;
    for (let cursor; ;) {
      const page = await this.ask({ type: 'list', since, cursor, limit });
      version ??= page.version;
      for (const row of page.conversations) store.rows.set(row.conversation, row);
      cursor = page.cursor;
      if (!cursor) break;
    }
    store.version = version;
    return [...store.rows.values()];
  }

  // members reads all pages.
  async members(conversation, limit) {
    const all = [];
    for (let cursor; ;) {
      const page = await this.ask({ type: 'members', conversation, cursor, limit });
      all.push(...page.members);
      if (!(cursor = page.cursor)) return { members: all, total: page.total };
    }
  }

  async #bootstrap() {
    const entry = { links: [] };
    try {
      const short = new ShortLink(this.url, this.token, { patience: this.patience });
      Object.assign(entry, await short.bootstrap());
    } catch { /* the shipped numbers do */ }
    this.#limits = entry.limits ?? {};
    entry.long = pick(entry.links, 'ws') ?? this.url.replace(/^http/, 'ws');
    entry.short = pick(entry.links, 'http') ?? this.url;
    entry.long = entry.long.replace(/\/link$/, '');
    return entry;
  }

  // longOnce is one long link, until its end.
  async #longOnce() {
    let receiver, link;
    const early = []; // pushes before the receiver stands
    const end = await new Promise((resolve) => {
      link = this.long = new LongLink(this.entry.long, {
        patience: this.patience,
        onPush: (frame) => (receiver ? receiver.push(frame) : early.push(frame)),
        onPong: (inbox) => { this.backOff.reset(); receiver?.pong(inbox); },
        onEnd: resolve,
      });
      const position = this.store.epoch === '' ? undefined : this.store.position();
      link.hello(this.token, this.device, position).then((welcome) => {
        link.welcomed = true;
        this.#short?.stop();
        this.#short = undefined;
        receiver = this.#receive(link, welcome);
        for (const frame of early) receiver.push(frame);
      }, () => {}); // onEnd tells
    });
    receiver?.close();
    if (this.link === link) this.#use(undefined);
    return { ...end, welcomed: link.welcomed === true };
  }

  // receive begins with what a link brings after its welcome.
  #receive(link, welcome) {
    const { store, outbox } = this;
    if (store.epoch !== welcome.epoch) {
      if (store.epoch !== '') outbox.forget();
      store.reset(welcome.epoch);
    }
    this.#receiver?.close();
    const receiver = this.#receiver = new Receiver({
      link, store, user: welcome.user,
      ownPlace: (conversation, index) => outbox.place(conversation, index),
      onLost: () => link.close(),
      maxInbox: this.#limits.max_inbox, maxHistory: this.#limits.max_history,
    });
    receiver.welcome(welcome);
    this.#use(link, welcome);
    return receiver;
  }

  #use(link, welcome) {
    this.link = link;
    this.outbox.use(link, welcome?.max_inflight);
    this.emit('state', { link: link?.name ?? 'none', recovered: welcome?.recovered, epoch: welcome?.epoch });
    if (link) for (const resolve of this.#waiting.splice(0)) resolve(link);
  }

  // afterwards obeys a close code: it returns how long to wait, or nothing if
  // this client is to stay away.
  async #afterwards(end) {
    this.emit('end', { code: end.code, status: end.status });
    switch (end.code) {
      case close.goingAway:
        return Math.random() * 2000;
      case close.token:
        await this.#renew();
        return 0;
      case close.replaced:
        this.emit('replaced');
        return undefined;
      case close.tooBig:
      case close.protocol:
        this.outbox.giveUp(new Error(`closed with ${end.code}`));
        break;
      default:
    }
    return this.backOff.next(end.retryMs ?? end.refused?.retryMs);
  }

  // renew gets a new token, for both links at once.
  #renew() {
    this.#renewing ??= new Promise((resolve) => { this.emit('token', resolve); }).then((token) => {
      this.token = token;
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  // shortly goes on over HTTP until it is stopped.
  #shortly() {
    const over = new AbortController();
    let link;
    const serve = async () => {
      const backOff = new BackOff(this.retry);
      while (!over.signal.aborted) {
        link = new ShortLink(this.entry.short, this.token, { patience: this.patience, maxWait: this.#limits.max_wait_ms });
        let wait;
        try {
          await this.#shortOnce(link, backOff);
        } catch (error) {
          wait = error.retryMs;
          if (error.code === 'unauthenticated') await this.#renew();
        }
        link.close();
        if (this.link === link) this.#use(undefined);
        await sleep(wait ?? backOff.next(), over.signal);
      }
    };
    return { stop: () => { over.abort(); link?.close(); }, done: serve() };
  }

  async #shortOnce(link, backOff) {
    const position = this.store.epoch === '' ? undefined : this.store.position();
    const session = await link.request({ type: 'hello', device: this.device, inbox: position });
    if (link.ended) throw new Lost('the link has ended');
    const receiver = this.#receive(link, session);
    while (!link.ended) {
      const page = await link.poll(this.store.position());
      backOff.reset();
      await receiver.page(page);
    }
  }
}

// pick takes an entry point of a kind, by weight.
function pick(links, scheme) {
  const some = links.filter(({ url }) => url.startsWith(`${scheme}:`) || url.startsWith(`${scheme}s:`));
  let at = Math.random() * some.reduce((sum, { weight }) => sum + weight, 0);
  return some.find(({ weight }) => (at -= weight) < 0)?.url;
}
