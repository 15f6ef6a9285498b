// The short link: the same requests over HTTP, pushes by long poll.
import { Lost, Refused } from './wait.js';

// how says which operation of openapi.json a frame is.
const how = {
  open: ({ with: other }) => ['POST', '/conversations', { with: other }],
  create: ({ key, title, members }) => ['POST', '/groups', { key, title, members }],
  change: ({ conversation, add, remove }) => ['POST', `/conversations/${conversation}/members`, { add, remove }],
  members: ({ conversation, ...query }) => ['GET', `/conversations/${conversation}/members`, undefined, query],
  heads: () => ['GET', '/heads'],
  history: ({ conversation, ...query }) => ['GET', `/conversations/${conversation}/messages`, undefined, query],
  inbox: (query) => ['GET', '/inbox', undefined, query],
  list: (query) => ['GET', '/conversations', undefined, query],
  read: ({ conversation, index }) => ['PUT', `/conversations/${conversation}/read`, { index }],
  send: ({ conversation, key, after, content }) => ['POST', `/conversations/${conversation}/messages`, { key, after, content }],
  hello: ({ device, inbox }) => ['POST', '/sessions', { device, inbox }],
};

export class ShortLink {
  name = 'short';
  pipelines = false; // requests may overtake each other
  #over = new AbortController();

  constructor(url, token, { patience, maxWait = 30_000 }) {
    Object.assign(this, { url, token, patience, maxWait });
  }

  get ended() {
    return this.#over.signal.aborted;
  }

  close() {
    this.#over.abort();
  }

  request({ type, ...fields }) {
    return this.#ask(...how[type](fields));
  }

  bootstrap() {
    return this.#ask('GET', '/bootstrap');
  }

  // poll waits until there is something after a position.
  poll({ index, heads }) {
    return this.#ask('GET', '/inbox', undefined, { after: index, heads, wait_ms: this.maxWait }, this.maxWait);
  }

  async #ask(method, path, body, query = {}, longer = 0) {
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const headers = { Authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.patience + longer);
    const stop = () => late.abort();
    this.#over.signal.addEventListener('abort', stop);
    try {
      if (this.ended) throw new Lost('the link has ended');
      const response = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal: late.signal });
      return await answer(response);
    } catch (error) {
      throw error instanceof Refused ? error : new Lost(error.message);
    } finally {
      clearTimeout(timer);
      this.#over.signal.removeEventListener('abort', stop);
    }
  }
}

async function answer(response) {
  const text = await response.text();
  if (response.ok) return text === '' ? {} : JSON.parse(text);
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) {
    throw new Lost(`answered with ${response.status}`); // by something on the way
  }
  const problem = JSON.parse(text);
  const wait = response.headers.get('retry-after');
  throw new Refused({
    code: problem.code, message: problem.detail, retry: problem.retry,
    retry_ms: problem.retry_ms ?? (wait === null ? undefined : 1000 * Number(wait)),
  });
}
