import { expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import { bin, start } from '../helpers/bin.js';
import { testIo } from '../helpers/io.js';

const small = ['--max-symbols-per-websocket', '100', '--symbols', '250', '--batch-rate', '20/s'];

it('breaks a feed in a process of its own, and ends by itself', async () => {
  const { code, stdout, stderr } = await start(bin, [
    'ws',
    'stress',
    ...small,
    '--fault',
    'drop',
    '-f',
    'json',
  ]).finished;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ schema: 1, kind: 'ws-stress', symbols: 250, passed: true, partial: false });
  expect(result.rounds).toMatchObject([{ name: 'subscribe' }, { name: 'drop', lost: 3, gaps: 3 }]);
});

it('says what it did, for people', async () => {
  const { code, stdout } = await start(bin, ['ws', 'stress', ...small, '--fault', 'reject']).finished;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^250 symbols on at most 3 connections of 100/);
  expect(stdout).toMatch(/PASSED: \d+ of \d+ checks held/);
  expect(stdout).toContain('5 symbols refused');
});

it('exits 1 where a check fails', async () => {
  const slow = [
    '--batch-rate',
    '1/s',
    '--symbols',
    '1000',
    '--max-websocket-connections',
    '1',
    '--settle-timeout',
    '1s',
  ];
  const { code, stdout } = await start(bin, ['ws', 'stress', ...slow, '--fault', 'reject']).finished;
  expect(code).toBe(1);
  expect(stdout).toContain('FAILED:');
});

it('takes the limits from the environment, and refuses what does not fit', async () => {
  const io = testIo({ env: { MAX_SYMBOLS_PER_WEBSOCKET: '50', MAX_WEBSOCKET_CONNECTIONS: '2' } });
  const code = await runMain({ commands, version: () => '0' }, ['ws', 'stress', '--symbols', '3000'], io);
  expect(code).toBe(2);
  expect(io.err()).toContain('--symbols 3000 do not fit on 2 connections of 50');
});
