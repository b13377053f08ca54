import { type Palette, palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';

/** The inputs of a section of the report. */
export interface Sheet {
  readonly paint: Palette;
  readonly width: number;
  readonly unicode: boolean;
}

/** Below this width there is room for what matters most only. */
export const NARROW = 80;

/** Lines are hard to read when they are longer, however wide the window. */
const WIDEST = 100;

export function sheetFor(options: RenderOptions): Sheet {
  return {
    paint: palette(options),
    width: Math.min(options.width, WIDEST),
    unicode: options.unicode,
  };
}

/** Sections one below the other; those that have nothing to say are left out. */
export function pageOf(sections: readonly (readonly string[])[]): string {
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}
