// A client on a string: requests come in as lines of JSON on stdin, answers and
// events go out as lines of JSON on stdout.
//   {"id":1,"do":"send","conversation":"…","key":"k1","text":"hi"}
//   {"id":1,"ok":{…}}   {"id":1,"error":{"code":"…","message":"…"}}   {"event":"message",…}
import { createInterface } from 'node:readline';
import { Client } from './client.js';

let client;
let running;
let giveToken;

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const deeds = {
  start(options) {
    client = new Client(options);
    client.on('message', (message) => write({ event: 'message', message }));
    client.on('state', (state) => write({ event: 'state', ...state }));
    client.on('end', (end) => write({ event: 'end', ...end }));
    client.on('replaced', () => write({ event: 'replaced' }));
    client.on('token', (resolve) => {
      giveToken = resolve;
      write({ event: 'token' });
    });
    running = client.run();
  },
  async stop() {
    client.stop();
    await running;
    return client.store.dump();
  },
  token: ({ token }) => giveToken(token),
  send: ({ conversation, key, text }) => client.send(conversation, key, text),
  open: ({ with: other }) => client.ask({ type: 'open', with: other }),
  create: ({ key, title, members }) => client.ask({ type: 'create', key, title, members }),
  change: ({ conversation, add, remove }) => client.ask({ type: 'change', conversation, add, remove }),
  read: ({ conversation, index }) => client.ask({ type: 'read', conversation, index }),
  members: ({ conversation, limit }) => client.members(conversation, limit),
  list: ({ limit }) => client.list(limit),
  together: ({ orders }) => { orders.forEach(obey); },
  dump: () => ({ ...client.store.dump(), refusals: client.outbox.refusals }),
};

async function obey({ id, do: deed, ...fields }) {
  try {
    write({ id, ok: await deeds[deed](fields) ?? {} });
  } catch (error) {
    write({ id, error: { code: error.code ?? 'failed', message: error.message } });
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => obey(JSON.parse(line)));
lines.on('close', () => process.exit(0)); // whoever drives it is gone
