type Env = Readonly<Record<string, string | undefined>>;

/** Whether to color: NO_COLOR (no-color.org) wins over FORCE_COLOR, which wins over what the stream is. */
export function colorWanted(env: Env, isTty: boolean): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTty && env.TERM !== 'dumb';
}

/**
 * Whether the locale shows box and block characters. An unset locale is the C locale, so ASCII; on Windows and
 * macOS the terminal decides, and today's all can.
 */
export function unicodeWanted(env: Env, platform: string): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  if (locale === '') return platform === 'win32' || platform === 'darwin';
  return /utf-?8/i.test(locale);
}
