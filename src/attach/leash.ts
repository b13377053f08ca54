import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { posix } from 'node:path';
import { onAbort } from '../base/abort.js';
import { ignore } from '../base/promises.js';
import type { LeashNews } from '../watch/attach/order.js';
import { ensureSocketFolder, type SocketOwner } from '../watch/directory.js';

/**
 * The connection between poolctl and the watch that it has loaded into a program. The system ends it when poolctl ends,
 * however that happens, and the watch takes everything back.
 */
export interface Leash {
  readonly path: string;
  /** Resolves when the program has taken it. */
  readonly held: Promise<void>;
  /** Resolves when the program has let go: it has taken everything back, or has ended. */
  readonly over: Promise<void>;
  /** Has the program close its inspector. Resolves when it has, or when it is gone. */
  closeInspector(): Promise<void>;
  /** Resolves with the first news of that kind; null where the leash ends before. */
  news<Key extends string>(key: Key): Promise<Extract<LeashNews, Record<Key, unknown>> | null>;
  /** Lets go, and resolves when the program has taken everything back. */
  close(): Promise<void>;
}

/** A program that does not take everything back in this time is busy; it will, as soon as it has its turn. */
const LET_GO_MS = 5000;
const MOST_LENGTH = 100_000;

/** Listens in the folder of the user's sockets. Throws what is wrong with that folder. */
export async function openLeash(owner: SocketOwner, pid: number, abort: AbortSignal): Promise<Leash> {
  const folder = await ensureSocketFolder(owner);
  const path = posix.join(folder, `leash-${pid}-${randomBytes(6).toString('hex')}.sock`);
  const server = createServer();
  let socket: Socket | null = null;
  const heard: LeashNews[] = [];
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  let [hold, end] = [(): void => {}, (): void => {}];
  const held = new Promise<void>((done) => {
    hold = done;
  });
  const over = new Promise<void>((done) => {
    end = done;
  });
  let isOver = false;
  server.on('connection', (one) => {
    one.on('error', ignore);
    if (socket !== null) return void one.destroy();
    socket = one;
    let text = '';
    one.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const told = newsIn(line);
        if (told !== null) heard.push(told);
      }
      if (text.length > MOST_LENGTH || heard.length > MOST_NEWS) one.destroy();
      tell();
    });
    one.on('close', () => {
      isOver = true;
      end();
      tell();
    });
    hold();
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(path, () => {
      server.off('error', fail).on('error', ignore);
      done();
    });
  });
  const news: Leash['news'] = (key) =>
    new Promise((done) => {
      const look = (): void => {
        const found = heard.find((one) => key in one);
        if (found === undefined && !isOver) return;
        listeners.delete(look);
        done((found ?? null) as never);
      };
      listeners.add(look);
      look();
    });
  const close = async (): Promise<void> => {
    server.close();
    // Half of it: the program ends the other half once it has taken everything back.
    socket?.end();
    const late = setTimeout(() => socket?.destroy(), LET_GO_MS);
    if (socket !== null) await over;
    clearTimeout(late);
    await unlink(path).catch(ignore);
  };
  onAbort(abort, () => void close());
  return {
    ...{ path, held, over, news, close },
    async closeInspector() {
      socket?.write('close the inspector\n');
      await news('inspector');
    },
  };
}

const MOST_NEWS = 100;

/** null for what the watch does not send. */
function newsIn(line: string): LeashNews | null {
  try {
    const told: unknown = JSON.parse(line);
    return typeof told === 'object' && told !== null ? (told as LeashNews) : null;
  } catch {
    return null;
  }
}
