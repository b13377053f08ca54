import { describe, expect, it } from 'vitest';
import { createProgress, progressLine } from '../../src/cli/progress.js';
import { colorWanted, unicodeWanted } from '../../src/cli/terminal.js';
import { testIo } from '../helpers/io.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

const half = { label: 'drawing', share: 0.5, note: '5/10' };

describe('the progress bar', () => {
  it('is drawn on a terminal only, and not when it is not wanted', () => {
    for (const [isTty, wanted] of [
      [false, true],
      [true, false],
    ] as const) {
      const io = testIo({ isTty });
      const progress = createProgress(io.stderr, new VirtualClock(), wanted);
      progress.update(half);
      progress.clear();
      expect(io.err()).toBe('');
    }
  });

  it('is redrawn in place, at most ten times a second, and leaves nothing behind', async () => {
    const io = testIo({ isTty: true });
    const clock = new VirtualClock();
    const progress = createProgress(io.stderr, clock, true);
    for (let i = 0; i < 100; i++) {
      progress.update({ label: 'drawing', share: i / 100, note: '' });
      await clock.advance(10);
    }
    progress.clear();
    progress.clear();
    const frames = io.err().split('\r\u001b[K');
    expect(frames).toHaveLength(12);
    expect(frames.at(-1)).toBe('');
    expect(frames[1]).toBe('drawing ░░░░░░░░░░░░░░░░░░░░░░░░   0 %');
  });

  it.each([
    [80, true, 'drawing ████████████░░░░░░░░░░░░  50 % 5/10'],
    [80, false, 'drawing [###########...........]  50 % 5/10'],
    [30, true, 'drawing  50 % 5/10'],
    [12, true, 'drawing  5…'],
    [12, false, 'drawing ...'],
  ])('in %d columns, Unicode %s: %s', (columns, unicode, line) => {
    expect(progressLine(half, { columns, unicode })).toBe(line);
  });

  it('has no bar where the end is not known', () => {
    expect(progressLine({ ...half, share: null }, { columns: 80, unicode: true })).toBe('drawing 5/10');
  });
});

describe('colour', () => {
  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ TERM: 'dumb' }, true, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
  ])('with %j on a terminal (%s): %s', (env, isTty, wanted) => {
    expect(colorWanted(env, isTty)).toBe(wanted);
  });
});

describe('Unicode', () => {
  it.each([
    [{ LANG: 'de_DE.UTF-8' }, 'linux', true],
    [{ LANG: 'C.utf8' }, 'linux', true],
    [{ LANG: 'C' }, 'linux', false],
    [{ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, 'linux', false],
    [{ LANG: 'en_US.UTF-8', LC_ALL: '' }, 'linux', true],
    [{}, 'linux', false],
    [{}, 'darwin', true],
    [{}, 'win32', true],
  ])('with %j on %s: %s', (env, platform, wanted) => {
    expect(unicodeWanted(env, platform)).toBe(wanted);
  });
});
