import type { Palette } from '../color.js';

/** What a section of the report needs to be drawn. */
export interface Sheet {
  readonly paint: Palette;
  readonly width: number;
  readonly unicode: boolean;
}

/** Below this width there is room for what matters most only. */
export const NARROW = 80;
