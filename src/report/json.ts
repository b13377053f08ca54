/**
 * A result as it is: its `schema` number changes when a field is taken away or changes its meaning, not when one
 * is added. Times are in ms, rates per second, shares of 1; null is what was not measured. Digits beyond the
 * microsecond are cut off, since nothing was measured that finely.
 */
export function renderJson(result: object): string {
  const text = JSON.stringify(
    result,
    (_, value: unknown) => (typeof value === 'number' ? rounded(value) : value),
    2,
  );
  return `${flatPairs(text)}\n`;
}

/** A result in one line, for output that repeats. */
export function renderJsonLine(result: object): string {
  return `${JSON.stringify(result)}\n`;
}

function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toFixed(value < 1 ? 6 : 3));
}

/** The pairs of a histogram stand on one line each: there are hundreds of them. */
function flatPairs(text: string): string {
  return text.replace(/\[\s+(-?[\d.e+]+),\s+(-?[\d.e+]+)\s+\]/g, '[$1, $2]');
}
