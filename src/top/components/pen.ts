import { createContext, useContext } from 'react';
import { type Colors, colorsOf } from '../spans.js';
import type { ScreenDrawing } from '../store.js';

/** How to draw, and the width of every line. */
export interface Pen extends ScreenDrawing {
  readonly width: number;
  readonly colors: Colors;
}

export function penOf(drawing: ScreenDrawing, width: number): Pen {
  return { ...drawing, width, colors: colorsOf(drawing) };
}

export const PenContext = createContext<Pen>(penOf({ color: false, unicode: false, cwd: '' }, 80));

export function usePen(): Pen {
  return useContext(PenContext);
}
