import { closeSync, openSync, write, writeSync } from 'node:fs';
import { MAGIC } from '../../leases/format.js';

/**
 * Appends blocks to a new file, without waiting for the disk. Throws where the file exists or cannot be made. A failed
 * write, or a file at its limit, ends it: `ended` is called once, and further blocks are dropped.
 */
export class BlockFile {
  readonly path: string;
  readonly #fd: number;
  readonly #limitBytes: number;
  readonly #ended: (error: Error | null) => void;
  /** The place in the file of the first block in `#waiting`. */
  #position = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #isOver = false;

  constructor(path: string, limitBytes: number, ended: (error: Error | null) => void) {
    this.path = path;
    this.#limitBytes = limitBytes;
    this.#ended = ended;
    this.#fd = openSync(path, 'wx', 0o600);
    this.append(Buffer.from(MAGIC));
  }

  /** Whether the block fits; the one that does not is not written. */
  append(block: Buffer): boolean {
    if (this.#isOver) return false;
    if (this.#position + this.#waitingBytes + block.length > this.#limitBytes) return false;
    this.#waiting.push(block);
    this.#waitingBytes += block.length;
    this.#writeNext();
    return true;
  }

  /** Writes what is left at once, and closes. A block whose write is under way is written again at its place. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      for (const block of this.#waiting) {
        writeSync(this.#fd, block, 0, block.length, this.#position);
        this.#position += block.length;
      }
      this.#waiting = [];
      if (!this.#isWriting) closeSync(this.#fd);
    } catch {
      // The disk is full, say. What was written is whole up to its last block.
    }
  }

  #writeNext(): void {
    const [block] = this.#waiting;
    if (block === undefined || this.#isWriting) return;
    this.#isWriting = true;
    write(this.#fd, block, 0, block.length, this.#position, (error, written) => {
      this.#isWriting = false;
      if (this.#isOver) {
        closeQuietly(this.#fd);
        return;
      }
      if (error) this.#fail(error);
      else {
        this.#position += written;
        this.#waitingBytes -= written;
        if (written === block.length) this.#waiting.shift();
        else this.#waiting[0] = block.subarray(written);
        this.#writeNext();
      }
    });
  }

  #fail(error: Error): void {
    this.#isOver = true;
    this.#waiting = [];
    closeQuietly(this.#fd);
    this.#ended(error);
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Nobody can do anything about it.
  }
}
