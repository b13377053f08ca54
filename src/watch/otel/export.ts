import type { Clock } from '../../base/clock.js';
import { asError } from '../../base/promises.js';
import { maskSecrets } from '../../base/secrets.js';
import type { WatchedProcess } from '../process.js';
import type { Watcher } from '../watcher.js';
import { meterPools, registeredProvider } from './meter.js';
import { exportRequest, headersIn, metricsUrl, send } from './otlp.js';

/** An application may register its provider at any time. */
const LOOK_MS = 1000;
const INTERVAL_MS = 10_000;

/**
 * Exports the metrics of the watched pools by OpenTelemetry: into the meter provider of the application as soon as
 * it has one, else to `url` by OTLP over HTTP. Without both it only waits for a provider. Each failure is reported
 * once.
 */
export function exportMetrics(
  watcher: Watcher,
  self: WatchedProcess,
  clock: Clock,
  {
    url,
    name,
    tell,
  }: { readonly url: string | null; readonly name: string | null; readonly tell: (line: string) => void },
): void {
  const target = url === null ? null : metricsUrl(url);
  const headers = headersIn(self.env.OTEL_EXPORTER_OTLP_HEADERS);
  const intervalMs = Number(self.env.OTEL_METRIC_EXPORT_INTERVAL) || INTERVAL_MS;
  const resource = { app: self.app(name), serviceName: self.env.OTEL_SERVICE_NAME || null };
  let sentAt = Number.NEGATIVE_INFINITY;
  let problem: string | null = null;
  const push = async (to: URL): Promise<void> => {
    const { pools } = watcher.read();
    if (pools.length === 0) return;
    try {
      await send(to, headers, exportRequest(pools, resource, clock.wallTime()));
      problem = null;
    } catch (error) {
      const why = asError(error).message;
      if (why !== problem) tell(maskSecrets(`metrics cannot be sent to ${to.origin}: ${why}`));
      problem = why;
    }
  };
  const look = (): void => {
    const provider = registeredProvider();
    if (provider !== null) {
      try {
        meterPools(watcher, provider);
      } catch (error) {
        tell(`metrics cannot be given to the application's meter provider: ${asError(error).message}`);
      }
      return;
    }
    if (target !== null && clock.now() - sentAt >= intervalMs) {
      sentAt = clock.now();
      void push(target);
    }
    clock.setTimer(look, Math.min(LOOK_MS, intervalMs), { background: true });
  };
  clock.setTimer(look, Math.min(LOOK_MS, intervalMs), { background: true });
}
