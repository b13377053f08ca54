import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HistoryFacts } from '../../src/ib/history-log.js';
import { createPacer, type Paced, type PacingOptions } from '../../src/ib/pacing.js';
import { remotePacer, sharePacing } from '../../src/ib/pacing-port.js';
import { eventually } from '../helpers/eventually.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

const REQUEST: Paced = { kind: 'request' };
const UPKEEP: Paced = { kind: 'upkeep' };
const URGENT: Paced = { kind: 'urgent' };

function history(facts: Partial<HistoryFacts> = {}): Paced {
  return {
    kind: 'history',
    history: { identity: 'a', series: 'a', weight: 1, smallBars: true, ...facts },
  };
}

/** A pacer, and when what was sent through it. */
function start(options: PacingOptions = {}) {
  const clock = new VirtualClock();
  const pacer = createPacer({ clock, ...options });
  const sent: { at: number; what: string; over: () => void }[] = [];
  const send = (what: string, message: Paced = REQUEST, signal?: AbortSignal): Promise<void> => {
    let at = -1;
    return pacer
      .send(
        message,
        () => {
          at = clock.now();
        },
        signal,
      )
      .then(({ over }) => void sent.push({ at, what, over }));
  };
  return {
    clock,
    pacer,
    sent,
    send,
    times: () => sent.map(({ at }) => at),
    names: () => sent.map(({ what }) => what),
  };
}

/** The most that stand in any window of that length, both ends included. */
function mostWithin(times: readonly number[], windowMs: number): number {
  return Math.max(
    0,
    ...times.map((from) => times.filter((at) => at >= from && at <= from + windowMs).length),
  );
}

describe('the pacing of messages', () => {
  it('lets 45 go at once, and the rest when the second is over', async () => {
    const { clock, send, times } = start({ marginMs: 50 });
    for (let i = 0; i < 100; i++) void send(String(i));
    await clock.settle();
    expect(times()).toHaveLength(45);
    await clock.advance(1049);
    expect(times()).toHaveLength(45);
    await clock.advance(1);
    expect(times()).toHaveLength(90);
    await clock.advance(1050);
    expect(times()).toHaveLength(100);
  });

  it('is a log and no bucket: what comes late in one second leaves no room early in the next', async () => {
    const { clock, send, times } = start({ messagesPerSecond: 10 });
    for (let i = 0; i < 100; i++) {
      void send(String(i));
      await clock.advance(37);
    }
    await clock.advance(20_000);
    expect(times()).toHaveLength(100);
    expect(mostWithin(times(), 1000)).toBe(10);
  });

  it('tells its headroom, and who waits', async () => {
    const { clock, pacer, send } = start();
    expect(pacer.snapshot()).toMatchObject({
      sent: 0,
      peakSecond: 0,
      headroom: 1,
      waiting: 0,
      longestWaitMs: null,
    });
    for (let i = 0; i < 50; i++) void send(String(i));
    await clock.advance(500);
    expect(pacer.snapshot()).toMatchObject({
      sent: 45,
      lastSecond: 45,
      peakSecond: 45,
      waiting: 5,
      longestWaitMs: 500,
    });
    expect(pacer.snapshot().headroom).toBeCloseTo(0.1);
    await clock.advance(5000);
    expect(pacer.snapshot()).toMatchObject({ sent: 50, lastSecond: 0, peakSecond: 45, waiting: 0 });
    expect(pacer.snapshot().wait.count).toBe(50);
  });

  it('sends in the order of asking, and urgent ones before that, with a little room of their own', async () => {
    const { clock, send, names } = start({ messagesPerSecond: 3, urgentPerSecond: 4, marginMs: 50 });
    for (const name of ['1', '2', '3', '4', '5']) void send(name);
    await clock.settle();
    for (const name of ['cancel', 'another']) void send(name, URGENT);
    await clock.settle();
    expect(names()).toEqual(['1', '2', '3', 'cancel']);
    await clock.advance(1050);
    expect(names()).toEqual(['1', '2', '3', 'cancel', 'another', '4', '5']);
  });

  it('lets upkeep jump the queue, without the room that is kept for orders', async () => {
    const { clock, send, names } = start({ messagesPerSecond: 2, urgentPerSecond: 4, marginMs: 50 });
    for (const name of ['1', '2', '3']) void send(name);
    void send('heartbeat', UPKEEP);
    await clock.settle();
    expect(names()).toEqual(['1', '2']);
    await clock.advance(1050);
    expect(names()).toEqual(['1', '2', 'heartbeat', '3']);
  });

  it('gives ordinary ones their turn in a flood of urgent ones', async () => {
    const { clock, send, sent } = start({ messagesPerSecond: 5, urgentPerSecond: 6 });
    for (let i = 0; i < 1000; i++) void send('urgent', URGENT);
    for (let i = 0; i < 20; i++) void send('ordinary');
    await clock.advance(60_000);
    expect(sent.filter(({ what }) => what === 'ordinary')).toHaveLength(20);
    expect(
      mostWithin(
        sent.map(({ at }) => at),
        1000,
      ),
    ).toBeLessThanOrEqual(6);
  });

  it('forgets one that was aborted in the queue, and rejects one that comes aborted', async () => {
    const { clock, pacer, send, names } = start({ messagesPerSecond: 1, marginMs: 50 });
    const abort = new AbortController();
    void send('first');
    const second = send('second', REQUEST, abort.signal);
    void send('third');
    await clock.settle();
    abort.abort(new Error('not any more'));
    await expect(second).rejects.toThrow('not any more');
    await expect(send('fourth', REQUEST, abort.signal)).rejects.toThrow('not any more');
    await clock.advance(5000);
    expect(names()).toEqual(['first', 'third']);
    expect(pacer.snapshot().waiting).toBe(0);
    expect(clock.timers.foreground).toBe(0);
  });

  it('counts a message that takes its time until a second after it was sent', async () => {
    const { clock, pacer, send, times } = start({ messagesPerSecond: 1, marginMs: 50 });
    const slow = pacer.send(REQUEST, () => new Promise((resolve) => void clock.setTimer(resolve, 5000)));
    void send('next');
    await clock.advance(6049);
    await slow;
    expect(times()).toEqual([]);
    await clock.advance(1);
    expect(times()).toEqual([6050]);
  });

  it('counts one whose sending failed, and passes the failure on', async () => {
    const { clock, pacer, send, times } = start({ messagesPerSecond: 1, marginMs: 50 });
    const failing = pacer.send(REQUEST, () => {
      throw new Error('broken pipe');
    });
    await expect(failing).rejects.toThrow('broken pipe');
    void send('next');
    await clock.advance(2000);
    expect(times()).toEqual([1050]);
  });

  it('does nothing when it is off, but count', async () => {
    const { clock, pacer, send, times } = start({ enabled: false });
    for (let i = 0; i < 200; i++) void send(String(i), i % 2 === 0 ? REQUEST : history());
    await clock.settle();
    expect(times()).toHaveLength(200);
    expect(pacer.snapshot().headroom).toBe(-3);
  });

  it.each([
    [{ messagesPerSecond: 0 }, 'messagesPerSecond must be a whole number from 1, got 0'],
    [{ limitPerSecond: 2.5 }, 'limitPerSecond must be a whole number from 1, got 2.5'],
    [{ marginMs: Number.NaN }, 'marginMs must not be negative, got NaN'],
    [{ history: { open: 0 } }, 'history.open must be a number from 1, got 0'],
  ])('refuses %o', (options, message) => {
    expect(() => createPacer(options)).toThrow(
      expect.objectContaining({ code: 'ERR_IB_OPTION', kind: 'usage', message }),
    );
  });
});

describe('the pacing of history', () => {
  it('holds an identical request back for 15 seconds', async () => {
    const { clock, send, times } = start({ marginMs: 50 });
    for (let i = 0; i < 3; i++) void send(String(i), history({ series: String(i) }));
    await clock.advance(40_000);
    expect(times()).toEqual([0, 15_050, 30_100]);
  });

  it('lets no 6 of one contract, exchange and tick type go within 2 seconds, and others pass', async () => {
    const { clock, send, names } = start({ marginMs: 50 });
    for (let i = 0; i < 7; i++) void send(`a${i}`, history({ identity: `a${i}` }));
    void send('b', history({ identity: 'b', series: 'b' }));
    void send('request');
    await clock.settle();
    expect(names()).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b', 'request']);
    await clock.advance(2050);
    expect(names()).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b', 'request', 'a5', 'a6']);
  });

  it('lets 60 go in 10 minutes; one that counts twice waits for two places, which nobody takes from it', async () => {
    const { clock, send, names, sent } = start();
    for (let i = 0; i < 59; i++)
      void send('single', history({ identity: `${i}`, series: `${i}` })).then(() => {});
    await clock.advance(5000);
    for (const { over } of sent) over();
    await clock.advance(5000);
    for (const { over } of sent) over();
    expect(names()).toHaveLength(59);
    void send('double', history({ identity: 'd', series: 'd', weight: 2 }));
    void send('later', history({ identity: 'l', series: 'l' }));
    await clock.advance(580_000);
    expect(names()).toHaveLength(59);
    await clock.advance(20_000);
    expect(names().slice(59)).toEqual(['double', 'later']);
  });

  it('leaves bars above 30 seconds alone, but for the number that is open', async () => {
    const { clock, pacer, send, sent } = start({ history: { open: 2 } });
    for (let i = 0; i < 4; i++) void send(String(i), history({ smallBars: false }));
    await clock.advance(60_000);
    expect(sent).toHaveLength(2);
    expect(pacer.snapshot().history).toMatchObject({ waiting: 2, open: 2, openLimit: 2, tenMinutes: 0 });
    sent[0]?.over();
    sent[0]?.over();
    await clock.settle();
    expect(sent).toHaveLength(3);
  });
});

const arrival = fc.record({
  afterMs: fc.integer({ min: 0, max: 400 }),
  kind: fc.constantFrom('request', 'request', 'urgent', 'history'),
  what: fc.integer({ min: 0, max: 5 }),
  weight: fc.constantFrom<1 | 2>(1, 2),
  openMs: fc.integer({ min: 0, max: 3000 }),
  aborts: fc.boolean(),
});

it('lets no window have more than allowed, and nothing starve, whatever comes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arrival, { maxLength: 80 }), async (arrivals) => {
      const clock = new VirtualClock();
      const pacer = createPacer({
        clock,
        limitPerSecond: 6,
        messagesPerSecond: 4,
        marginMs: 0,
        history: { perSeries: 2, perTenMinutes: 10, open: 3, identicalMs: 15_000 },
      });
      const sent: { at: number; message: Paced }[] = [];
      let open = 0;
      let settled = 0;
      for (const { afterMs, kind, what, weight, openMs, aborts } of arrivals) {
        await clock.advance(afterMs);
        const message =
          kind === 'history'
            ? history({ identity: `${what}`, series: `${what % 2}`, weight })
            : kind === 'urgent'
              ? URGENT
              : REQUEST;
        const abort = new AbortController();
        if (aborts) clock.setTimer(() => abort.abort(), openMs);
        const transmit = (): void => {
          sent.push({ at: clock.now(), message });
          if (message.kind === 'history') open++;
          expect(open).toBeLessThanOrEqual(3);
        };
        void pacer
          .send(message, transmit, abort.signal)
          .then(
            ({ over }) =>
              void clock.setTimer(() => {
                if (message.kind === 'history') open--;
                over();
              }, openMs),
            () => {},
          )
          .finally(() => settled++);
      }
      // Each of the histories counts twice at most, of which 10 go in ten minutes.
      await clock.advance((arrivals.length / 5 + 1) * 601_000);
      expect(settled).toBe(arrivals.length);
      expect(clock.timers.foreground).toBe(0);
      const timesOf = (kind: string): number[] =>
        sent.filter(({ message }) => message.kind === kind).map(({ at }) => at);
      expect(
        mostWithin(
          sent.map(({ at }) => at),
          1000,
        ),
      ).toBeLessThanOrEqual(5);
      expect(
        mostWithin(
          [...timesOf('request'), ...timesOf('history')].sort((a, b) => a - b),
          1000,
        ),
      ).toBeLessThanOrEqual(4);
      const histories = sent.flatMap(({ at, message }) =>
        message.kind === 'history' ? [{ at, ...message.history }] : [],
      );
      for (const { at, identity, series } of histories) {
        const before = histories.filter((other) => other.at <= at);
        expect(before.filter((other) => other.identity === identity && other.at > at - 15_000)).toHaveLength(
          1,
        );
        expect(
          before.filter((other) => other.series === series && other.at >= at - 2000).length,
        ).toBeLessThanOrEqual(2);
        const tenMinutes = before.filter((other) => other.at >= at - 600_000);
        expect(tenMinutes.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(10);
      }
    }),
    { numRuns: Number(process.env.POOLCTL_PROPERTY_RUNS ?? 200), seed: 20_260_101 },
  );
}, 120_000);

describe('the pacing that threads share', () => {
  it('has one budget for all ends', async () => {
    const pacer = createPacer({ messagesPerSecond: 3, urgentPerSecond: 3 });
    const channels = [new MessageChannel(), new MessageChannel()];
    const stops = channels.map(({ port1 }) => sharePacing(pacer, port1));
    const ends = channels.map(({ port2 }) => remotePacer(port2));
    const stamps: number[] = [];
    const all = [pacer, ...ends, pacer, ...ends].map((end) =>
      end.send(REQUEST, () => void stamps.push(performance.now())),
    );
    await Promise.all(all);
    expect(stamps).toHaveLength(6);
    expect(mostWithin(stamps, 1000)).toBeLessThanOrEqual(3);
    expect(ends[0]?.snapshot()).toMatchObject({ messagesPerSecond: 3 });
    for (const stop of stops) stop();
  });

  it('forgets what an end had waiting or open when its port closes', async () => {
    const pacer = createPacer({ messagesPerSecond: 2, history: { open: 1 } });
    const { port1, port2 } = new MessageChannel();
    sharePacing(pacer, port1);
    const end = remotePacer(port2);
    await end.send(history(), () => {});
    const waiting = end.send(history({ identity: 'b' }), () => {});
    waiting.catch(() => {});
    await eventually(() => pacer.snapshot().history?.waiting === 1);
    expect(pacer.snapshot().history).toMatchObject({ open: 1 });
    const closed = once(port1, 'close');
    end[Symbol.dispose]();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
    await expect(end.send(REQUEST, () => {})).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
    await closed;
    await eventually(() => pacer.snapshot().history?.open === 0);
    expect(pacer.snapshot()).toMatchObject({ waiting: 0 });
  });

  it('takes an abort across', async () => {
    const pacer = createPacer({ messagesPerSecond: 1 });
    const { port1, port2 } = new MessageChannel();
    const stop = sharePacing(pacer, port1);
    const end = remotePacer(port2);
    await end.send(REQUEST, () => {});
    const abort = new AbortController();
    const waiting = end.send(REQUEST, () => {}, abort.signal);
    await eventually(() => pacer.snapshot().waiting === 1);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await eventually(() => pacer.snapshot().waiting === 0);
    stop();
  });
});
