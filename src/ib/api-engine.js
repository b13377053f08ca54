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
 * What the connection says: the library's events by their names, `error` with the text instead of an Error, and of
 * our own `tcp` (the port answered) and `broken` (text; `notGateway` if it never was one).
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
 *   decoder?: { dataQueue: unknown, enqueueMessage(tokens: string[]): void },
 *   socket?: {
 *     client?: {
 *       once(event: string, listener: () => void): void, setNoDelay(): void, cork(): void, uncork(): void,
 *     },
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
  const close = () => {
    isOver = true;
    api.disconnect();
  };
  const say = (/** @type {string} */ event, /** @type {readonly unknown[]} */ args) => {
    if (!isOver) hear(event, args);
  };
  const broken = (/** @type {string} */ text, /** @type {boolean} */ notGateway) => {
    say('broken', [text, notGateway]);
    if (!isOver) close();
  };
  api.on('all', (event, args) => {
    if (TRACES.has(event)) return;
    if (event === 'error') say(event, [/** @type {Error} */ (args[0]).message, ...args.slice(1)]);
    else say(event, args);
  });
  mend(api, broken, () => isOver);
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
 * @param {Library} api
 * @param {(text: string, notGateway: boolean) => void} broken
 * @param {() => boolean} isOver
 */
function mend({ controller }, broken, isOver) {
  const { socket, decoder } = controller ?? {};
  if (controller === undefined || socket === undefined) return;
  if (typeof controller.rateLimiter === 'function') {
    // However high its rate, the limiter sets a timer of 100 ms for each message. What is sent by those whose answers came
    // together leaves together: a system call for each message costs more than all the rest.
    let isCorked = false;
    controller.rateLimiter = (tokens) => {
      const { client } = socket;
      if (!isCorked && client !== undefined) {
        isCorked = true;
        client.cork();
        queueMicrotask(() => {
          isCorked = false;
          client.uncork();
        });
      }
      socket.send(tokens);
    };
  }
  if (typeof socket.onData === 'function') {
    // It waits for ever for the end of a frame that is too long, and one of length -4 is read again and again, in a
    // loop that never ends. What it throws while decoding would be an uncaughtException.
    const onData = socket.onData.bind(socket);
    const frames = new FrameWatch();
    socket.onData = (data) => {
      if (isOver()) return;
      const fault = frames.fault(data);
      if (fault !== null) broken(fault, frames.whole === 0);
      else {
        try {
          onData(data);
        } catch (error) {
          broken(`a message cannot be decoded: ${error}`, false);
        }
      }
    };
  }
  if (decoder !== undefined && Array.isArray(decoder.dataQueue)) {
    // It takes a message apart by shift() on an array, which above some 40,000 fields moves all the others each
    // time: 50,000 bars stand in the way of everything else for 95 seconds.
    const enqueue = decoder.enqueueMessage.bind(decoder);
    decoder.enqueueMessage = (tokens) => {
      if (/** @type {ArrayLike<unknown>} */ (decoder.dataQueue).length > 0) enqueue(tokens);
      else decoder.dataQueue = new Fields(tokens);
    };
  }
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

/** Follows the frames of a stream without keeping them. */
class FrameWatch {
  whole = 0;
  #header = Buffer.alloc(4);
  #headerBytes = 0;
  #left = 0;

  /**
   * What is wrong with the frames so far; null while they are sound.
   * @param {Buffer} data
   */
  fault(data) {
    for (let at = 0; at < data.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, data.length - at);
        at += taken;
        this.#left -= taken;
        if (this.#left === 0) this.whole++;
        continue;
      }
      const taken = data.copy(this.#header, this.#headerBytes, at, at + 4 - this.#headerBytes);
      this.#headerBytes += taken;
      at += taken;
      if (this.#headerBytes < 4) return null;
      this.#headerBytes = 0;
      const length = this.#header.readInt32BE();
      if (length < 0 || length > LONGEST_FRAME) {
        if (this.whole > 0) return `a frame of ${length} bytes`;
        const text = Buffer.concat([this.#header, data.subarray(at)]).toString('latin1');
        return `it says '${text
          .split(/[\r\n]/, 1)[0]
          ?.replace(/[^ -~]/g, '?')
          .slice(0, 60)}'`;
      }
      this.#left = length;
    }
    return null;
  }
}
