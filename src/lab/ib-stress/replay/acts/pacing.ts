import { createPacer, type Paced, type PacingOptions } from '../../../../ib/pacing.js';
import { history, REQUEST, SMALL, sender, show, UPKEEP, URGENT } from '../pacing-kit.js';
import { type Act, render } from '../stage.js';

/** Messages that wait for their turn. */
export const pacing: readonly Act[] = [
  {
    name: 'the limits that the options make',
    async play(s) {
      const options: readonly PacingOptions[] = [
        {},
        { limitPerSecond: 100 },
        { limitPerSecond: 1 },
        { limitPerSecond: 10, urgentPerSecond: 5 },
        { messagesPerSecond: 60 },
        { limitPerSecond: 7, messagesPerSecond: 4 },
        { marginMs: 0 },
        { limitPerSecond: 0 },
        { messagesPerSecond: 1.5 },
        { urgentPerSecond: -1 },
        { marginMs: -1 },
        { marginMs: Number.NaN },
        { history: { identicalMs: -1 } },
        { history: { perSeries: 0 } },
        { history: { perTenMinutes: 0 } },
        { history: { open: 0 } },
        { history: { identicalMs: 0, perSeries: 1, perTenMinutes: 1, open: 1 } },
        { enabled: false },
      ];
      for (const one of options)
        s.attempt(render(one), () => createPacer({ ...one, clock: s.clock }).budgets);
      s.attempt('an unknown option', () => createPacer({ maxPerSecond: 3 } as PacingOptions));
    },
  },
  {
    name: 'requests wait for the window, in their order',
    async play(s) {
      const pacer = s.pacer(SMALL);
      const send = sender(s, pacer);
      for (let at = 0; at < 7; at++) send(`request ${at}`, REQUEST);
      show(s, pacer);
      await s.pass(500);
      show(s, pacer);
      send('later', REQUEST);
      await s.pass(574);
      show(s, pacer);
      await s.pass(0.9);
      show(s, pacer);
      await s.pass(0.1);
      show(s, pacer);
      await s.pass(10_000);
      show(s, pacer);
      s.timers();
    },
  },
  {
    name: 'urgent messages go first, up to their own limit, and nine in a row',
    async play(s) {
      const pacer = s.pacer({ limitPerSecond: 4, messagesPerSecond: 2, urgentPerSecond: 4 });
      const send = sender(s, pacer);
      for (let at = 0; at < 4; at++) send(`request ${at}`, REQUEST);
      for (let at = 0; at < 24; at++) send(`urgent ${at}`, URGENT);
      send('history', history('a'));
      send('upkeep', UPKEEP);
      show(s, pacer);
      await s.pass(3000);
      show(s, pacer);
      send('more', URGENT);
      await s.pass(20_000);
      show(s, pacer);
      for (let at = 0; at < 12; at++) send(`urgent alone ${at}`, at % 3 === 0 ? UPKEEP : URGENT);
      await s.pass(1100);
      send('a request among them', REQUEST);
      await s.pass(20_000);
    },
  },
  {
    name: 'urgent messages one by one, and a request among them',
    async play(s) {
      const pacer = s.pacer({ limitPerSecond: 40, messagesPerSecond: 10, urgentPerSecond: 12 });
      const send = sender(s, pacer);
      for (let at = 0; at < 11; at++) send(`urgent ${at}`, URGENT);
      for (let at = 0; at < 3; at++) send(`request ${at}`, REQUEST);
      for (let at = 11; at < 22; at++) send(`urgent ${at}`, URGENT);
      show(s, pacer);
      await s.pass(5000);
      for (let at = 0; at < 8; at++) send(`free ${at}`, at % 2 === 0 ? URGENT : UPKEEP);
      send('between', REQUEST);
      for (let at = 0; at < 6; at++) send(`after ${at}`, URGENT);
      await s.pass(5000);
    },
  },
  {
    name: 'history: identical ones, series, ten minutes, open ones',
    async play(s) {
      const pacer = s.pacer({ history: { identicalMs: 15_000, perSeries: 2, perTenMinutes: 5, open: 3 } });
      const send = sender(s, pacer);
      send('a', history('a'));
      send('a again', history('a'));
      send('b1', history('b1', { series: 'b' }));
      send('b2', history('b2', { series: 'b' }));
      show(s, pacer);
      await s.pass(100);
      send.over('a');
      await s.pass();
      send('b3', history('b3', { series: 'b' }));
      send('c', history('c', { weight: 2 }));
      send('days', history('days', { smallBars: false }));
      send('request', REQUEST);
      show(s, pacer);
      await s.pass(3000);
      for (const name of ['b1', 'b2', 'b3']) send.over(name);
      await s.pass();
      show(s, pacer);
      await s.pass(20_000);
      for (const name of ['a again', 'c', 'days']) send.over(name);
      send('d', history('d', { weight: 2 }));
      send('e', history('e'));
      send('days again', history('days', { smallBars: false }));
      await s.pass(600_000);
      show(s, pacer);
      for (const name of ['d', 'e', 'days again']) send.over(name);
      send.over('e');
      await s.pass(700_000);
      show(s, pacer);
      s.timers();
    },
  },
  {
    name: 'the rules of history as they are by default',
    async play(s) {
      const pacer = s.pacer({ limitPerSecond: 5000 });
      const send = sender(s, pacer);
      for (let at = 0; at < 8; at++) send(`same series ${at}`, history(`s${at}`, { series: 's' }));
      for (let at = 0; at < 52; at++) send(`days ${at}`, history(`d${at}`, { smallBars: false }));
      await s.pass(2074);
      show(s, pacer);
      await s.pass(1);
      for (let at = 0; at < 45; at++) send.over(`days ${at}`);
      await s.pass(5000);
      show(s, pacer);
      for (let at = 0; at < 8; at++) send.over(`same series ${at}`);
      for (let at = 0; at < 56; at++) send(`other ${at}`, history(`o${at}`, { weight: at === 3 ? 2 : 1 }));
      for (let at = 0; at < 56; at++) send.over(`other ${at}`);
      show(s, pacer);
      await s.pass(700_000);
      show(s, pacer);
    },
  },
  {
    name: 'histories that are forgotten when they are many',
    async play(s) {
      const pacer = s.pacer({
        limitPerSecond: 100_000,
        history: { identicalMs: 10, perTenMinutes: 100_000, open: 100_000 },
      });
      let went = 0;
      for (let at = 0; at < 1200; at++) {
        void pacer.send(history(`h${at}`), () => void went++).then((sent) => sent.over());
        if (at % 100 === 99) await s.pass(300);
      }
      s.note(`${went} went`);
      const send = sender(s, pacer);
      send('the last again', history('h1199'));
      send('an old one', history('h1'));
      await s.pass(1000);
      show(s, pacer);
    },
  },
  {
    name: 'histories wait in the way of nobody, and nobody overtakes a heavy one',
    async play(s) {
      const pacer = s.pacer({ ...SMALL, history: { perTenMinutes: 3, open: 10 } });
      const send = sender(s, pacer);
      send('a', history('a'));
      send('b', history('b', { weight: 2 }));
      send('heavy', history('heavy', { weight: 2 }));
      send('light', history('light'));
      send('request 1', REQUEST);
      send('days', history('days', { smallBars: false }));
      send('request 2', REQUEST);
      for (const name of ['a', 'b', 'heavy', 'light', 'days']) send.over(name);
      await s.pass(10_000);
      show(s, pacer);
      await s.pass(590_000);
      show(s, pacer);
      await s.pass(700_000);
      show(s, pacer);
    },
  },
  {
    name: 'rests: of all, and of history alone',
    async play(s) {
      const pacer = s.pacer({ limitPerSecond: 20 });
      const send = sender(s, pacer);
      pacer.backOff?.('all', 1000);
      send('request', REQUEST);
      send('history', history('a'));
      send('urgent', URGENT);
      send('upkeep', UPKEEP);
      show(s, pacer);
      await s.pass(400);
      pacer.backOff?.('all', 100);
      pacer.backOff?.('history', 5000);
      await s.pass(599);
      show(s, pacer);
      await s.pass(1);
      show(s, pacer);
      send('another', REQUEST);
      await s.pass(4399);
      show(s, pacer);
      await s.pass(2);
      pacer.backOff?.('all', 300);
      for (let at = 0; at < 12; at++) send(`urgent ${at}`, URGENT);
      send('held', REQUEST);
      await s.pass(1000);
      pacer.backOff?.('history', 200);
      send('free', REQUEST);
      send('history again', history('c'));
      await s.pass(3000);
      s.timers();
    },
  },
  {
    name: 'a rest of history that ends while another must be over first',
    async play(s) {
      const pacer = s.pacer({ history: { open: 1 } });
      const send = sender(s, pacer);
      send('a', history('a'));
      send('b', history('b'));
      pacer.backOff?.('history', 100);
      show(s, pacer);
      for (const ms of [99, 1, 1, 50]) {
        await s.pass(ms);
        show(s, pacer);
      }
      send.over('a');
      await s.pass();
      show(s, pacer);
    },
  },
  {
    name: 'messages that go by another thread count from their turn on',
    async play(s) {
      const pacer = s.pacer({ ...SMALL, history: { open: 1 } });
      const send = sender(s, pacer);
      send('slow', REQUEST, 700);
      send('slow too', URGENT, 300);
      send('next', REQUEST);
      send('history', history('a', { smallBars: false }), 900);
      send('history behind', history('b', { smallBars: false }), 10);
      show(s, pacer);
      await s.pass(1500);
      show(s, pacer);
      send.over('history');
      await s.pass(3000);
      send.over('history behind');
      send('same', history('same'), 400);
      send('same again', history('same'), 400);
      await s.pass(2000);
      send.over('same');
      show(s, pacer);
      await s.pass(20_000);
      show(s, pacer);
    },
  },
  {
    name: 'messages that fail count all the same',
    async play(s) {
      const pacer = s.pacer({ ...SMALL, history: { open: 1 } });
      const fail = (name: string, message: Paced, afterMs: number | null): void =>
        s.watch(
          name,
          pacer.send(message, () => {
            s.note(`${name} goes`);
            if (afterMs === null) throw new Error('at once');
            return new Promise(
              (_, reject) => void s.clock.setTimer(() => reject(new Error('later')), afterMs),
            );
          }),
        );
      fail('a', REQUEST, null);
      fail('b', history('b'), null);
      fail('c', history('c'), 50);
      fail('d', history('d'), null);
      await s.pass(30);
      show(s, pacer);
      await s.pass(5000);
      show(s, pacer);
    },
  },
  {
    name: 'one that has room waits for one in front of it that counts twice, without looking again and again',
    async play(s) {
      const pacer = s.pacer({ history: { perTenMinutes: 3, perSeries: 3 } });
      const send = sender(s, pacer);
      for (const name of ['a', 'b']) send(name, history(name));
      await s.pass(500);
      send('twice', history('c', { weight: 2 }));
      send('once', history('d'));
      await s.pass();
      show(s, pacer);
      await s.pass(2000);
      show(s, pacer);
      await s.pass(600_000);
      show(s, pacer);
    },
  },
  {
    name: 'callers that leave the queue',
    async play(s) {
      const pacer = s.pacer(SMALL);
      const send = sender(s, pacer);
      const aborts = [0, 1, 2, 3, 4].map(() => new AbortController());
      const leave = (at: number): void => aborts[at]?.abort(new Error(`left ${at}`));
      leave(4);
      s.watch(
        'left before',
        pacer.send(REQUEST, () => s.note('must not go'), aborts[4]?.signal),
      );
      const asked = (name: string, at: number) => (): AbortSignal => {
        s.note(`${name} has to wait`);
        return (aborts[at] as AbortController).signal;
      };
      s.watch(
        'free',
        pacer.send(REQUEST, () => s.note('free goes'), asked('free', 0)),
      );
      s.watch(
        'free too',
        pacer.send(REQUEST, () => s.note('free too goes'), aborts[3]?.signal),
      );
      s.watch(
        'queued',
        pacer.send(REQUEST, () => s.note('queued goes'), asked('queued', 0)),
      );
      s.watch(
        'urgent',
        pacer.send(URGENT, () => s.note('urgent goes'), asked('urgent', 1)),
      );
      s.watch(
        'urgent queued',
        pacer.send(URGENT, () => s.note('urgent queued goes'), asked('urgent queued', 1)),
      );
      s.watch(
        'history',
        pacer.send(history('a'), () => s.note('history goes'), asked('history', 2)),
      );
      send('behind', REQUEST);
      show(s, pacer);
      await s.pass(100);
      leave(0);
      leave(1);
      show(s, pacer);
      leave(2);
      leave(3);
      await s.pass(1000);
      show(s, pacer);
      await s.pass(5000);
      s.timers();
    },
  },
  {
    name: 'a message that sets off others in its turn',
    async play(s) {
      const pacer = s.pacer({ limitPerSecond: 4, messagesPerSecond: 4, urgentPerSecond: 4 });
      const send = sender(s, pacer);
      s.watch(
        'outer',
        pacer.send(REQUEST, () => {
          s.note('outer goes');
          send('inner request', REQUEST);
          send('inner urgent', URGENT);
        }),
      );
      for (let at = 0; at < 4; at++) send(`after ${at}`, REQUEST);
      s.watch(
        'queued outer',
        pacer.send(REQUEST, () => {
          s.note('queued outer goes');
          send('queued inner', URGENT);
        }),
      );
      await s.pass(10_000);
      show(s, pacer);
    },
  },
  {
    name: 'without a pacing',
    async play(s) {
      const pacer = createPacer({ clock: s.clock, enabled: false });
      const send = sender(s, pacer);
      pacer.backOff('all', 10_000);
      for (let at = 0; at < 60; at++) send(`request ${at}`, at % 20 === 7 ? history('same') : REQUEST);
      show(s, pacer);
      await s.pass(2000);
      show(s, pacer);
    },
  },
];
