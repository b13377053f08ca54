import { seededRandom } from '../../../../base/random.js';
import type { Paced } from '../../../../ib/pacing.js';
import { history, REQUEST, show, UPKEEP, URGENT } from '../pacing-kit.js';
import type { Act, Stage } from '../stage.js';

/** Any message, at any time. */
export const pacingStorms: readonly Act[] = [1, 2, 3, 4].map((seed) => ({
  name: `a storm of messages, seed ${seed}`,
  isStorm: true,
  play: (s) => storm(s, seed),
}));

/** Anything that may be sent, at any time, with callers that leave and rests between. */
async function storm(s: Stage, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const pacer = s.pacer({
    limitPerSecond: 6 + pick(5),
    marginMs: pick(3) * 40,
    history: { identicalMs: 3000, perSeries: 2, perTenMinutes: 40, open: 4 },
  });
  const went: string[] = [];
  const flush = (): void => {
    for (let at = 0; at < went.length; at += 12) s.note(went.slice(at, at + 12).join(' '));
    went.length = 0;
  };
  for (let at = 0; at < 400; at++) {
    const kind = pick(8);
    const message: Paced =
      kind < 3
        ? REQUEST
        : kind < 5
          ? URGENT
          : kind === 5
            ? UPKEEP
            : history(`h${pick(6)}`, {
                series: `s${pick(3)}`,
                weight: pick(5) === 0 ? 2 : 1,
                smallBars: pick(4) > 0,
              });
    const abort = new AbortController();
    const name = `${at}${message.kind[0]}`;
    const slowMs = pick(4) === 0 ? pick(500) : null;
    const fails = pick(15) === 0;
    const stamp = (what: string): void => void went.push(`${what}${name}@${Math.round(s.clock.now())}`);
    const transmit = (): void | Promise<void> => {
      stamp('');
      if (slowMs === null) {
        if (fails) throw new Error('fails');
        return;
      }
      return new Promise(
        (resolve, reject) =>
          void s.clock.setTimer(() => (fails ? reject(new Error('fails')) : resolve()), slowMs),
      );
    };
    const openMs = pick(3000);
    pacer.send(message, transmit, pick(2) === 0 ? abort.signal : () => abort.signal).then(
      (sent) => {
        if (sent.waitedMs > 0) went.push(`(${Math.round(sent.waitedMs)})`);
        s.clock.setTimer(() => sent.over(), openMs);
      },
      () => stamp('!'),
    );
    if (pick(6) === 0) s.clock.setTimer(() => abort.abort(new Error('left')), pick(800));
    if (pick(40) === 0) pacer.backOff?.(pick(2) === 0 ? 'all' : 'history', pick(1500));
    if (pick(3) === 0) await s.pass(pick(5) === 0 ? pick(4000) : pick(300));
    if (at % 80 === 79) {
      flush();
      show(s, pacer);
    }
  }
  await s.pass(200_000);
  flush();
  show(s, pacer);
}
