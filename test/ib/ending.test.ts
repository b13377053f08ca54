import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startGateway } from '../../src/lab/ib-gateway/index.js';
import { dist, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';

const program = join(import.meta.dirname, 'ending.mjs');

/** What of a pool keeps a process alive would do so for longer than the test has. */
describe('a process that has nothing more to do', () => {
  it.each([
    ['shared, refused', 'ERR_IB_VERSION'],
    ['worker, refused', 'ERR_IB_VERSION'],
    ['shared, closed under load', 'ERR_IB_CLOSED,ERR_IB_CLOSED'],
    ['worker, closed under load', 'ERR_IB_CLOSED,ERR_IB_CLOSED'],
  ])('is not kept alive by an IB pool: %s', async (way, printed) => {
    await using gateway = await startGateway();
    await gateway.inject(
      way.endsWith('refused') ? { kind: 'server-version', version: 226 } : { kind: 'mute' },
    );
    const { code, stdout, stderr } = await start(program, [dist, String(gateway.port), way]).finished;
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${printed}\n`, stderr: '' });
    await eventually(() => gateway.counts().connections.open === 0);
  });
});
