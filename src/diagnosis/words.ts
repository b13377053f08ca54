/** A time as a cell shows it: `850us`, `12ms`, `1.5s`, `41s`, `2m05s`, `3h12m`, `2d04h`. null (not measured) is `-`. */
export function shortTime(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return '-';
  if (ms <= 0) return '0';
  if (ms < 1) return `${Math.max(1, Math.round(ms * 1000))}us`;
  if (ms < 999.5) return ms < 9.95 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}

/** A rate as a cell shows it: `0.4`, `12`, `1.2k`. */
export function shortRate(perSecond: number | null): string {
  if (perSecond === null || !Number.isFinite(perSecond)) return '-';
  if (perSecond === 0) return '0';
  if (perSecond < 9.95) return perSecond.toFixed(1);
  if (perSecond < 9995) return String(Math.round(perSecond));
  return `${(perSecond / 1000).toFixed(1)}k`;
}

/** `src/orders.ts:88` of `/app/src/orders.ts:88:21`: relative where it can be, and without the column. */
export function shortSite(site: string | null, cwd: string): string {
  if (site === null) return '-';
  const place = site.replace(/^file:\/\//, '').replace(/^(.*:\d+):\d+$/, '$1');
  if (cwd !== '' && place.startsWith(`${cwd}/`)) return place.slice(cwd.length + 1);
  const parts = place.split('/');
  const from = parts.findLastIndex((part) => part === 'src' || part === 'lib' || part === 'dist');
  if (from > 0) return parts.slice(from).join('/');
  return parts.length > 3 ? parts.slice(-2).join('/') : place;
}

/** `1 lease`, `3 leases`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
