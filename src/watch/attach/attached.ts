/**
 * The part of `poolctl attach` that is loaded into a running program: it watches the pools of the program, publishes
 * them, and takes everything back when poolctl ends. The build makes one CommonJS file of it, whose text is sent
 * through the inspector.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { unlinkSync } from 'node:fs';
import { close as closeInspector, url as inspectorUrl } from 'node:inspector';
import { connect, type Socket } from 'node:net';
import { systemClock } from '../../base/clock.js';
import { asError } from '../../base/promises.js';
import { watchEmitters } from '../emitters.js';
import { watchModules } from '../modules.js';
import { OpenedConnections } from '../opened.js';
import { thisProcess } from '../process.js';
import { processWatcher, WATCHER } from '../process-watcher.js';
import type { Published } from '../publish.js';
import { publishProcess } from '../publish-process.js';
import { STARTED } from '../started.js';
import { changed, mark, noteChanges } from '../undo.js';
import { Watcher } from '../watcher.js';
import { findPools } from './find-pools.js';
import type { AttachAnswer, AttachOrder, LeashNews } from './order.js';

/** So long poolctl may take to hold the leash. */
const LEASH_MS = 3000;
const OPENED = 'poolctl:pool:open';

/** Begins to watch. Resolves once the pools are published; the search for pools goes on. Never rejects. */
export async function attach(order: AttachOrder): Promise<AttachAnswer> {
  const shared = globalThis as { [WATCHER]?: Watcher };
  const attachment = new Attachment(order);
  if (STARTED in globalThis || shared[WATCHER] !== undefined) {
    // Ends with the leash: the inspector still owes poolctl this answer.
    const published = await shared[WATCHER]?.published?.catch(() => null);
    return { kind: 'watched', address: published?.address ?? null };
  }
  return attachment.begin().catch((error: unknown) => ({ kind: 'failed', why: asError(error).message }));
}

class Attachment {
  readonly #order: AttachOrder;
  readonly #leash: Socket;
  #undo: () => void = () => {};
  #watcher: Watcher | null = null;
  #published: Published | null = null;
  #isOver = false;

  constructor(order: AttachOrder) {
    this.#order = order;
    // Before anything else: if poolctl is gone already, it ends at once.
    this.#leash = connect({ path: order.leash });
    this.#leash.unref();
    const end = (): void => this.end();
    const late = systemClock.setTimer(end, LEASH_MS, { background: true });
    this.#leash.on('connect', () => late.cancel());
    // At its end, before it closes: poolctl waits for the close, and everything is taken back by then.
    this.#leash.on('end', end).on('error', end).on('close', end);
    this.#leash.on('data', () => this.#shutInspector());
  }

  async begin(): Promise<AttachAnswer> {
    const { name, leakAfterMs } = this.#order;
    const self = thisProcess();
    this.#undo = noteChanges();
    const watcher = new Watcher(systemClock, { isLate: true });
    this.#watcher = watcher;
    mark(globalThis, WATCHER, watcher);
    mark(globalThis, STARTED, true);
    watcher.defaults = { leakAfterMs };
    watchModules(watcher);
    watchEmitters(watcher);
    watcher.opened = new OpenedConnections();
    watcher.opened.watch();
    const met = (message: unknown): void => void watcher.add((message as { readonly pool: object }).pool);
    subscribe(OPENED, met);
    changed(globalThis, () => void unsubscribe(OPENED, met));
    const published = await publishProcess({ name, port: null });
    this.#published = published;
    if (this.#isOver) {
      published.close();
      throw new Error('poolctl has ended');
    }
    findPools({
      watcher: processWatcher(),
      roots: self.roots(),
      builtIn: self.builtIn(),
      isOver: () => this.#isOver,
    }).then(
      (found) => this.#tell({ found }),
      (error: unknown) => this.#tell({ searchFailed: asError(error).message }),
    );
    const { pid, thread } = self;
    return { kind: 'attached', address: published.address, pid, thread, app: self.app(name) };
  }

  /** Takes everything back. May be called at any time, and again. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const step of [
      () => this.#watcher?.close(),
      () => this.#published?.close(),
      () => this.#undo(),
      () => this.#leash.destroy(),
      () => unlinkSync(this.#order.leash),
    ]) {
      try {
        step();
      } catch {
        // The next step is as important. The file of the leash may be gone with poolctl.
      }
    }
    this.#closeInspector();
  }

  #shutInspector(): void {
    this.#closeInspector();
    this.#tell({ inspector: 'closed' });
  }

  #closeInspector(): void {
    if (!this.#order.closeInspector) return;
    try {
      if (inspectorUrl() !== undefined) closeInspector();
    } catch {
      // It is closed.
    }
  }

  #tell(news: LeashNews): void {
    if (!this.#leash.destroyed) this.#leash.write(`${JSON.stringify(news)}\n`);
  }
}
