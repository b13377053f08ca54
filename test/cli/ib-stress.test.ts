import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import { type Gateway, type GatewayOptions, startGateway } from '../../src/lab/ib-gateway/index.js';
import { liveGateway } from '../../src/lab/ib-stress/gateways.js';
import { SCENARIO_NAMES } from '../../src/lab/ib-stress/names.js';
import { runIbStress } from '../../src/lab/ib-stress/stress.js';
import { bin, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { testIo } from '../helpers/io.js';
import { OPTIONS } from '../lab/ib-stress/runs.js';

async function run(...argv: string[]) {
  const io = testIo({ env: { IBKR_PORT: '1', IBKR_CLIENT_ID: '40' } });
  const code = await runMain({ commands, version: () => '0' }, ['ib', 'stress', ...argv], io);
  return { code, out: io.out(), err: io.err() };
}

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function gatewayWith(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway(options);
  endings.push(() => gateway.close());
  return gateway;
}

describe('poolctl ib stress', () => {
  it('lists its scenarios, and runs nothing', async () => {
    const { code, out } = await run('--list');
    expect(code).toBe(0);
    expect(out.split('\n').flatMap((line) => /^\S+/.exec(line) ?? [])).toEqual([...SCENARIO_NAMES]);
    const json = JSON.parse((await run('--list', '-f', 'json')).out);
    expect(json).toMatchObject({ schema: 1, kind: 'ib-stress-scenarios' });
    expect(json.scenarios).toHaveLength(31);
  });

  it.each([
    [['--scenario', 'half-opne'], 'did you mean half-open'],
    [['--test', 'serial'], 'sequential, parallel, stress, all'],
    [['--workers', '33'], '--workers'],
    [['--port', '7497', '--scenario', 'half-open'], 'half-open: a real gateway cannot be broken on purpose'],
    [['--port', '7497', '--negative-controls'], 'must not be let loose on a real gateway'],
    [['--port', '7497', '--jobs', '2'], 'one run at a time'],
    [['--negative-controls', '--test', 'parallel'], 'not of --test parallel'],
    [['--host', '192.0.2.1'], 'give --allow-remote'],
  ])('refuses %j', async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.toLowerCase()).toContain(message.toLowerCase());
  });

  it('says where no gateway is', async () => {
    const gateway = await startGateway();
    const { port } = gateway;
    await gateway.close();
    const { code, err } = await run('--port', String(port), '--test', 'sequential');
    expect(code).toBe(3);
    expect(err).toContain('ERR_IB_CONNECT');
  });

  it('only reads from a gateway that is there, within what it takes', async () => {
    const gateway = await gatewayWith();
    const what = ['--test', 'stress', '--topology', 'shared', '--scenario', 'connect-storm'];
    const argv = ['--port', String(gateway.port), ...what, '--workers', '3', '--requests', '4', '-f', 'json'];
    const { code, out, err } = await run(...argv);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const result = JSON.parse(out);
    expect(result).toMatchObject({
      gateway: `127.0.0.1:${gateway.port}`,
      passed: true,
      partial: false,
      runs: [
        { name: 'stress', outcome: 'passed' },
        { name: 'connect-storm', outcome: 'passed' },
      ],
    });
    expect(result.runs[0].comparisons).toBeNull();
    const { orders, faults, errors, messages, clients, connections } = gateway.counts();
    expect({ orders: orders.placed, faults, pacing: errors[100] ?? 0 }).toEqual({
      orders: 0,
      faults: {},
      pacing: 0,
    });
    expect(messages.mostPerSecond).toBeLessThanOrEqual(50);
    expect(Math.min(...Object.keys(clients.readyById).map(Number))).toBe(40);
    expect(connections.mostOpen).toBeLessThanOrEqual(32);
  });

  it('skips what a real gateway cannot be made to do', async () => {
    const { runs, passed } = await runIbStress(liveGateway('127.0.0.1', 1), {
      ...OPTIONS,
      scenarios: ['half-open', 'shutdown'],
    });
    expect(runs.map(({ outcome, why }) => [outcome, why])).toEqual(
      Array(2).fill(['skipped', 'it needs faults, orders or counts that a real gateway has not']),
    );
    expect(passed).toBe(true);
  });

  it('wants to be told that an account is meant that is no paper account', async () => {
    const gateway = await gatewayWith({ accounts: ['DU1', 'U7654321'] });
    const argv = ['--port', String(gateway.port), '--test', 'parallel', '--topology', 'shared'];
    const refused = await run(...argv);
    expect({ code: refused.code, out: refused.out }).toEqual({ code: 2, out: '' });
    expect(refused.err).toContain('has U7654321, which is no paper account');
    expect(gateway.counts().messages.receivedByType).toEqual({ startApi: 1 });
    const allowed = await run(...argv, '--requests', '1', '--i-know-this-is-live');
    expect(allowed.code).toBe(0);
  });

  it('breaks gateways in a process of its own, compares, and ends by itself', async () => {
    const argv = ['--scenario', 'client-cap', '--scenario', 'shutdown', '--baseline', 'unpooled'];
    const { code, stdout, stderr } = await start(bin, ['ib', 'stress', ...argv, '-f', 'json']).finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout);
    expect(result.runs).toMatchObject([
      { name: 'client-cap', outcome: 'passed' },
      { name: 'shutdown', outcome: 'passed' },
    ]);
    expect(result.baseline).toMatchObject({ calls: 100, unpooled: { count: 100 }, pooled: { count: 100 } });
  });

  it.each([
    ['with its limiter off fails message-pacing', 'message-pacing', 'has its limiter off'],
    [
      'whose ids are not unique fails id-collision',
      'id-collision',
      'gives every connection the same client id',
    ],
  ])('finds out that a pool %s', async (_, scenario, broken) => {
    const argv = ['ib', 'stress', '--scenario', scenario, '--negative-controls'];
    const { code, stdout } = await start(bin, argv).finished;
    expect(code).toBe(0);
    expect(stdout).toContain('PASSED: 1 of 1 broken pools were found out');
    expect(stdout).toContain(`found ${scenario}: a pool that ${broken}`);
  });

  it('is ended by Ctrl-C under load, with what there is, and leaves nothing behind', async () => {
    const argv = ['--test', 'stress', '--topology', 'worker', '--requests', '500', '-f', 'json', '-v'];
    const { child, seen, finished } = start(bin, ['ib', 'stress', ...argv]);
    await seen('run 1 of 1');
    const children = childrenOf(child.pid ?? 0);
    child.kill('SIGINT');
    const { code, stdout } = await finished;
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ partial: true, passed: false, runs: [] });
    await eventually(() => children.every((pid) => !existsSync(`/proc/${pid}`)));
  });
});

/** The processes that it has started; none where the system does not tell. */
function childrenOf(pid: number): string[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean) : [];
}
