import type { PoolCounters, PoolSnapshot } from '../../../src/snapshot/pool.js';
import type { Player } from './player.js';

/** Collects sentences about what does not hold. */
export class Findings {
  readonly problems: string[] = [];

  must(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(problem);
  }

  equal(what: string, found: number, expected: number): void {
    this.must(found === expected, `${what}: ${found}, but ${expected} expected`);
  }
}

/** What holds at every moment, also between an act and the reactions to it. */
export function checkAtOnce(player: Player, before: PoolSnapshot, now: PoolSnapshot): string[] {
  const { driver, pool, settings } = player;
  const { counters } = now;
  const { limit, keep } = pool.settings;
  const findings = new Findings();
  const ready = now.idle + now.inUse + now.checking + now.resetting;
  findings.must(now.live <= limit, `${now.live} live, above the limit of ${limit}`);
  findings.must(now.idle <= keep, `${now.idle} idle, but only ${keep} to be kept`);
  findings.equal('live, against the states', now.live, ready + now.creating + now.closing);
  findings.equal('overflow', now.overflow, Math.max(0, now.live - keep));
  findings.equal('in use, against acquired - released', now.inUse, counters.acquired - counters.released);
  findings.equal('holders', now.holders.length, now.inUse);
  findings.equal('creates', driver.creates, counters.created + counters.createFailed + now.creating);
  const retired = driver.things.filter(
    ({ closedAs }) => closedAs !== null && closedAs !== 'unwanted' && closedAs !== 'detached',
  );
  findings.equal('destroyed', counters.destroyed, retired.length);
  findings.equal('detached', counters.detached, player.detaches);
  findings.equal('closed twice', driver.closedTwice, 0);
  findings.equal('released twice', counters.doubleReleased, player.doubleReleases);
  findings.must(now.peakWaiting >= now.waiting && now.peakInUse >= now.inUse, 'a peak below the gauge');
  findings.must(
    now.idle === 0 || now.waiting <= now.checking,
    `${now.waiting} wait though ${now.idle} are idle (${now.checking} being checked)`,
  );
  findings.must((now.longestWaitMs === null) === (now.waiting === 0), 'longestWaitMs without a waiter');
  findings.must(!now.closed || now.idle + now.waiting === 0, 'a closed pool with idle ones or waiters');
  if (settings.histograms) {
    findings.equal('waits measured', now.wait?.count ?? -1, counters.acquired);
    findings.equal('holds measured', now.hold?.count ?? -1, counters.released);
  } else findings.must(now.wait === null && now.hold === null, 'histograms though they are off');
  for (const name of Object.keys(counters) as (keyof PoolCounters)[]) {
    findings.must(counters[name] >= before.counters[name], `${name} has gone down`);
  }
  const closedByForce = player.clock.now() >= player.graceEndsAt;
  for (const { lease } of player.borrowings.filter(({ end }) => end === null)) {
    findings.must(lease.active || closedByForce, `lease ${lease.id} was ended by another than its borrower`);
  }
  for (const { lease, thing } of player.held) {
    findings.must(thing.closedAs === null, `thing ${thing.id} was closed under lease ${lease.id}`);
  }
  return findings.problems;
}

/** What holds besides as soon as everything has happened that can without time passing. */
export function checkSettled(player: Player, now: PoolSnapshot): string[] {
  const { clock, driver, pending } = player;
  const { counters } = now;
  const findings = new Findings();
  const time = clock.now();
  const count = (outcome: string): number =>
    player.acquires.filter((acquire) => acquire.outcome === outcome).length;

  findings.equal('waiting', now.waiting, pending.length);
  for (const { nth, deadline, controller } of pending) {
    findings.must(
      deadline > time,
      `acquire ${nth} still waits at ${time}, though it had time until ${deadline}`,
    );
    findings.must(!controller?.signal.aborted, `acquire ${nth} still waits, though it was aborted`);
  }
  for (const { nth, outcome, settledAt, deadline } of player.acquires) {
    const early = outcome === 'ERR_POOL_TIMEOUT' && settledAt! < deadline;
    findings.must(!early, `acquire ${nth} timed out at ${settledAt}, though it had time until ${deadline}`);
  }
  findings.equal('timed out', counters.timedOut, count('ERR_POOL_TIMEOUT'));
  findings.equal('aborted', counters.aborted, count('ERR_POOL_ABORTED'));
  findings.equal('refused', counters.refused, count('ERR_POOL_QUEUE_FULL'));
  findings.must(count('ERR_POOL_CREATE') === 0 || driver.createHasFailed, 'a create failed without a reason');
  findings.must(count('ERR_POOL_CLOSED') === 0 || player.closing !== null, 'said to be closed, and is not');

  const things = driver.things.filter((thing) => thing.closedAs === null && !player.isDetached(thing));
  const ready = now.idle + now.inUse + now.checking + now.resetting;
  findings.equal('open in the pool, against the driver', ready, things.length);
  const abandoned = now.closed ? 0 : abandonedInDriver(player);
  findings.equal('closing, against the driver', now.closing, closingInDriver(player) + abandoned);
  findings.equal('in use, against the borrowers', now.inUse, player.held.length);
  const distinct = new Set(player.held.map(({ thing }) => thing));
  findings.equal('things lent', distinct.size, player.held.length);
  return findings.problems;
}

function closingInDriver({ clock, driver, settings }: Player): number {
  const still = [...driver.closingSince].filter(
    ([{ closedAs }, since]) =>
      closedAs !== 'unwanted' &&
      closedAs !== 'detached' &&
      // After that long the pool waits no more, and gives the place away.
      clock.now() - since < settings.operationTimeoutMs,
  );
  return still.length;
}

/** Creates that were given up and have not ended, and for which the pool still keeps a place. */
function abandonedInDriver({ clock, driver, settings }: Player): number {
  const closingMs = (nth: number): number => {
    const [, since = clock.now()] =
      [...driver.closingSince].find(([{ nthCreate }]) => nthCreate === nth) ?? [];
    return clock.now() - since;
  };
  const still = [...driver.abandonedSince].filter(
    ([nth, since]) =>
      clock.now() - since < (settings.createTimeoutMs ?? 0) && closingMs(nth) < settings.operationTimeoutMs,
  );
  return still.length;
}

/** How long the pool may put off a create that a waiter needs: a step of its pace, or the longest retry. */
const STEP_MS = 10;
const LONGEST_RETRY_MS = 2000;

/** What holds after so much time has passed: nobody waits for nothing. */
export function checkProgress(player: Player, before: PoolSnapshot, now: PoolSnapshot, ms: number): string[] {
  const { limit, keep } = player.pool.settings;
  const wanting = ({ waiting, creating, checking, live }: PoolSnapshot): boolean =>
    waiting > creating + checking && live < limit;
  // Overflow may be put off for longer, while releases serve the waiters.
  const busy = now.inUse + now.checking + now.resetting > 0 && now.live >= keep;
  const patience = before.createError === null && now.createError === null ? STEP_MS : LONGEST_RETRY_MS;
  const idled =
    before.counters.created === now.counters.created &&
    before.counters.createFailed === now.counters.createFailed &&
    before.creating === now.creating &&
    before.counters.acquired === now.counters.acquired;
  if (!wanting(before) || !wanting(now) || busy || !idled || ms <= patience) return [];
  return [`${now.waiting} have waited for ${ms} ms, though there is room, and nothing is opened for them`];
}

/** What holds when the pool has been closed, and everything that hung has come to its end. */
export function checkClosed(player: Player, now: PoolSnapshot): string[] {
  const { driver, clock } = player;
  const findings = new Findings();
  findings.equal('live after the close', now.live, 0);
  for (const { nth } of player.pending)
    findings.must(false, `acquire ${nth} waits for ever on a closed pool`);
  for (const { id, closedAs } of driver.things)
    findings.must(closedAs !== null, `thing ${id} was never closed`);
  const { foreground, background } = clock.timers;
  findings.equal('timers left after the close', foreground + background, 0);
  return findings.problems;
}
