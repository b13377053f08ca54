import { type Format, formatsOf, type Renderer, type Report, rendererOf } from '../../src/report/registry.js';

/** The renderers of a report by format, loaded. */
export async function renderersOf<R extends Report>(report: R): Promise<Record<Format<R>, Renderer<R>>> {
  const entries = formatsOf(report).map(
    async (format) => [format, await rendererOf(report, format)] as const,
  );
  return Object.fromEntries(await Promise.all(entries)) as Record<Format<R>, Renderer<R>>;
}
