/** The versions of the text protocol that the gateway speaks. */
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
  depthExchangeGroups: 120,
  aggGroup: 121,
  underlyingInfo: 122,
  /** History loses its version and its hasGaps field. */
  syntheticRealtimeBars: 124,
  marketRules: 126,
  /** Profit and loss gain the part that is not realized, and at 135 the one that is. */
  unrealizedProfit: 129,
  marketCapPrice: 131,
  realExpirationDate: 134,
  realizedProfit: 135,
  /** Executions lose their version and gain which side added liquidity. */
  lastLiquidity: 136,
  /** Tick-by-tick requests gain how many past ticks are wanted. */
  tickByTickHistory: 140,
  autoPriceForHedge: 141,
  whatIfMargins: 142,
  orderContainer: 145,
  scannerOptions: 143,
  discretionaryPegged: 148,
  completedOrders: 150,
  priceManagement: 151,
  stockType: 152,
  escapedTexts: 153,
  orderDuration: 158,
  postToAts: 160,
  autoCancelParent: 162,
  fractionalSize: 163,
  sizeRules: 164,
  advancedOrderReject: 166,
  historicalSchedule: 168,
  peggedOffsets: 170,
  /** Times of bars name their zone. */
  instrumentTimeZone: 174,
  bondIssuer: 176,
  /** Orders lose their profile of a financial adviser. */
  adviserProfilesGone: 177,
  pendingPriceRevision: 178,
  lastTradeDate: 182,
  customerAccount: 183,
  professionalCustomer: 184,
  bondAccruedInterest: 185,
  ineligibilityReasons: 186,
  bondTradingHours: 188,
  includeOvernight: 189,
  /** The cancellation of an order has no version any more. */
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

/**
 * Versions whose layouts public clients read differently: the duration of an order at 158, and the fields of requests for
 * quotes at 187 to 189. The gateway takes the version below instead.
 */
const DISPUTED: Readonly<Record<number, number>> = { 158: 157, 187: 186, 188: 186, 189: 186 };

/** The version that both speak; null if there is none. */
export function negotiate(
  hello: { readonly fromVersion: number; readonly toVersion: number },
  serverVersion: number,
): number | null {
  const newest = Math.min(hello.toVersion, serverVersion);
  const version = DISPUTED[newest] ?? newest;
  return version < hello.fromVersion || version < LEAST_SERVER_VERSION ? null : version;
}
