import { type BrotliCompress, brotliDecompressSync, constants, createBrotliCompress } from 'node:zlib';
import type { Tick } from '../snapshot/reading.js';
import { AgeKeeper } from './recorded-ages.js';

/**
 * The compressed form of a recording: `MAGIC`, then frames. A frame is the length of its data (4 bytes), the time of its
 * reading (8 bytes, milliseconds since the epoch), whether it begins a block (1 byte), and its data. The data of one
 * block are one stream of Brotli, so that a reading costs only what has changed since the one before. Blocks stand
 * alone: a reader skips to any of them by the lengths alone. What was cut off ends the last block, and no more.
 */
const MAGIC = Buffer.from('poolctl-top-1\n', 'latin1');
const HEAD = 13;
/** Readings of a block: a reader decodes at most so many that it does not want. */
const BLOCK = 60;
/** Larger than two readings of a thousand backends. */
const WINDOW_BITS = 22;
const QUALITY = 5;

/** Packs lines into frames, one after the other. */
export class RecordingPacker {
  #stream: BrotliCompress | null = null;
  readonly #ages = new AgeKeeper();
  #chunks: Buffer[] = [];
  #count = 0;

  static readonly head: Buffer = MAGIC;

  /** The frame of one tick. To be awaited before the next. */
  async pack(tick: Tick): Promise<Buffer> {
    const line = `${JSON.stringify(this.#ages.withTimes(tick))}\n`;
    const isFirst = this.#stream === null || this.#count >= BLOCK;
    const stream = isFirst ? this.#begin() : (this.#stream ?? this.#begin());
    this.#count++;
    const data = await new Promise<Buffer>((resolve, reject) => {
      stream.once('error', reject);
      stream.write(line);
      stream.flush(constants.BROTLI_OPERATION_FLUSH, () => {
        stream.off('error', reject);
        resolve(Buffer.concat(this.#chunks.splice(0)));
      });
    });
    const head = Buffer.alloc(HEAD);
    head.writeUInt32LE(data.length, 0);
    head.writeDoubleLE(tick.atMs, 4);
    head.writeUInt8(isFirst ? 1 : 0, 12);
    return Buffer.concat([head, data]);
  }

  #begin(): BrotliCompress {
    this.#stream?.destroy();
    const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN } = constants;
    const params = { [BROTLI_PARAM_QUALITY]: QUALITY, [BROTLI_PARAM_LGWIN]: WINDOW_BITS };
    const stream = createBrotliCompress({ params });
    stream.on('data', (chunk: Buffer) => void this.#chunks.push(chunk));
    this.#stream = stream;
    this.#count = 0;
    return stream;
  }
}

/** A block of a recording, decoded when it is asked for. */
export interface Block {
  /** The time of its first reading. */
  readonly atMs: number;
  lines(): readonly string[];
}

export interface Blocks {
  readonly blocks: readonly Block[];
  /** Whether the file ends within a frame. */
  readonly isCut: boolean;
}

/** null where the file is no compressed recording. */
export function blocksIn(file: Buffer): Blocks | null {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const found: { readonly atMs: number; readonly parts: Buffer[] }[] = [];
  let at = MAGIC.length;
  while (at + HEAD <= file.length) {
    const end = at + HEAD + file.readUInt32LE(at);
    if (end > file.length) break;
    const part = file.subarray(at + HEAD, end);
    if (file.readUInt8(at + 12) === 1) found.push({ atMs: file.readDoubleLE(at + 4), parts: [part] });
    else found.at(-1)?.parts.push(part);
    at = end;
  }
  const blocks = found.map(({ atMs, parts }): Block => ({ atMs, lines: () => linesOf(parts) }));
  return { blocks, isCut: at < file.length };
}

/** No lines where the data are damaged. */
function linesOf(parts: readonly Buffer[]): readonly string[] {
  try {
    const options = { finishFlush: constants.BROTLI_OPERATION_FLUSH, maxOutputLength: MOST_BYTES };
    return brotliDecompressSync(Buffer.concat(parts), options)
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

/** A block that grows beyond this in memory is no recording of poolctl. */
const MOST_BYTES = 500_000_000;
