import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { onAbort } from '../../src/base/abort.js';
import { collectWarnings } from '../helpers/warnings.js';

describe('many who watch one signal', () => {
  it('share one listener, and cause no warning', async () => {
    const { signal } = new AbortController();
    const warnings = await collectWarnings(async () => {
      const stops = Array.from({ length: 10_000 }, () => onAbort(signal, () => {}));
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      for (const stop of stops) stop();
    });
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('are called in the order in which they came, each once', () => {
    const controller = new AbortController();
    const called: number[] = [];
    for (const i of [1, 2, 3]) onAbort(controller.signal, () => called.push(i));
    const same = (): void => void called.push(4);
    onAbort(controller.signal, same);
    onAbort(controller.signal, same);
    controller.abort();
    controller.signal.dispatchEvent(new Event('abort'));
    expect(called).toEqual([1, 2, 3, 4, 4]);
  });

  it('are not called once they have taken it back, even by one that is called before them', () => {
    const controller = new AbortController();
    const called: string[] = [];
    onAbort(controller.signal, () => {
      called.push('first');
      stop();
    });
    const stop = onAbort(controller.signal, () => called.push('second'));
    stop.call(null);
    const again = onAbort(controller.signal, () => called.push('third'));
    controller.abort();
    again();
    expect(called).toEqual(['first', 'third']);
  });

  it('do not stop each other by an error, which is uncaught', async () => {
    const controller = new AbortController();
    const called = vi.fn();
    const uncaught = new Promise((resolve) => {
      // The test runner listens too, and would fail the run.
      const others = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const other of others) process.on('uncaughtException', other);
        resolve(error);
      });
    });
    const failure = new Error('in a listener');
    onAbort(controller.signal, () => {
      throw failure;
    });
    onAbort(controller.signal, called);
    controller.abort();
    expect(called).toHaveBeenCalledOnce();
    expect(await uncaught).toBe(failure);
  });
});
