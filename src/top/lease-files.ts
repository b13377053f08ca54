import { LeaseEncoder } from '../leases/encoder.js';
import { Meta } from '../leases/format.js';
import type { AppReading } from '../snapshot/reading.js';
import type { LeaseSink } from '../sources/lease-sink.js';
import { BlockFile } from '../watch/record/block-file.js';
import type { RecordedSource } from './sized-pools.js';

export interface LeaseFilesOptions {
  /** The file of the first application that records; the others append the number of their process and a counter. */
  readonly path: string;
  /** A file that has this size takes no more. */
  readonly limitBytes: number;
}

const WHY = {
  busy: 'it records its leases already, as under poolctl run --record-leases',
  full: 'it had to drop leases, which nobody took in time',
  unsupported: 'its version of poolctl cannot be asked for its leases',
} as const;

/** Says that the recording was stopped. Its time does not count: a recording lasts until its latest record. */
function endBlock(): Buffer {
  const encoder = new LeaseEncoder(() => {});
  encoder.meta(Meta.End, 0, 'stopped');
  return encoder.take() ?? Buffer.alloc(0);
}

/** Writes the leases that applications record for `poolctl top` into a file for each recording. */
export class LeaseFiles implements LeaseSink {
  readonly #options: LeaseFilesOptions;
  /** By recording; null where it has ended, or could not be written. */
  readonly #files = new Map<string, BlockFile | null>();
  readonly #paths: string[] = [];
  readonly #sources: RecordedSource[] = [];
  readonly #problems: string[] = [];

  constructor(options: LeaseFilesOptions) {
    this.#options = options;
  }

  /** Files with leases in them. */
  get paths(): readonly string[] {
    return this.#paths;
  }

  /** The same files, each with the source that it came from. Later ones of a source come later. */
  get sources(): readonly RecordedSource[] {
    return this.#sources;
  }

  /** Recordings that have ended early, or did not begin. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  blocks(recording: string, app: AppReading, blocks: Buffer): void {
    const file =
      this.#files.get(recording) ?? (this.#files.has(recording) ? null : this.#open(recording, app));
    if (file === null || file.append(blocks)) return;
    this.#end(recording, file, `${file.path} has reached its limit`);
  }

  ended(recording: string, why: keyof typeof WHY): void {
    const file = this.#files.get(recording);
    if (file !== undefined) this.#end(recording, file, WHY[why]);
    else if (!this.#problems.includes(`${recording}: ${WHY[why]}`)) this.#end(recording, null, WHY[why]);
  }

  /** Writes what is left, and the end: the applications may have had no chance to send it. */
  close(): void {
    for (const file of this.#files.values()) {
      file?.append(endBlock());
      file?.close();
    }
  }

  #open(recording: string, app: AppReading): BlockFile | null {
    const { path, limitBytes } = this.#options;
    const own = this.#paths.length === 0 ? path : `${path}.${app.pid ?? 'app'}-${this.#paths.length}`;
    try {
      const file = new BlockFile(own, limitBytes, (error) =>
        this.#end(recording, null, error?.message ?? 'it cannot be written'),
      );
      this.#files.set(recording, file);
      this.#paths.push(own);
      // A later connection to a source has its number behind the name.
      this.#sources.push({ source: recording.replace(/ #\d+$/, ''), path: own });
      return file;
    } catch (error) {
      this.#end(recording, null, (error as Error).message);
      return null;
    }
  }

  #end(recording: string, file: BlockFile | null, why: string): void {
    if (this.#files.get(recording) === null) return;
    file?.close();
    this.#files.set(recording, null);
    this.#problems.push(`${recording}: ${why}`);
  }
}
