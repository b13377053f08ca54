import { Socket } from 'node:net';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { systemClock } from '../../base/clock.js';
import { type Control, startControl } from '../ib-gateway/control.js';
import { fasterClock } from '../ib-gateway/fast-clock.js';
import { type Gateway, startGateway } from '../ib-gateway/gateway.js';
import type { GatewaysOrder } from './spawn-gateways.js';

// Gateways in a process of their own, see spawnGateways. Orders come and replies go in lines of JSON over the pipe at
// the file descriptor 4. The process ends when the pipe does, however its parent ended.
const HOST = '127.0.0.1';
const pipe = new Socket({ fd: 4, readable: true, writable: true });
const tell = (value: unknown) => void pipe.write(`${JSON.stringify(value)}\n`);
const open = new Map<number, Open>();
/** The interval at which the loop's delay is sampled, in milliseconds. Each measured delay contains it. */
const LAG_RESOLUTION_MS = 20;

interface Open {
  readonly gateway: Gateway;
  readonly control: Control;
  readonly lag: IntervalHistogram;
}

createInterface({ input: pipe })
  .on('error', () => {})
  .on('line', async (line) => {
    const order = JSON.parse(line) as GatewaysOrder;
    try {
      tell({ id: order.id, ...(await carryOut(order)) });
    } catch (error) {
      tell({ id: order.id, error: error instanceof Error ? error.message : String(error) });
    }
  });
pipe.on('error', () => {});
pipe.on('close', async () => {
  for (const id of [...open.keys()]) await stop({ gateway: id });
});

function carryOut(order: GatewaysOrder): Promise<object> {
  switch (order.kind) {
    case 'start':
      return start(order);
    case 'stalled':
      return stalled(order);
    case 'stop':
      return stop(order);
  }
}

async function stalled({ gateway: id }: { readonly gateway: number }) {
  const { max = 0 } = open.get(id)?.lag ?? {};
  return { stalledMs: Math.max(0, max / 1e6 - LAG_RESOLUTION_MS) };
}

async function start({ id, wish: { speed = 1, ...options } }: Extract<GatewaysOrder, { kind: 'start' }>) {
  const gateway = await startGateway({ ...options, host: HOST, clock: fasterClock(systemClock, speed) });
  const control = await startControl(gateway, { host: HOST, port: 0 });
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  open.set(id, { gateway, control, lag });
  return { host: HOST, port: gateway.port, controlPort: control.port, controlToken: control.token };
}

async function stop({ gateway: id }: { readonly gateway: number }) {
  const one = open.get(id);
  open.delete(id);
  one?.lag.disable();
  await one?.control.close();
  await one?.gateway.close();
  return {};
}
