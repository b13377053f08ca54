import type { IbConnection } from '../../../ib/connection.js';
import type { ContractDetails } from '../../../ib/contracts.js';
import { IbError } from '../../../ib/errors.js';
import type { Trial } from '../trial.js';
import { answered, type Scenario, stock, symbolOf, tally } from './scenario.js';

export const slowGateway: Scenario = {
  name: 'slow-gateway',
  title: 'answers 50 to 2,000 ms late and byte by byte: no false alarm, late answers for nobody else',
  speed: 5,
  lastsMs: 25_000,
  async run(trial) {
    const pool = trial.pool({ heartbeatMs: 2000, heartbeatTimeoutMs: 8000 });
    using lease = await pool.acquire();
    const { connection } = lease;
    await trial.inject({ kind: 'latency', fromMs: 50, toMs: 2000 });
    await trial.inject({ kind: 'slice', bytes: 1 });
    const timeoutMs = trial.real(10_000);
    const slow = Array.from({ length: 12 }, (_, at) => symbolOf(at));
    const quick = Array.from({ length: 6 }, (_, at) => symbolOf(100 + at));
    const [outcomes, early] = await Promise.all([
      Promise.all(slow.map((symbol) => details(trial, connection, symbol, timeoutMs))),
      Promise.all(quick.map((symbol) => details(trial, connection, symbol, 20))),
    ]);
    trial.check('those with time are answered', answered(outcomes).length === slow.length, tally(outcomes));
    trial.check('each with its own answer', areOf(outcomes, slow), `${slow.length} contracts`);
    const codes = early.map((one) => (one instanceof IbError ? one.code : 'answered'));
    trial.check(
      'each has its own deadline',
      codes.every((code) => code === 'ERR_IB_TIMEOUT'),
      `${codes.filter((code) => code === 'ERR_IB_TIMEOUT').length} of ${codes.length} in time-out after 20 ms`,
    );
    if (isLostOnce(trial, connection)) return;
    // Each late answer has two messages: the details, and their end.
    await trial.until(
      'late answers are noticed, and for nobody',
      () => connection.figures().requests.late >= 2 * quick.length,
      trial.real(10_000),
    );
    // Long enough for some heartbeats, whose answers are as late as they may be.
    await trial.heal();
    await trial.inject({ kind: 'latency', fromMs: 1900, toMs: 2000 });
    await trial.sleep(6000);
    const { heartbeatsMissed, lost } = connection.figures().supervisor;
    trial.check(
      'it is not taken for dead',
      lost === 0,
      `${heartbeatsMissed} heartbeats missed, ${lost} lost`,
    );
    await trial.heal();
  },
};

export const requestTimeout: Scenario = {
  name: 'request-timeout',
  title: 'answers that never come: given up at the deadline, cancelled, and not taken for others',
  speed: 1,
  lastsMs: 4000,
  async run(trial) {
    using lease = await trial.pool().acquire();
    const { connection } = lease;
    const deadlineMs = 300;
    await trial.inject({ kind: 'mute', requests: ['history', 'contractDetails'] });
    const since = trial.clock.now();
    const outcomes = await Promise.all([
      ...[0, 1, 2].map((at) =>
        trial.ask<unknown>(() =>
          connection.historicalData(
            { contract: stock(symbolOf(at)), duration: '10 D', barSize: '1 day' },
            { timeoutMs: deadlineMs },
          ),
        ),
      ),
      ...[0, 1, 2].map((at) => details(trial, connection, symbolOf(at), deadlineMs)),
    ]);
    const tookMs = trial.clock.now() - since;
    const inTime = outcomes.filter((one) => one instanceof IbError && one.code === 'ERR_IB_TIMEOUT').length;
    trial.check('all are given up', inTime === outcomes.length, `${inTime} of ${outcomes.length}`);
    trial.check(
      'at the deadline',
      tookMs >= deadlineMs - 1 && tookMs <= deadlineMs + trial.real(500),
      `after ${Math.round(tookMs)} ms of ${deadlineMs}`,
    );
    await trial.until('requests for history are cancelled', async () => {
      const { messages, history } = await trial.counts();
      return messages.receivedByType.cancelHistory === 3 && history.open === 0;
    });
    const { inFlight } = connection.figures();
    trial.check('none is waited for any more', inFlight === 0, `${inFlight} in flight`);
    await trial.heal();
    await trial.inject({ kind: 'latency', fromMs: 300, toMs: 300 });
    const late = await details(trial, connection, 'LATE', 50);
    trial.check('one more is given up', late instanceof IbError, tally([late]));
    const next = await details(trial, connection, 'NEXT', trial.real(5000));
    trial.check('the next has its own answer', areOf([next], ['NEXT']), tally([next]));
    const seen = connection.figures().requests.late;
    trial.check('the late one is dropped', seen >= 2, `${seen} messages for nobody`);
    await trial.heal();
  },
};

export const bigHistory: Scenario = {
  name: 'big-history',
  title: '5,000 and 20,000 bars in one answer, and a loop of our own that is blocked: no false alarm',
  speed: 1,
  lastsMs: 8000,
  async run(trial) {
    const heartbeatTimeoutMs = trial.real(500);
    const pool = trial.pool({ heartbeatMs: trial.real(200), heartbeatTimeoutMs });
    using lease = await pool.acquire();
    const { connection } = lease;
    for (const count of [5000, 20_000]) {
      const query = { contract: stock('AAPL'), duration: `${count} S`, barSize: '1 secs' };
      const bars = await trial.ask(() => connection.historicalData(query));
      const seen = bars instanceof IbError ? bars.message : `${bars.length} bars`;
      trial.check(`${count} bars are there`, seen === `${count} bars`, seen);
    }
    // The answer must come while the loop is blocked, and not before.
    const lateMs = heartbeatTimeoutMs / 4;
    await trial.inject({ kind: 'latency', fromMs: lateMs, toMs: lateMs });
    let wasBlocked = false;
    trial.meter.onSent = (method) => {
      if (method !== 'reqCurrentTime' || wasBlocked) return;
      wasBlocked = true;
      // In a later turn, when it is on its way, this loop does nothing for longer than the answer may take.
      trial.clock.defer(() => block(trial, 1.1 * heartbeatTimeoutMs));
    };
    await trial.until('a heartbeat is sent, and the loop blocked under it', () => wasBlocked);
    await trial.sleep(2 * heartbeatTimeoutMs);
    const { heartbeatsMissed, lost } = connection.figures().supervisor;
    trial.check(
      'the gateway is not blamed for it',
      lost === 0,
      `${heartbeatsMissed} heartbeats missed, ${lost} lost`,
    );
    await trial.heal();
  },
};

function details(
  trial: Trial,
  connection: IbConnection,
  symbol: string,
  timeoutMs: number,
): Promise<ContractDetails[] | IbError> {
  return trial.ask(() => connection.contractDetails(stock(symbol), { timeoutMs }));
}

/** Whether it was taken for dead; that is noted. */
function isLostOnce(trial: Trial, connection: IbConnection): boolean {
  const { heartbeatsMissed, lost } = connection.figures().supervisor;
  if (lost === 0) return false;
  trial.check('it is not taken for dead', false, `${heartbeatsMissed} heartbeats missed, ${lost} lost`);
  return true;
}

function areOf(outcomes: readonly (ContractDetails[] | IbError)[], symbols: readonly string[]): boolean {
  return outcomes.every(
    (all, at) => !(all instanceof IbError) && all.every(({ contract }) => contract.symbol === symbols[at]),
  );
}

function block(trial: Trial, forMs: number): void {
  trial.blockedMs = forMs;
  const until = trial.clock.now() + forMs;
  while (trial.clock.now() < until);
}
