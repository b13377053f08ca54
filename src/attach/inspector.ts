import { get } from 'node:http';
import { WebSocket } from 'ws';
import { asError } from '../base/promises.js';
import { AttachError } from './errors.js';

/** A session with the inspector of a process. */
export interface InspectorSession {
  /** Runs an expression in its main thread, and gives the value, which is plain data. Waits for a promise. */
  run<T>(expression: string): Promise<T>;
  /** Hangs up, and resolves when the inspector has noticed. */
  close(): Promise<void>;
}

export interface InspectorAddress {
  readonly host: string;
  readonly port: number;
}

/** Time for one answer. A process that stands at a breakpoint, or in a native call, gives none. */
const ANSWER_MS = 5000;
const MOST_LENGTH = 1_000_000;

/** Connects. Throws an AttachError where nobody answers as Node's inspector does. */
export async function openInspectorSession(address: InspectorAddress): Promise<InspectorSession> {
  const url = await targetUrl(address);
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: MOST_LENGTH,
    handshakeTimeout: ANSWER_MS,
  });
  const waiting = new Map<number, (answer: Answer | null) => void>();
  const closed = new Promise<void>((done) => socket.on('close', () => done()));
  socket.on('error', () => {});
  socket.on('message', (text) => {
    const answer = JSON.parse(String(text)) as Answer & { readonly id?: number };
    const done = answer.id === undefined ? undefined : waiting.get(answer.id);
    if (answer.id !== undefined) waiting.delete(answer.id);
    done?.(answer);
  });
  await new Promise<void>((done, fail) => {
    socket.once('open', () => done());
    socket.once('error', (cause) => fail(unanswered(address, cause)));
  });
  void closed.then(() => {
    for (const done of waiting.values()) done(null);
  });
  let last = 0;
  const call = (method: string, params: object): Promise<Answer['result']> =>
    new Promise((done, fail) => {
      const id = ++last;
      const late = setTimeout(() => {
        waiting.delete(id);
        fail(unanswered(address, null));
      }, ANSWER_MS);
      waiting.set(id, (answer) => {
        clearTimeout(late);
        if (answer === null) fail(new AttachError('ERR_ATTACH_FAILED', 'the inspector has hung up'));
        else if (answer.error !== undefined)
          fail(
            new AttachError('ERR_ATTACH_FAILED', `the inspector refuses ${method}: ${answer.error.message}`),
          );
        else done(answer.result);
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
  return {
    async run<T>(expression: string) {
      const params = { includeCommandLineAPI: true, awaitPromise: true, returnByValue: true, silent: true };
      const outcome = await call('Runtime.evaluate', { expression, ...params });
      if (outcome?.exceptionDetails !== undefined) throw thrown(outcome);
      return outcome?.result?.value as T;
    },
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return;
      socket.close();
      const late = setTimeout(() => socket.terminate(), 1000);
      await closed;
      clearTimeout(late);
    },
  };
}

interface Answer {
  readonly result?: {
    readonly result?: { readonly value?: unknown };
    readonly exceptionDetails?: {
      readonly text?: string;
      readonly exception?: { readonly description?: string };
    };
  };
  readonly error?: { readonly message: string };
}

function thrown(outcome: Answer['result']): AttachError {
  const { text, exception } = outcome?.exceptionDetails ?? {};
  const why = exception?.description?.split('\n')[0] ?? text ?? 'no answer';
  return new AttachError('ERR_ATTACH_FAILED', `the watch does not run in the process: ${why}`);
}

/** Node tells the address of its one session, with a random path, to everybody who asks. */
async function targetUrl(address: InspectorAddress): Promise<string> {
  let list: unknown;
  try {
    list = JSON.parse(await textAt(address, '/json/list'));
  } catch (cause) {
    throw unanswered(address, asError(cause));
  }
  const target = Array.isArray(list)
    ? (list[0] as { readonly webSocketDebuggerUrl?: unknown } | undefined)
    : undefined;
  const url = target?.webSocketDebuggerUrl;
  const path = typeof url === 'string' ? /^ws:\/\/[^/]+(\/[\w-]+)$/.exec(url)?.[1] : undefined;
  if (path === undefined) throw unanswered(address, null);
  return `ws://${placeOf(address)}${path}`;
}

function textAt({ host, port }: InspectorAddress, path: string): Promise<string> {
  return new Promise((done, fail) => {
    const request = get({ host, port, path, timeout: ANSWER_MS, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length > MOST_LENGTH) request.destroy(new Error('it does not stop sending'));
      });
      response.on('end', () => done(text));
      response.on('error', fail);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', fail);
  });
}

function placeOf({ host, port }: InspectorAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function unanswered(address: InspectorAddress, cause: Error | null): AttachError {
  return new AttachError('ERR_ATTACH_DEBUGGED', `the inspector at ${placeOf(address)} does not answer`, {
    ...(cause === null ? {} : { cause }),
    hint: 'the process may be held at a breakpoint, or stuck in a long call',
  });
}
