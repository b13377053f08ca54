interface Place {
  readonly unicode: boolean;
}

/** Eighths of a cell, from the left. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/** Eighths of a cell, from below. */
const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_LEVELS = ['_', '.', '-', '=', '+', '*', '%', '#'];

/** A gauge of `cells` columns, filled by `share` (0 to 1), with its empty part drawn: `████▌░░░`, or `[###...]`. */
export function drawBar(share: number, cells: number, { unicode }: Place): string {
  const inner = unicode ? cells : Math.max(0, cells - 2);
  const filled = Math.round(clamp(share) * inner);
  if (!unicode) return `[${'#'.repeat(filled)}${'.'.repeat(inner - filled)}]`;
  return '█'.repeat(filled) + '░'.repeat(inner - filled);
}

/** The bar of a bar chart, without its empty part; whatever is more than nothing gets a mark. */
export function drawLength(share: number, cells: number, { unicode }: Place): string {
  const length = clamp(share) * cells;
  if (length === 0) return '';
  if (!unicode) return '#'.repeat(Math.max(1, Math.round(length)));
  const eighths = Math.max(1, Math.round(length * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

/** A course of values in one line, one column each, from 0 to the largest; null (not measured) is a gap. */
export function drawSparkline(values: readonly (number | null)[], { unicode }: Place): string {
  const levels = unicode ? LEVELS : ASCII_LEVELS;
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  return values
    .map((value) => {
      if (value === null) return ' ';
      const level = most === 0 ? 0 : Math.round(clamp(value / most) * (levels.length - 1));
      return levels[level];
    })
    .join('');
}

function clamp(share: number): number {
  return Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
}
