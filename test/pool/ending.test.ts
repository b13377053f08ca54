import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dist, start } from '../helpers/bin.js';

const program = join(import.meta.dirname, 'ending.mjs');

/** All its time-outs are minutes away: a process that one of them keeps alive does not end within the test. */
describe('a process that has nothing more to do', () => {
  it.each([
    ['nothing lent', 'idle 2'],
    ['a lease out', 'lease 1'],
    ['waiters served', 'lease 3'],
  ])('is not kept alive by a pool with %s', async (way, printed) => {
    const { code, stdout, stderr } = await start(program, [dist, way]).finished;
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${printed}\n`, stderr: '' });
  });

  it('is kept alive by an acquire that waits, until that has its answer', async () => {
    const { code, stdout } = await start(program, [dist, 'somebody waiting']).finished;
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'ERR_POOL_TIMEOUT\n' });
  });
});
