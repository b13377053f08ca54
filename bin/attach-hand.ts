import { type EnterOrder, enter } from '../src/attach/enter.js';
import type { HandNews } from '../src/attach/hand-news.js';
import { asError } from '../src/base/promises.js';

/**
 * The hand of `poolctl attach`: a process of its own for the time in which the inspector of the other process is open.
 * If poolctl is killed in that time, this one finishes: the watch finds nobody at its leash, takes everything back, and
 * closes the inspector.
 */
process.title = 'poolctl: attaches a process';
// A signal that ends poolctl, such as Ctrl-C in its terminal, must not end this one too.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

process.once('message', (order: EnterOrder) => {
  void enter(order, (pid, signal) => {
    if (process.connected) process.kill(pid, signal);
    else throw new Error('poolctl has ended');
  })
    .then(
      (entered): HandNews => ({ entered }),
      (thrown: unknown): HandNews => {
        const error = asError(thrown) as Error & { code?: string; hint?: string | null };
        return { code: error.code ?? null, message: error.message, hint: error.hint ?? null };
      },
    )
    .then((news) => {
      if (!process.connected) return;
      process.send?.(news, () => process.disconnect());
    });
});
