// Plain JavaScript with its types in comments, because Node 20 cannot start a worker thread from TypeScript and the
// tests run from src. This is all that touches @stoqey/ib: on a worker thread, or in the caller's.
//
// The library's faults that are got round here were measured with 1.6.10, which is why its version is pinned. Where
// its insides are not as expected, only the remedy is missing.

/**
 * @typedef {object} Target
 * @property {string} host
 * @property {number} port
 * @property {number} clientId
 */

/**
 * Takes the events of a connection: the library's by their names, `error` with the text instead of an Error, and our
 * own: `tcp` (the port answered) and `broken` (text; `notGateway` if it never was one).
 * @typedef {(event: string, args: readonly unknown[]) => void} Hear
 */

/**
 * @typedef {object} Api one connection attempt, and the connection that comes of it
 * @property {(method: string, args: readonly unknown[]) => void} call
 * @property {() => void} close
 * @property {Promise<void>} closed resolves when its socket is gone
 */

/**
 * @typedef {object} Insides what we know of the library's private parts
 * @property {{
 *   rateLimiter?: (tokens: unknown[]) => void,
 *   emitEvent?: (event: string, ...args: unknown[]) => void,
 *   onMessage?: (tokens: string[]) => void,
 *   processIngressQueue?: () => void,
 *   resume?: () => void,
 *   decoder?: { dataQueue: unknown, enqueueMessage(tokens: string[]): void },
 *   socket?: {
 *     client?: {
 *       once(event: string, listener: () => void): void, setNoDelay(): void, write(bytes: Buffer): void,
 *       end(done: () => void): void,
 *     },
 *     neverReceived?: boolean,
 *     onServerVersion?: (tokens: string[]) => void,
 *     send(tokens: unknown[]): void, onData(data: Buffer): void,
 *   },
 * }} [controller]
 */

/**
 * @typedef {Insides & {
 *   connect(): void, disconnect(): void, removeAllListeners(): void,
 *   on(event: 'all', listener: (event: string, args: unknown[]) => void): void,
 * }} Library
 */

/** @typedef {new (options: Target & { maxReqPerSec: number }) => Library} LibraryClass */

/** The client's own limit, which it never checks in time. */
const LONGEST_FRAME = 0xffffff;
/** How long the last messages of a connection may take to leave. */
const LAST_WORDS_MS = 200;
/** The most fields of a message: shift() on a much longer array is slow. */
const MANY_FIELDS = 10_000;
const COMPLETED_ORDER = '101';
/** Behind the id, the 11 fields of the contract, and the 19 from `action` to `faPercentage`. */
const FA_PROFILE = 31;
const FA_PROFILE_GONE = 177;
const ERROR_MESSAGE = '4';
const ADVANCED_REJECT = 5;
/** Copies of what was sent and received, for tracing. */
const TRACES = new Set(['received', 'sent', 'result', 'all']);

/**
 * Loads the library; an error has the code ERR_IB_PACKAGE where it is not installed.
 * @returns {Promise<LibraryClass>}
 */
export async function loadLibrary() {
  try {
    const { IBApi } = await import('@stoqey/ib');
    return /** @type {LibraryClass} */ (/** @type {unknown} */ (IBApi));
  } catch (cause) {
    throw Object.assign(new Error("the package '@stoqey/ib' cannot be loaded", { cause }), {
      code: 'ERR_IB_PACKAGE',
    });
  }
}

/**
 * Begins to connect. A fresh instance for each attempt: one that reconnects sends what was queued before the drop right
 * after START_API, before the gateway is ready, and keeps a decoder that may be out of step.
 * @param {LibraryClass} IBApi
 * @param {Target} target
 * @param {Hear} hear nothing is heard after `close`
 * @returns {Api}
 */
export function openApi(IBApi, target, hear) {
  // All given, since the library would look for what is missing in the environment and in a .env file. Its limiter is
  // per connection, lets 51 go at 45/s, and cannot be switched off.
  const api = new IBApi({ ...target, maxReqPerSec: 1e9 });
  let isOver = false;
  let flush = () => false;
  const close = () => {
    if (isOver) return;
    const { client } = api.controller?.socket ?? {};
    const hasSent = flush();
    isOver = true;
    // It destroys the socket at once, and what was written last may be lost: cancellations, say.
    if (!hasSent || client === undefined) api.disconnect();
    else {
      const timer = setTimeout(() => api.disconnect(), LAST_WORDS_MS);
      client.end(() => {
        clearTimeout(timer);
        api.disconnect();
      });
    }
  };
  const say = (/** @type {string} */ event, /** @type {readonly unknown[]} */ args) => {
    if (!isOver) hear(event, args);
  };
  const broken = (/** @type {string} */ text, /** @type {boolean} */ notGateway) => {
    say('broken', [text, notGateway]);
    if (!isOver) close();
  };
  const tell = (/** @type {string} */ event, /** @type {unknown[]} */ args) => {
    if (event === 'error') say(event, [/** @type {Error} */ (args[0]).message, ...args.slice(1)]);
    else say(event, args);
  };
  mendEvents(api, tell);
  flush = mend(api, broken, () => isOver);
  api.connect();
  const client = api.controller?.socket?.client;
  client?.once('connect', () => say('tcp', []));
  // Requests are small and somebody waits for the answer.
  client?.setNoDelay();
  /** @type {Promise<void>} */
  const closed = new Promise((resolve) => {
    if (client === undefined) resolve();
    else client.once('close', () => resolve());
  });
  return {
    call(method, args) {
      /** @type {Record<string, (...args: readonly unknown[]) => unknown>} */ (/** @type {unknown} */ (api))[
        method
      ]?.(...args);
    },
    close,
    closed,
  };
}

/**
 * Has all events told. The library emits each three times, with its arguments spread and copied, and all that is sent
 * and received as well.
 * @param {Library} api
 * @param {(event: string, args: unknown[]) => void} tell
 */
function mendEvents(api, tell) {
  const { controller } = api;
  if (typeof controller?.emitEvent !== 'function' || typeof controller.resume !== 'function') {
    api.on('all', (event, args) => {
      if (!TRACES.has(event)) tell(event, args);
    });
    return;
  }
  controller.emitEvent = (event, ...args) => {
    if (!TRACES.has(event)) tell(event, args);
    // It holds back all messages until then.
    if (event === 'nextValidId') controller.resume?.();
  };
}

/**
 * @param {Library} api
 * @param {(text: string, notGateway: boolean) => void} broken
 * @param {() => boolean} isOver
 * @returns {() => boolean} sends what waits to be sent; whether there was any
 */
function mend({ controller }, broken, isOver) {
  const { socket, decoder } = controller ?? {};
  let flushNow = () => false;
  if (controller === undefined || socket === undefined) return flushNow;
  if (typeof controller.rateLimiter === 'function') {
    // However high its rate, the limiter sets a timer of 100 ms for each message; and each is then copied five times, byte
    // by byte. What is sent by those whose answers came together leaves together: a system call for each message costs
    // more than all the rest.
    /** @type {Buffer[]} */
    let frames = [];
    const flush = () => {
      if (frames.length === 0) return false;
      const bytes = frames.length === 1 ? /** @type {Buffer} */ (frames[0]) : Buffer.concat(frames);
      frames = [];
      if (!isOver()) socket.client?.write(bytes);
      return true;
    };
    flushNow = flush;
    controller.rateLimiter = (tokens) => {
      if (frames.length === 0) queueMicrotask(flush);
      frames.push(encode(tokens));
    };
  }
  const { onServerVersion } = socket;
  if (typeof onServerVersion === 'function' && typeof controller.processIngressQueue === 'function') {
    // It waits for ever for the end of a frame that is too long, and one of length -4 is read again and again, in a
    // loop that never ends. A long message it copies anew for each piece that comes. What stands behind the last NUL
    // of a message it puts in front of the next, which then cannot be read. What it throws while decoding would be
    // an uncaughtException.
    let version = 0;
    const take = (/** @type {string} */ text) => {
      const tokens = text.split('\0');
      tokens.pop();
      if (socket.neverReceived) {
        socket.neverReceived = false;
        version = Number(tokens[0]);
        onServerVersion.call(socket, tokens);
      } else {
        controller.onMessage?.(mendMessage(tokens, version));
        controller.processIngressQueue?.();
      }
      return !isOver();
    };
    const reader = new FrameReader();
    socket.onData = (data) => {
      if (isOver()) return;
      try {
        const fault = reader.read(data, take);
        if (fault !== null) broken(fault, reader.whole === 0);
      } catch (error) {
        broken(`a message cannot be decoded: ${error}`, false);
      }
    };
  }
  if (decoder !== undefined && Array.isArray(decoder.dataQueue)) {
    // It takes a message apart by shift() on an array, which above some 40,000 fields moves all the others each
    // time: 50,000 bars stand in the way of everything else for 95 seconds.
    const enqueue = decoder.enqueueMessage.bind(decoder);
    decoder.enqueueMessage = (tokens) => {
      if (/** @type {ArrayLike<unknown>} */ (decoder.dataQueue).length > 0) enqueue(tokens);
      // A short message is taken apart faster as it is.
      else
        decoder.dataQueue =
          tokens.length < MANY_FIELDS ? [undefined, ...tokens, undefined] : new Fields(tokens);
    };
  }
  return flushNow;
}

/**
 * Messages that the library cannot read: a completed order has the field `faProfile` below version 177, which it takes for
 * the next one; and an advanced reject that is no JSON would end the connection.
 * @param {string[]} tokens
 * @param {number} version
 */
function mendMessage(tokens, version) {
  if (tokens[0] === COMPLETED_ORDER && version < FA_PROFILE_GONE) tokens.splice(FA_PROFILE, 1);
  const reject = tokens[0] === ERROR_MESSAGE ? tokens[ADVANCED_REJECT] : undefined;
  if (reject !== undefined && reject !== '' && !isJson(reject))
    tokens[ADVANCED_REJECT] = JSON.stringify(reject);
  return tokens;
}

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * One message as it is sent: each field, also of lists within it, is ended by a NUL.
 * @param {readonly unknown[]} tokens
 */
function encode(tokens) {
  const text = fieldsText(tokens);
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(4 + length);
  frame.writeInt32BE(length, 0);
  frame.write(text, 4);
  return frame;
}

/** @param {readonly unknown[]} tokens */
function fieldsText(tokens) {
  let text = '';
  for (const token of tokens) {
    if (Array.isArray(token)) text += fieldsText(token);
    else if (typeof token === 'boolean') text += token ? '1\0' : '0\0';
    else text += `${token ?? ''}\0`;
  }
  return text;
}

/** The fields of one message between its two boundaries, taken from the front: as much of an array as the decoder uses. */
class Fields {
  /** @type {readonly (string | undefined)[]} */
  #fields;
  #at = 0;

  /** @param {string[]} tokens */
  constructor(tokens) {
    this.#fields = [undefined, ...tokens, undefined];
  }

  get length() {
    return this.#fields.length - this.#at;
  }

  get 0() {
    return this.#fields[this.#at];
  }

  shift() {
    return this.#fields[this.#at++];
  }

  toJSON() {
    return this.#fields.slice(this.#at);
  }
}

/** Takes a stream apart into its frames, each of which is joined once, when it is whole. */
class FrameReader {
  /** Frames so far. */
  whole = 0;
  /** @type {Buffer[]} */
  #pieces = [];
  #heldBytes = 0;
  /** With fewer than that there is nothing to look at. */
  #neededBytes = 4;

  /**
   * Hands on each frame that is whole, until `take` says that it was enough. Gives what is wrong with the stream; null
   * while it is sound.
   * @param {Buffer} data
   * @param {(text: string) => boolean} take
   */
  read(data, take) {
    let bytes = data;
    if (this.#heldBytes > 0) {
      this.#pieces.push(data);
      this.#heldBytes += data.length;
      if (this.#heldBytes < this.#neededBytes) return null;
      bytes = Buffer.concat(this.#pieces);
    }
    let at = 0;
    for (;;) {
      this.#neededBytes = 4;
      if (bytes.length - at < 4) break;
      const length = bytes.readInt32BE(at);
      if (length < 0 || length > LONGEST_FRAME) return this.#fault(length, bytes.subarray(at));
      this.#neededBytes = 4 + length;
      if (bytes.length - at < this.#neededBytes) break;
      const text = bytes.toString('utf8', at + 4, at + 4 + length);
      at += 4 + length;
      this.whole++;
      if (!take(text)) return null;
    }
    this.#heldBytes = bytes.length - at;
    if (this.#heldBytes > 0) this.#pieces = [bytes.subarray(at)];
    else if (bytes !== data) this.#pieces = [];
    return null;
  }

  /**
   * @param {number} length
   * @param {Buffer} bytes
   */
  #fault(length, bytes) {
    if (this.whole > 0) return `a frame of ${length} bytes`;
    const said = bytes.toString('latin1').split(/[\r\n]/, 1)[0] ?? '';
    return `it says '${said.replace(/[^ -~]/g, '?').slice(0, 60)}'`;
  }
}
