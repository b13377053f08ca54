import type { SessionOut } from '../../../src/ws/venue.js';
import { base, json, limits, type OtherVenue, read, symbolsOf } from './others.js';

/** The reply gives a number that every later request has to name; nothing in it names the request. */
const tiingo: OtherVenue = {
  symbols: ['spy', 'uso'],
  first: ['T', 'spy', 5],
  venue: (url) => ({
    ...base,
    name: 'tiingo',
    confirmation: 'reply',
    limits: { ...limits, topicsPerRequest: 1, requestsInFlight: 1 },
    heartbeat: { kind: 'server', silentMs: 60_000 },
    target: () => ({ url }),
    session: () => {
      let subscriptionId: number | null = null;
      let asked = 0;
      const say = (eventName: string) => (topics: readonly { readonly symbol: string }[], id: number) => {
        asked = id;
        const own = subscriptionId === null ? {} : { subscriptionId };
        return [json({ eventName, authorization: 't', eventData: { ...own, tickers: symbolsOf(topics) } })];
      };
      return {
        subscribe: say('subscribe'),
        unsubscribe: say('unsubscribe'),
        received(message, out) {
          const { messageType, data, response } = read(message);
          if (messageType === 'H') out.alive(false);
          else if (messageType === 'A') out.tick(data[1], data);
          else if (response.code === 200) {
            subscriptionId = data?.subscriptionId ?? subscriptionId;
            out.done(asked);
          } else out.failed('auth', response.message);
        },
      };
    },
  }),
  script: (() => {
    const known = new WeakSet<object>();
    return {
      received(socket, message) {
        const { eventData } = read(message);
        // Who does not name his subscription has another one, without the first symbols.
        if (known.has(socket) !== (eventData.subscriptionId === 61)) return;
        known.add(socket);
        const response = { code: 200, message: 'Success' };
        socket.send(json({ messageType: 'H', response: { code: 200, message: 'HeartBeat' } }));
        socket.send(json({ messageType: 'I', data: { subscriptionId: 61 }, response }));
        socket.send(json({ messageType: 'A', service: 'iex', data: ['T', 'spy', 5] }));
      },
    } satisfies OtherVenue['script'];
  })(),
};

/** A login with an answer; the first request replaces, later ones add; rows carry only what has changed. */
const schwab: OtherVenue = {
  symbols: ['AAPL', 'MSFT'],
  first: { key: 'AAPL', 1: 4.9, 2: 5 },
  venue: (url) => ({
    ...base,
    name: 'schwab',
    confirmation: 'reply',
    limits: { ...limits, topicsPerRequest: 1 },
    heartbeat: { kind: 'server', silentMs: 30_000 },
    target: async () => ({ url, extra: { token: 'fresh' } }),
    session: ({ target }) => {
      const { token } = target.extra as { token: string };
      const rows = new Map<string, object>();
      let isFirst = true;
      const say = (command: string, requestid: number | string, parameters: object, service: string) =>
        json({ requests: [{ service, command, requestid: String(requestid), parameters }] });
      const ofQuotes = (command: string, topics: readonly { readonly symbol: string }[], id: number) => [
        say(command, id, { keys: symbolsOf(topics).join(), fields: '0,1,2' }, 'LEVELONE_EQUITIES'),
      ];
      return {
        opened: (out) => out.send(say('LOGIN', 'login', { Authorization: token }, 'ADMIN')),
        subscribe(topics, id) {
          const command = isFirst ? 'SUBS' : 'ADD';
          isFirst = false;
          return ofQuotes(command, topics, id);
        },
        unsubscribe: (topics, id) => ofQuotes('UNSUBS', topics, id),
        received(message, out) {
          const { response = [], notify = [], data = [] } = read(message);
          for (const { requestid, content } of response) {
            if (requestid === 'login') {
              if (content.code === 0) out.ready();
              else out.failed('auth', content.msg);
            } else if (content.code === 0) out.done(Number(requestid));
            else if (content.code === 19)
              out.refused({
                requestId: Number(requestid),
                symbols: null,
                reason: content.msg,
                kind: 'limit',
              });
          }
          for (const { content } of notify)
            if (content?.code === 12) out.failed('quota', content.msg);
            else out.alive(false);
          for (const { content } of data) {
            for (const row of content) {
              const merged = { ...rows.get(row.key), ...row };
              rows.set(row.key, merged);
              out.tick(row.key, merged);
            }
          }
        },
      };
    },
  }),
  script: (() => {
    const held = new WeakMap<object, Set<string>>();
    return {
      received(socket, message) {
        for (const { service, command, requestid, parameters } of read(message).requests) {
          const answer = { service, command, requestid, content: { code: 0, msg: 'ok' } };
          if (command === 'SUBS') held.set(socket, new Set());
          for (const key of (parameters.keys ?? '').split(',')) held.get(socket)?.add(key);
          socket.send(json({ response: [answer] }));
          socket.send(json({ notify: [{ heartbeat: '1' }] }));
          if (command !== 'ADD' || held.get(socket)?.size !== 2) continue;
          const row = (content: object) => json({ data: [{ service, command: 'SUBS', content: [content] }] });
          socket.send(row({ key: 'MSFT', 1: 1 }));
          socket.send(row({ key: 'AAPL', 1: 4.9, 2: 5 }));
        }
      },
    } satisfies OtherVenue['script'];
  })(),
};

/** Lines of text, several in a frame; a subprotocol; a subscription for each symbol; a server that moves us on. */
const lightstreamer: OtherVenue = {
  symbols: ['L1:A', 'L1:NOPE', 'L1:B'],
  refuses: 'L1:NOPE',
  first: ['5', '6'],
  venue: (url) => ({
    ...base,
    name: 'lightstreamer',
    confirmation: 'topic',
    target: () => ({ url, subprotocols: ['TLCP-2.4.0.lightstreamer.com'] }),
    session: () => {
      const items: string[] = [''];
      const rows = new Map<string, string[]>();
      const form = (fields: object) => new URLSearchParams(fields as Record<string, string>).toString();
      const line = (text: string, out: SessionOut): void => {
        const [kind = '', ...args] = text.split(',');
        const item = items[Number(args[0])] ?? '';
        switch (kind) {
          case 'WSOK':
            out.send(`create_session\r\n${form({ LS_adapter_set: 'DEFAULT', LS_cid: 'x', LS_user: 'u' })}`);
            return;
          case 'CONOK':
            out.heartbeat({ kind: 'server', silentMs: 2 * Number(args[2]) });
            out.ready();
            return;
          case 'CONERR':
            out.failed('auth', args.slice(1).join());
            return;
          case 'PROBE':
            out.alive(false);
            return;
          case 'LOOP':
            out.leaving(0);
            return;
          case 'SUBOK':
            out.confirmed([item], true);
            return;
          case 'UNSUB':
            out.confirmed([item], false);
            return;
          case 'REQERR':
            out.refused({ requestId: null, symbols: [item], reason: args.slice(2).join(), kind: 'unknown' });
            return;
          case 'U': {
            const values = (args[2] ?? '').split('|');
            const before = rows.get(item) ?? [];
            const now = values.map((value, at) => (value === '' ? (before[at] ?? '') : value));
            rows.set(item, now);
            out.tick(item, now);
          }
        }
      };
      const control = (op: string, symbols: readonly string[]) => [
        `control\r\n${symbols
          .map((symbol) => {
            const id = items.includes(symbol) ? items.indexOf(symbol) : items.push(symbol) - 1;
            const what = { LS_mode: 'MERGE', LS_group: symbol, LS_schema: 'BID OFFER' };
            return form({ LS_reqId: id, LS_op: op, LS_subId: id, ...(op === 'add' ? what : {}) });
          })
          .join('\r\n')}`,
      ];
      return {
        opened: (out) => out.send('wsok'),
        subscribe: (topics) => control('add', symbolsOf(topics)),
        unsubscribe: (topics) => control('delete', symbolsOf(topics)),
        received(data, out) {
          for (const text of String(data).split('\r\n')) line(text, out);
        },
      };
    },
  }),
  script: {
    options: { handleProtocols: (offered) => [...offered][0] ?? false },
    received(socket, data) {
      const [request, ...forms] = String(data).split('\r\n');
      if (request === 'wsok') socket.send('WSOK\r\n');
      else if (request === 'create_session') socket.send('CONOK,S1,50000,5000,*\r\nSERVNAME,x\r\n');
      else {
        const lines = forms.flatMap((text) => {
          const { LS_op, LS_subId, LS_group } = Object.fromEntries(new URLSearchParams(text));
          if (LS_group === 'L1:NOPE') return [`REQERR,${LS_subId},21,Invalid group`];
          return LS_op === 'add'
            ? [`REQOK,${LS_subId}`, `SUBOK,${LS_subId},1,2`]
            : [`REQOK,${LS_subId}`, `UNSUB,${LS_subId}`];
        });
        socket.send([...lines, 'U,1,1,5|6', 'PROBE', ''].join('\r\n'));
      }
    },
  },
};

/** Little-endian packets, several in a message; the server says with a packet why it ends. */
const dhan: OtherVenue = {
  symbols: ['1333', '11536'],
  byData: true,
  first: { last: 1650.5 },
  venue: (url) => ({
    ...base,
    name: 'dhan',
    confirmation: 'data',
    target: () => ({ url: `${url}?version=2&token=t&clientId=c&authType=2` }),
    session: () => {
      const say = (RequestCode: number) => (topics: readonly { readonly symbol: string }[]) => [
        json({
          ...{ RequestCode, InstrumentCount: topics.length },
          InstrumentList: symbolsOf(topics).map((SecurityId) => ({ ExchangeSegment: 'NSE_EQ', SecurityId })),
        }),
      ];
      return {
        subscribe: say(15),
        unsubscribe: say(16),
        received(data, out) {
          const bytes = Buffer.from(data as Uint8Array);
          for (let at = 0; at < bytes.length; at += bytes.readUInt16LE(at + 1)) {
            const code = bytes.readUInt8(at);
            const symbol = String(bytes.readInt32LE(at + 4));
            if (code === 2) out.tick(symbol, { last: bytes.readFloatLE(at + 8) });
            else if (code === 50) {
              const reason = bytes.readUInt16LE(at + 8);
              out.failed(reason === 805 ? 'quota' : 'auth', `disconnected: ${reason}`);
            } else out.alive(false);
          }
        },
      };
    },
  }),
  script: {
    upgrade: ({ url = '' }) => (url.includes('token=t') ? null : { status: 401 }),
    received(socket, data) {
      const ticks = (read(data).InstrumentList as { SecurityId: string }[]).map(({ SecurityId }) => {
        const packet = Buffer.alloc(16);
        packet.writeUInt8(2, 0);
        packet.writeUInt16LE(16, 1);
        packet.writeUInt8(1, 3);
        packet.writeInt32LE(Number(SecurityId), 4);
        packet.writeFloatLE(1650.5, 8);
        return packet;
      });
      const heartbeat = Buffer.alloc(8);
      heartbeat.writeUInt16LE(8, 1);
      if (read(data).RequestCode === 15) socket.send(Buffer.concat([heartbeat, ...ticks]));
    },
  },
};

/** A binary login; names of topics come once for each socket, and ticks are numbers that only it explains. */
const fyers: OtherVenue = {
  symbols: ['sf|nse_cm|2885', 'sf|nse_cm|22'],
  byData: true,
  first: [500, 7],
  venue: (url) => {
    const message = (kind: number, fields: readonly (readonly [number, Buffer])[]): Buffer => {
      const parts = fields.map(([id, bytes]) => {
        const head = Buffer.from([id, 0, 0]);
        head.writeUInt16BE(bytes.length, 1);
        return Buffer.concat([head, bytes]);
      });
      const body = Buffer.concat([Buffer.from([kind, fields.length]), ...parts]);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(body.length);
      return Buffer.concat([length, body]);
    };
    const named = (symbols: readonly string[]): Buffer => {
      const count = Buffer.alloc(2);
      count.writeUInt16BE(symbols.length);
      return Buffer.concat([
        count,
        ...symbols.map((name) => Buffer.concat([Buffer.from([name.length]), Buffer.from(name)])),
      ]);
    };
    return {
      ...base,
      name: 'fyers',
      confirmation: 'data',
      target: () => ({ url, headers: { Authorization: 'app:token' } }),
      session: () => {
        const topics = new Map<number, { readonly name: string; values: readonly number[] }>();
        const say = (kind: number) => (list: readonly { readonly symbol: string }[]) => [
          message(kind, [
            [1, named(symbolsOf(list))],
            [2, Buffer.from([11])],
          ]),
        ];
        return {
          opened: (out) =>
            out.send(
              message(1, [
                [1, Buffer.from('hsm')],
                [2, Buffer.from('P')],
                [3, Buffer.from([1])],
                [4, Buffer.from('poolctl')],
              ]),
            ),
          subscribe: say(4),
          unsubscribe: say(5),
          received(data, out) {
            const bytes = Buffer.from(data as Uint8Array);
            const kind = bytes.readUInt8(2);
            if (kind === 1) out.ready();
            if (kind !== 6) return;
            let at = 9;
            for (let left = bytes.readUInt16BE(7); left > 0; left--) {
              const isSnapshot = bytes.readUInt8(at) === 83;
              const id = bytes.readUInt16BE(at + 1);
              at += 3;
              let name = topics.get(id)?.name ?? '';
              if (isSnapshot) {
                const length = bytes.readUInt8(at);
                name = bytes.toString('latin1', at + 1, at + 1 + length);
                at += 1 + length;
              }
              const count = bytes.readUInt8(at);
              const before = topics.get(id)?.values ?? [];
              const values = Array.from({ length: count }, (_, field) => {
                const value = bytes.readInt32BE(at + 1 + 4 * field);
                return value === -2_147_483_648 ? (before[field] ?? 0) : value;
              });
              at += 1 + 4 * count;
              topics.set(id, { name, values });
              out.tick(name, values, { snapshot: isSnapshot });
            }
          },
        };
      },
    };
  },
  script: (() => {
    let ids = 0;
    const data = (entries: readonly Buffer[]): Buffer => {
      const head = Buffer.alloc(9);
      head.writeUInt8(6, 2);
      head.writeUInt16BE(entries.length, 7);
      return Buffer.concat([head, ...entries]);
    };
    const entry = (kind: number, id: number, name: string | null, values: readonly number[]): Buffer => {
      const head = Buffer.from([kind, 0, id, ...(name === null ? [] : [name.length])]);
      const numbers = Buffer.alloc(1 + 4 * values.length);
      numbers.writeUInt8(values.length);
      values.forEach((value, at) => void numbers.writeInt32BE(value, 1 + 4 * at));
      return Buffer.concat([head, ...(name === null ? [] : [Buffer.from(name)]), numbers]);
    };
    return {
      received(socket, frame) {
        if (typeof frame === 'string') return;
        const kind = frame.readUInt8(2);
        if (kind === 1) socket.send(Buffer.from([0, 3, 1, 0, 0]));
        if (kind !== 4) return;
        const names: string[] = [];
        for (let at = 9; names.length < frame.readUInt16BE(7); at += 1 + frame.readUInt8(at))
          names.push(frame.toString('latin1', at + 1, at + 1 + frame.readUInt8(at)));
        const given = names.map((name) => [++ids, name] as const);
        socket.send(data(given.map(([id, name]) => entry(83, id, name, [500, 7]))));
        // Of the second field nothing is new.
        socket.send(data(given.map(([id]) => entry(85, id, null, [501, -2_147_483_648]))));
      },
    } satisfies OtherVenue['script'];
  })(),
};

/** Subscriptions are made over HTTP; binary messages carry their reference, and those of the server begin with `_`. */
const saxo: OtherVenue = {
  symbols: ['21', '22'],
  first: { Ask: 5 },
  venue: (url) => {
    // In place of the HTTP call, which answers later.
    const posted = (uic: string): Promise<number> => new Promise((done) => setTimeout(done, 5, Number(uic)));
    return {
      ...base,
      name: 'saxo',
      confirmation: 'topic',
      heartbeat: { kind: 'server', silentMs: 60_000 },
      target: () => ({ url: `${url}?contextId=c1` }),
      session: () => {
        let out: SessionOut;
        const post = (symbols: readonly string[], subscribed: boolean): null => {
          for (const symbol of symbols) void posted(symbol).then(() => out.confirmed([symbol], subscribed));
          return null;
        };
        return {
          opened(given) {
            out = given;
            given.ready();
          },
          subscribe: (topics) => post(symbolsOf(topics), true),
          unsubscribe: (topics) => post(symbolsOf(topics), false),
          received(data) {
            const bytes = Buffer.from(data as Uint8Array);
            for (let at = 0; at < bytes.length; ) {
              const length = bytes.readUInt8(at + 10);
              const reference = bytes.toString('latin1', at + 11, at + 11 + length);
              const size = bytes.readUInt32LE(at + 12 + length);
              const payload = bytes.subarray(at + 16 + length, at + 16 + length + size);
              at += 16 + length + size;
              if (reference === '_heartbeat') out.alive(false);
              else if (reference === '_resetsubscriptions') out.hole(null, 'the server has reset them');
              else if (reference === '_disconnect') out.failed('auth', 'disconnected');
              else out.tick(reference, read(payload));
            }
          },
        };
      },
    };
  },
  script: {
    opened(socket) {
      const message = (reference: string, payload: object): Buffer => {
        const [name, body] = [Buffer.from(reference), Buffer.from(json(payload))];
        const head = Buffer.alloc(16 + name.length);
        head.writeUInt8(name.length, 10);
        name.copy(head, 11);
        head.writeUInt32LE(body.length, 12 + name.length);
        return Buffer.concat([head, body]);
      };
      const send = () => socket.send(Buffer.concat([message('_heartbeat', []), message('21', { Ask: 5 })]));
      // Until the symbol is subscribed nobody wants it.
      const timer = setInterval(send, 10);
      socket.on('close', () => clearInterval(timer));
    },
  },
};

export const BROKERS: Readonly<Record<string, OtherVenue>> = {
  ...{ tiingo, schwab, lightstreamer, dhan, fyers, saxo },
};
