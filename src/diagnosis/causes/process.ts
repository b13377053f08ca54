import { printable } from '../../report/text.js';
import { connectFaultOf } from '../connect-error.js';
import { holdersOf, isFull, isOfDatabase, isPressed, poolSubject } from '../look.js';
import { ofPool, siteEvidence, sitesOf } from '../phrases.js';
import type { Cause, Found, Subject } from '../types.js';
import { counted, shortSite, shortTime } from '../words.js';

/** A step of the clock below this is what NTP does while nobody notices. */
const STEP_MS = 1500;

export const clockStep: Cause = {
  id: 'pooler-clock-jump',
  title: 'The wall clock jumped, and the pooler measures all of its timeouts by it',
  repair: {
    app: 'nothing: timers of Node are monotonic',
    pgbouncer: 'slew the clock instead of stepping it; restart PgBouncer after a large step back',
  },
  avoid: ['changing timeouts'],
  find({ clockStepMs, facts }) {
    if (clockStepMs === null || Math.abs(clockStepMs) < STEP_MS) return [];
    const way = clockStepMs > 0 ? 'forward' : 'back';
    const subject: Subject = { kind: 'application', key: 'clock', source: 'clock' };
    return [
      {
        severity: 'warn',
        subject,
        explains: [subject.key],
        words: `the wall clock of this machine was set ${way} by ${shortTime(Math.abs(clockStepMs))}; ages in the figures are wrong by as much`,
        evidence: [`wall clock against monotonic clock: ${Math.round(clockStepMs)} ms`],
        ruledOut: facts.failures.length === 0 ? ['an outage: all sources answer'] : [],
        confidence: 'certain',
      },
    ];
  },
};

/** A delay of the event loop from here on is felt by every caller. */
const BLOCKED_MS = 100;
/** Delays of a loop that runs code for less of the time come from a busy machine, or from loading the program. */
const BUSY_SHARE = 0.6;

export const frozenProcess: Cause = {
  id: 'process-frozen',
  title: 'The whole process stood still, so its connections aged and its timers fired late',
  repair: {
    app: 'close the pool before a suspend; test connections that were idle meanwhile; look for SIGSTOP, a paused container, a suspended virtual machine, or throttled CPU',
  },
  avoid: ['a bigger pool', 'longer timeouts'],
  find({ facts }) {
    return facts.processes.flatMap(({ source, process }): Found[] => {
      const { frozenMs, frozenAgoMs } = process;
      if (frozenMs === null || frozenMs < 5000 || frozenAgoMs === null || frozenAgoMs > 120_000) return [];
      const pools = facts.pools.filter((one) => one.source === source);
      const suffers = pools.some(
        (one) => isPressed(one) || (one.pool.createError !== null && (one.pool.live ?? 1) === 0),
      );
      const app = printable(pools[0]?.app ?? source);
      return [
        {
          severity: suffers || frozenAgoMs < 10_000 ? 'bad' : 'warn',
          subject: { kind: 'application', key: source, source },
          explains: [source, ...pools.filter((one) => isPressed(one)).map(({ key }) => key)],
          words: `${app}: the whole process did not run for ${shortTime(frozenMs)}, until ${shortTime(frozenAgoMs)} ago`,
          evidence: [`no timer of the process fired for ${Math.round(frozenMs)} ms`],
          ruledOut: ['a slow database: nothing in the process ran, timers included'],
          driver: pools[0]?.pool.driver ?? null,
        },
      ];
    });
  },
};

export const blockedLoop: Cause = {
  id: 'event-loop-blocked',
  title: "The application's event loop is blocked, so answers of the database lie unread",
  repair: {
    app: 'move the computing to a worker thread, or cut it into pieces; poolctl run with node --cpu-prof shows what blocks',
  },
  avoid: ['a bigger pool: it brings more answers that nobody reads', 'tuning queries'],
  find(look) {
    const { facts } = look;
    return facts.processes.flatMap(({ source, process }): Found[] => {
      const { loopDelayP99Ms: p99, loopDelayMaxMs: most, loopBusy } = process;
      const busy = loopBusy ?? null;
      if (p99 === null || p99 < BLOCKED_MS || (busy !== null && busy < BUSY_SHARE)) return [];
      if (busy === null && p99 < 2.5 * BLOCKED_MS) return [];
      const pools = facts.pools.filter((one) => one.source === source && isOfDatabase(one));
      const late = pools.filter((fact) => {
        const wait = fact.pool.longestWaitMs ?? look.recent(fact).waitP95Ms ?? 0;
        return isPressed(fact) && p99 * 4 >= Math.min(wait, 4 * BLOCKED_MS * 10);
      });
      if (late.length === 0 && p99 < 500) return [];
      const app = printable(pools[0]?.app ?? source);
      const waiting = late.reduce((sum, { pool }) => sum + (pool.waiting ?? 0), 0);
      const active = facts.backends.filter(({ backend }) => backend.state === 'active').length;
      return [
        {
          severity: late.length > 0 ? 'bad' : 'warn',
          subject: { kind: 'application', key: source, source },
          explains: [source, ...late.map(({ key }) => key)],
          weight: waiting + 1,
          words: `${app}: its event loop is blocked for ${shortTime(p99)} at a time (99th percentile${most === null ? '' : `, up to ${shortTime(most)}`}); ${waiting} waiting`,
          evidence: [
            `event loop delay: p99 ${Math.round(p99)} ms${busy === null ? '' : `; it runs code ${Math.round(busy * 100)} % of the time`}`,
            ...(facts.backends.length === 0 ? [] : [`${active} of ${facts.backends.length} backends active`]),
          ],
          ruledOut: ['a pool that is too small: leases are out for as long as the loop stands still'],
          driver: pools[0]?.pool.driver ?? null,
        },
      ];
    });
  },
};

/** An application that keeps its socket and does not answer. */
export const silentProcess: Cause = {
  id: 'process-silent',
  title: 'The application does not answer: its event loop is blocked, or the process is stopped',
  repair: blockedLoop.repair,
  avoid: ['a bigger pool'],
  find({ facts }) {
    return facts.failures
      .filter(({ kind, why }) => kind === 'pool' && /no answer within/.test(why))
      .map(({ source, why }): Found => {
        const subject: Subject = { kind: 'application', key: source, source };
        return {
          severity: 'bad',
          subject,
          explains: [source],
          words: `${source} accepts a connection and does not answer (${printable(why)}): its event loop is blocked, or the process is stopped`,
          confidence: 'likely',
          missing: 'whether the process computes or stands still: its state in top or ps (R or T)',
        };
      });
  },
};

export const closedPool: Cause = {
  id: 'pool-ended-too-early',
  title: 'The pool was closed while somebody still uses it',
  repair: {
    pg: 'pool.end() once, after the server has stopped taking requests',
    'postgres.js': 'sql.end({ timeout: 5 }) last',
    mysql2: 'pool.end() last',
    mongodb: 'client.close() last',
    knex: 'knex.destroy() last',
    sequelize: 'sequelize.close() last',
    typeorm: 'dataSource.destroy() last',
    prisma: '$disconnect() once, not in each request',
    'generic-pool': 'pool.drain() and pool.clear() last',
    poolctl: 'close() last: it drains, and refuses later acquires by name',
    app: 'close the pool once, after its last use',
  },
  avoid: ['a new pool for each call'],
  find(look) {
    const { facts } = look;
    return facts.pools.flatMap((fact): Found[] => {
      const { pool } = fact;
      if (!pool.closed) return [];
      const errors = (pool.observed?.queryErrors ?? []).filter(
        ({ message, code }) => connectFaultOf(message, code) === 'pool-closed',
      );
      const recent = errors.filter(({ lastMs }) => lastMs === null || lastMs < 60_000);
      const used =
        recent.length > 0 ||
        (pool.waiting ?? 0) > 0 ||
        (look.recent(fact).createFailuresPerSecond ?? 0) > 0 ||
        connectFaultOf(pool.createError) === 'pool-closed';
      if (!used) return [];
      const site = recent.find((one) => one.site !== null)?.site ?? null;
      const count = recent.reduce((sum, one) => sum + one.count, 0);
      const times = count === 0 ? '' : `, ${counted(count, 'time')} since`;
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [fact.key],
          words: `${printable(pool.name)}: closed, and still asked for connections${times}${site === null ? '' : `, at ${printable(shortSite(site, look.cwd))}`}`,
          evidence: [
            'closed: true',
            ...recent.map(({ message, count: n }) => `${n} x ${printable(message ?? '')}`),
          ],
          ruledOut: ['a server that is down: the pool itself refuses'],
        },
      ];
    });
  },
};

export const nestedAcquire: Cause = {
  id: 'nested-acquire',
  title: 'Callers hold a connection while they wait for a second one of the same pool',
  repair: {
    pg: 'hand the client (or the transaction) down as an argument, and run every statement of the flow on it',
    'postgres.js': 'use the sql that sql.begin() hands in for everything inside',
    mysql2: 'hand the connection down, and run every statement of the flow on it',
    knex: 'pass trx: knex(...).transacting(trx)',
    sequelize: '{ transaction: t } on each call, or CLS (Sequelize.useCLS)',
    typeorm: 'use the manager that transaction() hands in for everything inside',
    prisma: 'use tx for everything inside prisma.$transaction',
    'generic-pool': 'acquire once for each flow',
    poolctl: 'acquire once for each flow; withSession() reuses the session of the flow',
    app: 'use one connection for each flow',
  },
  avoid: ['a bigger pool: as many callers at once stop it again'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      const { pool } = fact;
      const nested = pool.observed?.nestedWaiters ?? 0;
      if (pool.closed || nested === 0 || !isPressed(fact)) return [];
      const holders = holdersOf(look.facts, fact);
      const all = isFull(fact) && nested >= (fact.capacity ?? Number.POSITIVE_INFINITY);
      const fate = all ? 'none of them can go on' : 'they wait for each other';
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (pool.waiting ?? 0) + 1,
          words: ofPool(
            fact,
            `${counted(nested, 'caller')} ${nested === 1 ? 'holds a connection and waits' : 'hold a connection and wait'} for a second one, so ${fate}${sitesOf(holders, look)}`,
          ),
          evidence: [`nested waiters: ${nested}`, ...siteEvidence(holders, look)],
          ruledOut: ['a leak: the holders wait for this pool themselves'],
        },
      ];
    });
  },
};
