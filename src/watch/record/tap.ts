import type { Clock } from '../../base/clock.js';
import type { RecordedProcess } from '../../leases/format.js';
import type { LeaseTap, TappedBlocks } from '../protocol.js';
import type { Watcher } from '../watcher.js';
import { LeaseRecorder } from './recorder.js';

/** A reader that takes nothing for so many bytes loses its recording. */
const MOST_WAITING = 16 << 20;

/** Records the leases of a process for one reader, who takes them with each answer. */
export class RecordingTap implements LeaseTap {
  readonly #watcher: Watcher;
  readonly #recorder: LeaseRecorder | null;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #isFull = false;

  /** Begins at once, unless the leases are recorded already. */
  constructor(watcher: Watcher, clock: Clock, about: RecordedProcess) {
    this.#watcher = watcher;
    this.#recorder = watcher.isRecording
      ? null
      : new LeaseRecorder(clock, about, (block) => this.#keep(block));
    if (this.#recorder !== null) watcher.record(this.#recorder);
  }

  take(): TappedBlocks {
    const blocks = Buffer.concat(this.#waiting).toString('base64');
    this.#waiting = [];
    this.#bytes = 0;
    return { blocks, ended: this.#recorder === null ? 'busy' : this.#isFull ? 'full' : null };
  }

  finish(): void {
    if (this.#recorder === null) return;
    this.#recorder.end('stopped');
    this.#watcher.stopRecording(this.#recorder);
  }

  end(): void {
    this.finish();
    this.#waiting = [];
  }

  #keep(block: Buffer): boolean {
    if (this.#bytes + block.length > MOST_WAITING) {
      this.#isFull = true;
      return false;
    }
    this.#waiting.push(block);
    this.#bytes += block.length;
    return true;
  }
}
