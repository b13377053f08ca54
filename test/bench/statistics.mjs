/**
 * The middle value; of an even number, the mean of the two in the middle.
 * @param {readonly number[]} values at least one
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? Number.NaN)) / 2;
}

/**
 * @param {readonly number[]} values
 * @param {(value: number) => string} format
 */
export function medianAndRange(values, format) {
  if (values.length === 0) return '-';
  return `${format(median(values))} (${format(Math.min(...values))} - ${format(Math.max(...values))})`;
}

/**
 * Lines of a table, the first column to the left and the others to the right.
 * @param {readonly (readonly string[])[]} rows the first is the heading
 */
export function table(rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (/** @type {readonly string[]} */ row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return rows.map(line).join('\n');
}
