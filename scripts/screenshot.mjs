// `node scripts/screenshot.mjs`: writes docs/images/top.svg, the picture in the README, after `npm run build`.
//
// Runs `poolctl top --demo` in a pseudo-terminal, opens the holders, and draws that screen as SVG.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { spawn } from '@lydell/node-pty';

const root = join(import.meta.dirname, '..');
const target = join(root, 'docs/images/top.svg');
const COLUMNS = 104;
const ROWS = 22;
/** Pixels of a character cell. The glyphs of a 14 px monospace font are 8.4 px wide. */
const CELL = { width: 8.4, height: 18 };
const MARGIN = 14;
const BACKGROUND = '#15181d';
const FOREGROUND = '#d5d9e0';
/** The 16 colors of a terminal, by their number. */
const PALETTE = [
  ...['#2b303b', '#ff6b6b', '#7bd88f', '#f5c451', '#6cb2ff', '#d59cff', '#5fd7d7', '#d5d9e0'],
  ...['#8a919e', '#ff8585', '#98e6a8', '#ffd877', '#8cc5ff', '#e3bbff', '#85e8e8', '#ffffff'],
];

/** @typedef {{ text: string, color: string | null, background: string | null, bold: boolean, dim: boolean, inverse: boolean }} Cell */

const screen = await capture(['top', '--demo'], '2', /^Holders .* rows/);
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, drawing(screen));

/**
 * The screen of a command as cells: a key is pressed at its first reading, and a line must match.
 * @param {readonly string[]} argv
 * @param {string} key
 * @param {RegExp} pattern
 * @returns {Promise<Cell[][]>}
 */
function capture(argv, key, pattern) {
  return new Promise((resolve, reject) => {
    const pty = spawn(process.execPath, [join(root, 'dist/bin/poolctl.js'), ...argv], {
      name: 'xterm-256color',
      cols: COLUMNS,
      rows: ROWS,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', COLORTERM: 'truecolor' },
    });
    let output = '';
    let isDone = false;
    let isPressed = false;
    pty.onData((text) => {
      output += text;
      if (isDone) return;
      const lines = cellsOf(output);
      const shows = (/** @type {RegExp} */ one) => lines.some((line) => one.test(textOf(line)));
      if (!isPressed && shows(/exhausted/)) {
        isPressed = true;
        pty.write(key);
      }
      if (!shows(pattern) || !shows(/exhausted/)) return;
      isDone = true;
      pty.write('q');
      resolve(lines);
    });
    pty.onExit(({ exitCode }) => {
      if (!isDone) reject(new Error(`ended with ${exitCode} before it showed ${pattern}`));
    });
  });
}

/**
 * What a terminal shows after this output, as far as its commands are those that `top` uses.
 * @param {string} output
 */
function cellsOf(output) {
  /** @type {Cell[][]} */
  let lines = [];
  let row = 0;
  let pen = plain();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for are escape sequences
  for (const [token] of output.matchAll(/\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[^\x1b]+/g)) {
    const position = /\[(\d+);(\d+)H$/.exec(token);
    if (position !== null) {
      row = Number(position[1]) - 1;
      lines[row] = [];
    } else if (token.endsWith('[2J')) lines = [];
    else if (token.endsWith('m') && token.startsWith('\x1b[')) pen = styled(pen, token.slice(2, -1));
    else if (!token.startsWith('\x1b')) {
      const line = lines[row] ?? [];
      lines[row] = line;
      for (const text of token) if (text >= ' ') line.push({ ...pen, text });
    }
  }
  return Array.from({ length: ROWS }, (_, at) => lines[at] ?? []);
}

/** @returns {Cell} */
function plain() {
  return { text: ' ', color: null, background: null, bold: false, dim: false, inverse: false };
}

/**
 * @param {Cell} pen
 * @param {string} sequence the numbers of an SGR sequence
 * @returns {Cell}
 */
function styled(pen, sequence) {
  const codes = sequence === '' ? [0] : sequence.split(';').map(Number);
  let next = { ...pen };
  while (codes.length > 0) {
    const code = codes.shift() ?? 0;
    if (code === 0) next = plain();
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 22) Object.assign(next, { bold: false, dim: false });
    else if (code === 7) next.inverse = true;
    else if (code === 27) next.inverse = false;
    else if (code >= 30 && code <= 37) next.color = PALETTE[code - 30] ?? null;
    else if (code >= 90 && code <= 97) next.color = PALETTE[code - 82] ?? null;
    else if (code === 39) next.color = null;
    else if (code >= 40 && code <= 47) next.background = PALETTE[code - 40] ?? null;
    else if (code >= 100 && code <= 107) next.background = PALETTE[code - 92] ?? null;
    else if (code === 49) next.background = null;
    else if (code === 38 || code === 48) {
      const color = extendedColor(codes);
      if (code === 38) next.color = color;
      else next.background = color;
    }
  }
  return next;
}

/** @param {number[]} codes what follows 38 or 48, from which it takes its own */
function extendedColor(codes) {
  if (codes.shift() === 2) return `rgb(${codes.splice(0, 3).join(' ')})`;
  const index = codes.shift() ?? 0;
  if (index < 16) return PALETTE[index] ?? null;
  if (index >= 232)
    return `rgb(${Array(3)
      .fill(8 + (index - 232) * 10)
      .join(' ')})`;
  const level = (/** @type {number} */ part) => (part === 0 ? 0 : 55 + part * 40);
  const at = index - 16;
  return `rgb(${level(Math.floor(at / 36))} ${level(Math.floor(at / 6) % 6)} ${level(at % 6)})`;
}

/** @param {readonly Cell[]} line */
function textOf(line) {
  return line.map(({ text }) => text).join('');
}

/** @param {readonly (readonly Cell[])[]} lines */
function drawing(lines) {
  const width = COLUMNS * CELL.width + 2 * MARGIN;
  const height = lines.length * CELL.height + 2 * MARGIN;
  const body = lines.flatMap((line, row) => runsOf(line).flatMap((run) => runShapes(run, row)));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width.toFixed(0)}" height="${height}" viewBox="0 0 ${width.toFixed(0)} ${height}" role="img" aria-label="The live screen of poolctl top">
<style>text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; }</style>
<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>
${body.join('\n')}
</svg>
`;
}

/**
 * Cells side by side that look the same.
 * @param {readonly Cell[]} line
 */
function runsOf(line) {
  /** @type {{ at: number, cell: Cell, text: string }[]} */
  const runs = [];
  line.forEach((cell, at) => {
    const last = runs.at(-1);
    const looks = JSON.stringify({ ...cell, text: '' });
    if (last !== undefined && JSON.stringify({ ...last.cell, text: '' }) === looks) last.text += cell.text;
    else runs.push({ at, cell, text: cell.text });
  });
  return runs;
}

/**
 * @param {{ at: number, cell: Cell, text: string }} run
 * @param {number} row
 */
function runShapes({ at, cell, text }, row) {
  const x = (MARGIN + at * CELL.width).toFixed(1);
  const y = MARGIN + row * CELL.height;
  const width = (text.length * CELL.width).toFixed(1);
  const [ink, paper] = cell.inverse
    ? [cell.background ?? BACKGROUND, cell.color ?? FOREGROUND]
    : [cell.color ?? FOREGROUND, cell.background];
  const shapes =
    paper === null
      ? []
      : [`<rect x="${x}" y="${y}" width="${width}" height="${CELL.height}" fill="${paper}"/>`];
  if (text.trim() === '') return shapes;
  const weight = cell.bold ? ' font-weight="700"' : '';
  const opacity = cell.dim ? ' opacity="0.65"' : '';
  return [
    ...shapes,
    `<text x="${x}" y="${y + 14}" textLength="${width}" lengthAdjust="spacingAndGlyphs" fill="${ink}"${weight}${opacity}>${escaped(text)}</text>`,
  ];
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
