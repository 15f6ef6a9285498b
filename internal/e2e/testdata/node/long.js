// The long link: one WebSocket, from its upgrade to its end.
import WebSocket from 'ws';
import { Lost, Refused } from './wait.js';

const maxFrames = 256;
const maxBytes = 65_536;

export class LongLink {
  name = 'long';
  pipelines = true; // sends may overtake no one: the server takes them in order
  #waiting = new Map(); // request id → its promise
  #out = [];
  #next = 0;
  #asked = 0; // when the oldest ping without an answer was sent

  // onPush gets every frame that answers nothing, onPong every newest state,
  // onEnd how it ended, once.
  constructor(url, { onPush, onPong, onEnd, patience }) {
    Object.assign(this, { onPush, onPong, onEnd });
    this.end = { code: 0 };
    this.ws = new WebSocket(`${url}/link`, 'merchantim.v1.json', {
      perMessageDeflate: false, handshakeTimeout: patience, maxPayload: 8 << 20,
    });
    this.ws.on('message', (data) => this.#message(data.toString()));
    this.ws.on('error', (error) => { this.end.error ??= error.message; });
    this.ws.on('unexpected-response', (_, response) => {
      this.end.status = response.statusCode;
      this.end.retryMs = 1000 * Number(response.headers['retry-after'] ?? 0);
      response.resume();
      this.ws.terminate();
    });
    this.ws.on('close', (code) => this.#ended(code));
    this.patience = patience;
  }

  // hello returns the welcome.
  async hello(token, device, inbox) {
    await new Promise((resolve, reject) => {
      this.ws.once('open', resolve);
      this.ws.once('close', () => reject(new Lost(this.end.error ?? 'closed')));
    });
    const late = setTimeout(() => this.ws.terminate(), this.patience);
    try {
      const welcome = await this.request({ type: 'hello', token, device, inbox });
      this.#beat(welcome.heartbeat_ms);
      return welcome;
    } catch (error) {
      if (error instanceof Refused) {
        this.end.refused = error;
        this.ws.close();
      }
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  // request sends a frame and returns its answer.
  request(frame) {
    return new Promise((resolve, reject) => {
      if (this.ws.readyState !== WebSocket.OPEN) return reject(new Lost('the link has ended'));
      const id = String(++this.#next);
      this.#waiting.set(id, { resolve, reject });
      this.#out.push(JSON.stringify({ ...frame, id }));
      if (this.#out.length === 1) setImmediate(() => this.#flush());
    });
  }

  close() {
    this.ws.terminate();
  }

  // flush gathers frames into as few messages as may be.
  #flush() {
    const frames = this.#out;
    this.#out = [];
    let message = [], bytes = 0;
    const write = () => {
      if (message.length > 0 && this.ws.readyState === WebSocket.OPEN) this.ws.send(message.join('\n'));
      message = [];
      bytes = 0;
    };
    for (const frame of frames) {
      const size = Buffer.byteLength(frame) + 1;
      if (message.length === maxFrames || bytes + size > maxBytes) write();
      message.push(frame);
      bytes += size;
    }
    write();
  }

  #message(text) {
    for (const line of text.split('\n')) {
      if (line.trim() === '') continue;
      const frame = JSON.parse(line);
      const asked = frame.id === undefined ? undefined : this.#waiting.get(frame.id);
      if (!asked) {
        this.onPush(frame);
        continue;
      }
      this.#waiting.delete(frame.id);
      if (frame.type === 'error') asked.reject(new Refused(frame));
      else asked.resolve(frame);
    }
  }

  // beat pings, and ends a link that does not answer.
  #beat(heartbeat) {
    this.beat = setInterval(() => {
      if (this.#asked !== 0) {
        if (Date.now() - this.#asked >= heartbeat) this.ws.terminate();
        return;
      }
      this.#asked = Date.now();
      this.request({ type: 'ping' }).then((pong) => {
        this.#asked = 0;
        this.onPong(pong.inbox);
      }, () => { this.#asked = 0; }); // refused, and so alive; or lost, and so closed
    }, heartbeat / 2);
  }

  #ended(code) {
    clearInterval(this.beat);
    this.end.code = code;
    for (const { reject } of this.#waiting.values()) reject(new Lost(`closed with ${code}`));
    this.#waiting.clear();
    this.onEnd(this.end);
  }
}
