// Waiting as docs/protocol.md tells, and the two ways in which a request fails.

// Refused is an answer of the server that is no.
export class Refused extends Error {
  constructor({ code, message, retry, retry_ms: retryMs }) {
    super(`${code}: ${message}`);
    Object.assign(this, { code, retry: retry === true, retryMs });
  }
}

// Lost means that no answer came, and none will: the outcome is unknown.
export class Lost extends Error {}

// BackOff gives waits with full jitter.
export class BackOff {
  constructor({ base_ms: base = 250, cap_ms: cap = 30_000 } = {}) {
    Object.assign(this, { base, cap, tries: 0 });
  }

  next(atLeast = 0) {
    const most = Math.min(this.cap, this.base * 2 ** this.tries++);
    return atLeast + Math.random() * most;
  }

  reset() {
    this.tries = 0;
  }
}

// sleep ends early when the signal says so.
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
