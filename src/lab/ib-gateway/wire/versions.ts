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
  peggedToBenchmark: 102,
  models: 103,
  softDollarTier: 106,
  mdSizeMultiplier: 110,
  cashQuantity: 111,
  smartComponents: 114,
  aggGroup: 121,
  underlyingInfo: 122,
  /** History loses its version and its hasGaps field. */
  syntheticRealtimeBars: 124,
  marketRules: 126,
  marketCapPrice: 131,
  realExpirationDate: 134,
  autoPriceForHedge: 141,
  whatIfMargins: 142,
  orderContainer: 145,
  discretionaryPegged: 148,
  priceManagement: 151,
  stockType: 152,
  escapedTexts: 153,
  orderDuration: 158,
  postToAts: 160,
  autoCancelParent: 162,
  fractionalSize: 163,
  sizeRules: 164,
  advancedOrderReject: 166,
  peggedOffsets: 170,
  /** Times of bars name their zone. */
  instrumentTimeZone: 174,
  bondIssuer: 176,
  /** Orders lose their profile of a financial adviser. */
  adviserProfilesGone: 177,
  lastTradeDate: 182,
  customerAccount: 183,
  professionalCustomer: 184,
  bondAccruedInterest: 185,
  ineligibilityReasons: 186,
  includeOvernight: 189,
  /** Cancelling an order loses its version. */
  cmeTagging: 192,
  cmeTaggingInOpenOrder: 193,
  /** Errors lose their version and gain their time. */
  errorTime: 194,
  fullOrderPreview: 195,
  /** The range of a history is a message of its own, behind it. */
  historyEnd: 196,
  submitter: 198,
  imbalanceOnly: 199,
} as const;

/** The version that both speak; null if there is none. */
export function negotiate(
  hello: { readonly fromVersion: number; readonly toVersion: number },
  serverVersion: number,
): number | null {
  const version = Math.min(hello.toVersion, serverVersion);
  return version < hello.fromVersion || version < LEAST_SERVER_VERSION ? null : version;
}
