import type { HistoryFacts } from '../../../ib/history-log.js';
import type { Paced, Pacer, PacingOptions } from '../../../ib/pacing.js';
import { render, type Stage } from './stage.js';

export const REQUEST: Paced = { kind: 'request' };
export const URGENT: Paced = { kind: 'urgent' };
export const UPKEEP: Paced = { kind: 'upkeep' };
/** A pacing that is full at once. */
export const SMALL: PacingOptions = { limitPerSecond: 4, messagesPerSecond: 2, urgentPerSecond: 3 };

export function history(identity: string, more: Partial<HistoryFacts> = {}): Paced {
  return { kind: 'history', history: { identity, series: identity, weight: 1, smallBars: true, ...more } };
}

/** Sends messages under names; notes when each goes, and how long it waited. */
export interface Sender {
  (name: string, message: Paced, slowMs?: number): void;
  /** The request for history is over. */
  over(name: string): void;
}

export function sender(s: Stage, pacer: Pacer): Sender {
  const open = new Map<string, () => void>();
  const send = (name: string, message: Paced, slowMs: number | null = null): void => {
    const sent = pacer.send(message, () => {
      s.note(`${name} goes`);
      if (slowMs !== null) return new Promise((resolve) => void s.clock.setTimer(resolve, slowMs));
    });
    s.watch(
      name,
      sent.then(({ waitedMs, over }) => {
        if (open.get(name) === over) over();
        open.set(name, over);
        return waitedMs;
      }),
    );
  };
  return Object.assign(send, {
    over(name: string): void {
      s.note(`${name} is over${open.has(name) ? '' : ', and was not sent'}`);
      open.get(name)?.();
    },
  });
}

export function show(s: Stage, pacer: Pacer): void {
  s.timers();
  const { wait, ...rest } = pacer.snapshot() ?? {};
  s.note(`pacing: ${render({ ...rest, waits: wait?.count, waitedUs: wait })}`);
}
