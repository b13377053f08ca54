// Takes the place of Ink's own Output in the bundle: see ink.mjs.
import Output from '../../node_modules/ink/build/output.js';

/**
 * What Ink asks an Output to do, and keeps in a private field.
 *
 * @typedef {{ type: 'clip' | 'unclip' } | {
 *   type: 'write', x: number, y: number, text: string,
 *   transformers: ((line: string, index: number) => string)[],
 * }} Operation
 */

/**
 * Ink composes a frame from one object a character: 8,000 objects a frame at 160 x 50, and most of the CPU time of the
 * screen. A row that is written once, from its first column on, needs no composition: its text is the row. Frames with
 * any other row are left to Ink.
 */
export default class LineOutput extends Output {
  /** @override */
  get() {
    const { operations } = /** @type {{ operations: Operation[] }} */ (/** @type {unknown} */ (this));
    /** @type {Map<number, string>} */
    const rows = new Map();
    for (const operation of operations) {
      if (operation.type !== 'write' || operation.x !== 0 || rows.has(operation.y)) return super.get();
      const { y, text, transformers } = operation;
      const row = transformers.reduce((before, transform) => transform(before, 0), text);
      if (row.includes('\n')) return super.get();
      rows.set(y, row.trimEnd());
    }
    // Ink drops rows below the frame, too.
    const lines = Array.from({ length: this.height }, (_, y) => rows.get(y) ?? '');
    return { output: lines.join('\n'), height: this.height };
  }
}
