/** Pool settings by kind of target: the defaults of each database driver. */
export const PROFILES = {
  sqlite: { poolSize: 10, maxOverflow: 20, poolTimeout: 10_000, poolRecycle: 600_000, prePing: true },
  direct: { poolSize: 20, maxOverflow: 30, poolTimeout: 30_000, poolRecycle: 3_600_000, prePing: true },
  pgbouncer: { poolSize: 5, maxOverflow: 10, poolTimeout: 10_000, poolRecycle: 1_800_000, prePing: true },
} as const;

export type Profile = keyof typeof PROFILES;

/** The same for HTTP: half of the connections are kept when idle. */
export const HTTP_PROFILES = {
  small: { poolSize: 10, maxKeepalive: 5, poolTimeout: 5000, connectTimeout: 10_000 },
  medium: { poolSize: 20, maxKeepalive: 10, poolTimeout: 5000, connectTimeout: 10_000 },
  large: { poolSize: 30, maxKeepalive: 15, poolTimeout: 5000, connectTimeout: 10_000 },
} as const;

export type HttpProfile = keyof typeof HTTP_PROFILES;

/** The defaults for a target over HTTP. */
export function httpPreset(profile: string | null) {
  const name = profile !== null && isHttpProfile(profile) ? profile : 'medium';
  return { name, values: { ...HTTP_PROFILES[name], maxOverflow: 0, poolRecycle: null, prePing: false } };
}

export function isHttpProfile(name: string): name is HttpProfile {
  return Object.hasOwn(HTTP_PROFILES, name);
}
