import { fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ignore } from '../../base/promises.js';
import { connectControl } from '../ib-gateway/control-client.js';
import { GatewayError } from '../ib-gateway/errors.js';
import type { Gateways, GatewayWish } from './gateways.js';

/** The orders to the process of the gateways. Each is answered under its id. */
export type GatewaysOrder =
  | { readonly id: number; readonly kind: 'start'; readonly wish: GatewayWish }
  | { readonly id: number; readonly kind: 'stalled' | 'stop'; readonly gateway: number };

interface Reply {
  readonly id: number;
  readonly host?: string;
  readonly port?: number;
  readonly controlPort?: number;
  readonly controlToken?: string;
  readonly stalledMs?: number;
  readonly error?: string;
}

interface Awaited {
  resolve(reply: Reply): void;
  reject(error: GatewayError): void;
}

/** Gateways in a process of their own, so that their work is not counted as ours. The first one starts it. */
export function spawnGateways(): Gateways {
  let started: Gateways | null = null;
  let isKilled = false;
  return {
    place: null,
    async start(wish) {
      if (isKilled) throw gone();
      started ??= startProcess();
      return started.start(wish);
    },
    kill() {
      isKilled = true;
      started?.kill();
    },
    async [Symbol.asyncDispose]() {
      await started?.[Symbol.asyncDispose]();
    },
  };
}

/** It ends when this process does. */
function startProcess(): Gateways {
  const child = fork(fileURLToPath(new URL('./gateways-process.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    // The flags of this process are not for it.
    execArgv: [],
    // Ctrl-C is for us: we still want to ask it what it has seen.
    detached: true,
  });
  const pipe = child.stdio[4] as Duplex;
  const awaited = new Map<number, Awaited>();
  let lastId = 0;
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    const ended = (): void => {
      isOver = true;
      pipe.destroy();
      for (const { reject } of awaited.values()) reject(gone());
      awaited.clear();
      resolve();
    };
    child.once('exit', ended).once('error', ended);
  });
  // The process reports its own end. The reader of lines would report a broken pipe once more.
  pipe.on('error', ignore);
  const lines = createInterface({ input: pipe }).on('error', ignore);
  lines.on('line', (line) => {
    const reply = JSON.parse(line) as Reply;
    const one = awaited.get(reply.id);
    awaited.delete(reply.id);
    if (reply.error === undefined) one?.resolve(reply);
    else one?.reject(new GatewayError('ERR_IB_GATEWAY_LISTEN', `no gateway: ${reply.error}`));
  });
  const ask = (order: GatewaysOrder): Promise<Reply> =>
    new Promise((resolve, reject) => {
      if (isOver) {
        reject(gone());
        return;
      }
      awaited.set(order.id, { resolve, reject });
      pipe.write(`${JSON.stringify(order)}\n`);
    });
  return {
    place: null,
    async start(wish) {
      const id = ++lastId;
      const reply = await ask({ id, kind: 'start', wish });
      const { host = '', port = 0, controlPort = 0, controlToken = '' } = reply;
      const control = await connectControl({ host, port: controlPort, token: controlToken });
      return {
        host,
        port,
        control,
        stalledMs: async () => (await ask({ id: ++lastId, kind: 'stalled', gateway: id })).stalledMs ?? null,
        async [Symbol.asyncDispose]() {
          await control.close();
          // Its process may be killed meanwhile.
          if (!isOver) await ask({ id: ++lastId, kind: 'stop', gateway: id }).catch(ignore);
        },
      };
    },
    kill: () => void child.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      pipe.end();
      if (child.connected) child.disconnect();
      await over;
    },
  };
}

function gone(): GatewayError {
  return new GatewayError('ERR_IB_GATEWAY_CONTROL', 'the process of the gateways has ended');
}
