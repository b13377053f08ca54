import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { connectControl } from '../../src/lab/ib-gateway/control-client.js';
import { bin, start } from '../helpers/bin.js';
import { historyRequest, RawClient } from '../lab/ib-gateway/raw-client.js';

/** The gateway as a process of its own, and where it listens. */
async function running(...argv: string[]) {
  const process = start(bin, ['ib', 'gateway', '--port=0', '--format=json', ...argv]);
  const { stdout } = process.child;
  if (stdout === null) throw new Error('no stdout');
  const [line] = await once(stdout, 'data');
  return {
    ...process,
    told: JSON.parse(String(line)) as { port: number; controlPort: number; controlToken: string },
  };
}

describe('poolctl ib gateway as a process', () => {
  it('ends by SIGINT with 0 and nothing left to say, whatever its clients are doing', async () => {
    const { child, told, finished } = await running('--message-limit=0', '--no-history-pacing');
    const client = await RawClient.ready({ port: told.port, clientId: 1 });
    // One that does not read, one in the middle of a message, one that is half open, one that has said nothing.
    client.socket.pause();
    for (let id = 1; id <= 100; id++)
      client.say(...historyRequest(id, 'AAPL', { duration: '20000 S', barSize: '1 secs' }));
    const half = await RawClient.ready({ port: told.port, clientId: 2 });
    half.socket.write(Buffer.from([0, 0, 1]));
    const frozen = await RawClient.ready({ port: told.port, clientId: 3 });
    const silent = await RawClient.connect({ port: told.port });
    const control = await connectControl({
      host: '127.0.0.1',
      port: told.controlPort,
      token: told.controlToken,
    });
    await control.inject({ kind: 'half-open', clientIds: [3] });
    await control.inject({ kind: 'refuse' });
    child.kill('SIGINT');
    expect(await finished).toMatchObject({ code: 0, signal: null, stderr: '' });
    client.socket.resume();
    await Promise.all([client, half, frozen, silent].map(({ over }) => over));
  });

  it('lives on while a fault has it listen nowhere', async () => {
    const { child, told, finished } = await running();
    const control = await connectControl({
      host: '127.0.0.1',
      port: told.controlPort,
      token: told.controlToken,
    });
    await control.inject({ kind: 'refuse', forMs: 50 });
    for (;;) {
      const client = await RawClient.connect({ port: told.port }).catch(() => null);
      if (client !== null) break;
      await control.info();
    }
    child.kill('SIGINT');
    expect((await finished).code).toBe(0);
  });
});
