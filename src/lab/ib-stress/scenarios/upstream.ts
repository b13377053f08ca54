import type { IbConnection } from '../../../ib/connection.js';
import { IbError } from '../../../ib/errors.js';
import type { Trial } from '../trial.js';
import { type Scenario, stock, symbolOf, tally } from './scenario.js';

const STREAMS = 3;
const RESET_MS = 15_000;

export const nightlyReset: Scenario = {
  name: 'nightly-reset',
  title: 'the nightly reset: 1100 several times, then 1102 or 1101; the socket is kept, streams by policy',
  speed: 10,
  lastsMs: 34_000,
  async run(trial) {
    const base = trial.clientIdBase;
    const trusting = await streaming(trial, { clientId: base, trust1102: true });
    try {
      const careful = await streaming(trial, { clientId: base + 1, trust1102: false });
      try {
        await nightly(trial, trusting, careful);
      } finally {
        careful.end();
      }
    } finally {
      trusting.end();
    }
  },
};

async function nightly(trial: Trial, trusting: Streaming, careful: Streaming): Promise<void> {
  const both = [trusting, careful];
  await trial.until('all streams are open', async () => {
    return (await trial.counts()).subscriptions.open.marketData === 2 * STREAMS;
  });
  await reset(trial, both, false);
  await resubscribed(trial, 'after a 1102, where it is trusted, none is asked for again', trusting, 0);
  await resubscribed(trial, 'where it is not, each once', careful, STREAMS);
  await reset(trial, both, true);
  await resubscribed(trial, 'after a 1101 each once', trusting, STREAMS);
  await resubscribed(trial, 'and again where all was asked before', careful, 2 * STREAMS);
  // The last of them are on their way.
  await trial.until('the gateway has all of them', async () => {
    return (await trial.counts()).subscriptions.open.marketData === 2 * STREAMS;
  });
  const reconnects = both.map(({ connection }) => connection.figures().reconnects);
  const { connections, errors, subscriptions } = await trial.counts();
  trial.check(
    'no socket was closed',
    reconnects.every((count) => count === 0) && connections.accepted === 2,
    `${connections.accepted} connections of 2 pools`,
  );
  trial.check(
    'no stream is open twice',
    (errors[102] ?? 0) === 0 && subscriptions.open.marketData === 2 * STREAMS,
    `${subscriptions.open.marketData} of ${2 * STREAMS} streams, error 102 ${errors[102] ?? 0} times`,
  );
  const before = both.map(({ ticks }) => ticks());
  await trial.until('ticks go on', () => both.every(({ ticks }, at) => ticks() > (before[at] ?? 0)));
}

export const farmFlap: Scenario = {
  name: 'farm-flap',
  title: 'farms (2103, 2104) and the link to IB (1100, 1102) come and go 20 times in 10 s: nothing is done',
  speed: 5,
  lastsMs: 11_000,
  async run(trial) {
    const flaps = 20;
    const notices = new Map<number, number>();
    const one = await streaming(trial, {
      onNotice: (code) => void notices.set(code, (notices.get(code) ?? 0) + 1),
    });
    try {
      await trial.until('all streams are open', async () => {
        return (await trial.counts()).subscriptions.open.marketData === STREAMS;
      });
      for (let flap = 0; flap < flaps; flap++) {
        await trial.inject({ kind: 'farm', code: 2103 });
        if (flap % 2 === 0) await trial.inject({ kind: 'lost' });
        await trial.sleep(250);
        await trial.inject({ kind: 'farm', code: 2104 });
        if (flap % 2 === 0) await trial.inject({ kind: 'restored', dataLost: false });
        await trial.sleep(250);
      }
      await trial.becomes(() => (notices.get(2104) ?? 0) > flaps, trial.real(2000));
      const told = [2103, 1100, 1102].map((code) => notices.get(code) ?? 0);
      trial.check(
        'all was told',
        told.join() === [flaps, flaps / 2, flaps / 2].join(),
        `${told.join(', ')} times`,
      );
      const { reconnects, subscriptions } = one.connection.figures();
      trial.check('no reconnect', reconnects === 0, `${reconnects} reconnects`);
      const counts = await trial.counts();
      trial.check(
        'no stream was asked for again',
        subscriptions.resubscribed === 0 && counts.subscriptions.opened === STREAMS,
        `${counts.subscriptions.opened} opened, ${STREAMS} wanted`,
      );
      const before = one.ticks();
      await trial.until('ticks go on', () => one.ticks() > before);
    } finally {
      one.end();
    }
  },
};

interface Streaming {
  readonly connection: IbConnection;
  ticks(): number;
  end(): void;
}

async function streaming(trial: Trial, options: Parameters<Trial['pool']>[0]): Promise<Streaming> {
  const lease = await trial.pool({ reconnectMs: 20, ...options }).acquire();
  const { connection } = lease;
  let ticks = 0;
  const streams = Array.from({ length: STREAMS }, (_, at) =>
    connection.subscribe(stock(symbolOf(at)), () => ticks++),
  );
  return {
    connection,
    ticks: () => ticks,
    end() {
      for (const stream of streams) stream.close();
      lease.release();
    },
  };
}

async function reset(trial: Trial, all: readonly Streaming[], dataLost: boolean): Promise<void> {
  const name = dataLost ? '1101' : '1102';
  const upstream = (way: 'up' | 'down') => () =>
    all.every(({ connection }) => connection.figures().upstream === way);
  await trial.inject({ kind: 'nightly-reset', notices: 4, lastsMs: RESET_MS, dataLost });
  await trial.until(`that the link is lost is known (before ${name})`, upstream('down'));
  const times = await Promise.all(all.map(({ connection }) => trial.ask(() => connection.currentTime())));
  trial.check(
    'the gateway still answers',
    times.every((time) => !(time instanceof IbError)),
    tally(times),
  );
  await trial.until(`that it is back is known (${name})`, upstream('up'), RESET_MS + trial.real(3000));
}

async function resubscribed(
  trial: Trial,
  name: string,
  { connection }: Streaming,
  count: number,
): Promise<void> {
  const figures = () => connection.figures().subscriptions;
  await trial.becomes(() => figures().live === STREAMS && figures().resubscribed >= count, trial.real(3000));
  const { resubscribed: seen } = figures();
  trial.check(name, seen === count, `${seen} in all, ${count} expected`);
}
