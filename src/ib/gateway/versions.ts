/** The versions of the text protocol that the gateway can be; what changes with them is in replies.ts and requests.ts. */
export const LEAST_SERVER_VERSION = 100;
/** From 201 on messages are binary (protobuf), which the gateway does not speak. */
export const MOST_SERVER_VERSION = 200;
/** The newest that @stoqey/ib 1.6.10 knows. */
export const DEFAULT_SERVER_VERSION = 193;

/**
 * The server versions at which a layout changes that the gateway uses. Numbers from min-server-version.ts of
 * @stoqey/ib 1.6.10, and server_versions.rs of rust-ibapi, which agree.
 */
export const Since = {
  mdSizeMultiplier: 110,
  smartComponents: 114,
  aggGroup: 121,
  underlyingInfo: 122,
  /** History loses its version and its hasGaps field. */
  syntheticRealtimeBars: 124,
  marketRules: 126,
  marketCapPrice: 131,
  realExpirationDate: 134,
  orderContainer: 145,
  stockType: 152,
  escapedTexts: 153,
  fractionalSize: 163,
  sizeRules: 164,
  advancedOrderReject: 166,
  /** Times of bars name their zone. */
  instrumentTimeZone: 174,
  bondIssuer: 176,
  lastTradeDate: 182,
  ineligibilityReasons: 186,
  /** Cancelling an order loses its version. */
  cmeTagging: 192,
  /** Errors lose their version and gain their time. */
  errorTime: 194,
  /** The range of a history is a message of its own, behind it. */
  historyEnd: 196,
} as const;

/** The version that both speak; null if there is none. */
export function negotiate(
  hello: { readonly fromVersion: number; readonly toVersion: number },
  serverVersion: number,
): number | null {
  const version = Math.min(hello.toVersion, serverVersion);
  return version < hello.fromVersion || version < LEAST_SERVER_VERSION ? null : version;
}
