import type { CodeRule, CodeSubject } from './code-types.js';

/** Messages that place an order, try one out, or change one. */
const PLACE: readonly CodeSubject[] = ['order', 'what-if', 'modify'];
const SUBSCRIBE: readonly CodeSubject[] = ['market data'];
/** Everything but orders. */
const READ: readonly CodeSubject[] = [
  'market data',
  'depth',
  'history',
  'scanner',
  'contract',
  'account',
  'orders',
  'connection',
];
const READ_ONLY_HINT =
  "clear 'Read-Only API' in the gateway's settings (Configure > API > Settings), and log in with trading rights";
const SHARE_HINT = 'let all that talks to this gateway share one pacing';
const DELAYED_HINT = "ask for delayed data: marketDataType: 'delayed'";
const SESSION_HINT = 'log the other session out, or let the two use different users';
const TIME_HINT = "write times as '20260105-15:59:00' (UTC), or as '20260105 15:59:00 US/Eastern'";

/**
 * The codes of TWS and IB Gateway. Sources: IB's message codes, and what public clients have reported of real gateways.
 * A rule with a text stands before the rule of the same code that has none.
 */
export const BUILT_IN: readonly CodeRule[] = [
  // Pacing.
  { codes: 0, class: 'pacing', appliesTo: ['connection'], summary: 'close to the message rate' },
  { codes: 100, class: 'pacing', summary: 'message rate exceeded', error: 'ERR_IB_PACING', hint: SHARE_HINT },
  {
    codes: [162, 420],
    class: 'pacing',
    text: /pacing violation/i,
    summary: 'too many requests for history',
    error: 'ERR_IB_HISTORY_PACING',
    hint: SHARE_HINT,
  },
  {
    codes: 322,
    class: 'pacing',
    text: /only \d+ simultaneous .*historical/i,
    summary: 'too many open requests for history',
    error: 'ERR_IB_HISTORY_PACING',
    hint: SHARE_HINT,
  },

  // Orders: the message had no effect.
  {
    codes: 103,
    class: 'refusal',
    appliesTo: ['order', 'modify'],
    summary: 'the order id was used before',
    error: 'ERR_IB_DUPLICATE_ID',
  },
  { codes: 104, class: 'refusal', appliesTo: ['modify'], summary: 'the order is already filled' },
  {
    codes: 105,
    class: 'refusal',
    appliesTo: ['modify'],
    summary: 'fields differ from those of the live order',
  },
  { codes: [106, 107], class: 'refusal', appliesTo: PLACE, summary: 'the order is incomplete' },
  { codes: 109, class: 'refusal', appliesTo: PLACE, summary: 'the price is outside the percentage preset' },
  {
    codes: 110,
    class: 'refusal',
    appliesTo: PLACE,
    summary: 'the price is off the minimum increment',
    hint: 'round the price to the minTick of the contract',
  },
  {
    codes: [
      114, 115, 117, 118, 119, 120, 121, 125, 126, 129, 142, 144, 147, 148, 153, 155, 156, 167, 168, 332, 333,
      335, 339, 340, 359, 367, 368, 369, 370, 371, 372, 373, 374, 375, 376, 377, 378, 379, 380, 389, 390, 393,
      394, 397, 398, 402, 405, 408, 409, 410, 415, 416, 417, 418, 419, 425, 427, 428, 429, 432, 433, 445, 446,
      447, 448, 449, 450,
    ],
    class: 'refusal',
    appliesTo: PLACE,
    summary: 'the order is not valid, or not allowed',
  },
  { codes: 137, class: 'refusal', appliesTo: ['cancel'], summary: 'it is too late to cancel the order' },
  { codes: 444, class: 'refusal', appliesTo: ['modify'], summary: 'the order is not acknowledged yet' },
  { codes: [111, 113, 116], class: 'refusal', appliesTo: PLACE, summary: 'the time in force does not fit' },
  {
    codes: [132, 133],
    class: 'refusal',
    appliesTo: ['order', 'what-if'],
    summary: 'the order was not submitted',
  },
  { codes: 134, class: 'refusal', appliesTo: ['modify'], summary: 'the modification failed' },
  { codes: 135, class: 'refusal', appliesTo: ['cancel', 'modify'], summary: 'no order has this id' },
  { codes: 136, class: 'refusal', appliesTo: ['cancel'], summary: 'the order cannot be canceled' },
  { codes: [140, 141, 143, 145], class: 'refusal', summary: 'a field is not valid' },
  {
    codes: [146, 151, 152, 154, 157, 158, 159, 160, 163, 164],
    class: 'refusal',
    appliesTo: PLACE,
    summary: 'an attribute of the order is not valid',
  },
  { codes: 161, class: 'refusal', appliesTo: ['cancel'], summary: 'the order is not in a cancelable state' },
  { codes: 203, class: 'refusal', summary: 'the account may not trade this', error: 'ERR_IB_ORDER_REJECTED' },
  {
    codes: [
      311, 312, 313, 314, 315, 325, 328, 334, 336, 337, 338, 341, 342, 343, 345, 347, 348, 349, 350, 351, 352,
      353, 355, 356, 358, 360, 361, 362, 363, 364, 382, 383, 387, 388, 391, 392, 395, 396, 400, 401, 403, 406,
      407, 411, 412, 413, 421, 422, 423, 424, 426, 435, 436, 437, 438, 439, 440, 441, 442, 443, 451, 460, 461,
      463,
    ],
    class: 'refusal',
    appliesTo: PLACE,
    summary: 'the order is not valid, or not allowed',
  },
  { codes: 329, class: 'refusal', appliesTo: ['modify'], summary: 'the order type cannot change' },
  { codes: 434, class: 'refusal', appliesTo: ['order', 'what-if'], summary: 'the size is zero' },
  { codes: 2102, class: 'refusal', appliesTo: ['modify'], summary: 'the order is still being processed' },
  {
    codes: 10_006,
    class: 'refusal',
    appliesTo: PLACE,
    summary: 'the parent order is not known',
    hint: 'place the parent first, and the child some 50 ms later',
  },
  {
    codes: [10_005, 10_015],
    class: 'refusal',
    appliesTo: ['order', 'modify', 'cancel', 'what-if'],
    summary: 'trading is not allowed over this API',
    error: 'ERR_IB_READ_ONLY',
    hint: READ_ONLY_HINT,
  },
  {
    codes: [
      10_000, 10_001, 10_002, 10_003, 10_007, 10_008, 10_009, 10_010, 10_011, 10_012, 10_013, 10_014, 10_020,
      10_021, 10_022, 10_023, 10_024, 10_025, 10_026, 10_027, 10_058, 10_231, 10_232, 10_234, 10_235, 10_236,
      10_237, 10_238, 10_239, 10_240, 10_274, 10_286, 10_287, 10_289, 10_290, 10_291, 10_292, 10_293, 10_294,
      10_296, 10_297, 10_298, 10_302, 10_303, 10_304, 10_305, 10_306, 10_307, 10_308, 10_311, 10_312, 10_316,
      10_317, 10_318, 10_319, 10_321, 10_324, 10_325, 10_336, 10_340, 10_342, 10_343, 10_344, 10_345, 10_355,
    ],
    class: 'refusal',
    appliesTo: PLACE,
    summary: 'the order is not valid, or not allowed',
  },
  {
    codes: [10_241, 10_242],
    class: 'refusal',
    appliesTo: ['modify'],
    summary: 'this size cannot change over the API',
  },
  {
    codes: [10_326, 10_327, 10_341],
    class: 'refusal',
    appliesTo: ['modify'],
    summary: 'the parent and the group of an order cannot change',
    hint: 'cancel the order, and place another one',
  },
  {
    codes: { from: 10_243, to: 10_254 },
    class: 'refusal',
    appliesTo: PLACE,
    summary: 'this size is not for the API',
  },
  {
    codes: [10_268, 10_269, 10_270],
    class: 'refusal',
    appliesTo: PLACE,
    summary: 'the order has an attribute that is no longer supported',
    hint: 'leave out eTradeOnly, firmQuoteOnly and nbboPriceCap',
  },
  { codes: 10_147, class: 'refusal', appliesTo: ['cancel'], summary: 'the order to cancel was not found' },
  {
    codes: 10_148,
    class: 'advisory',
    text: /pending_?cancel/i,
    appliesTo: ['cancel'],
    summary: 'the order is being canceled already',
  },
  {
    codes: 10_148,
    class: 'refusal',
    appliesTo: ['cancel'],
    summary: 'the order cannot be canceled any more',
  },
  {
    codes: 10_149,
    class: 'refusal',
    appliesTo: ['order', 'what-if', 'modify', 'cancel'],
    summary: 'the order id is not valid',
    hint: 'order ids count from 1',
  },

  // Orders: the broker has ended them.
  {
    codes: 201,
    class: 'ended',
    appliesTo: ['order', 'modify', 'what-if'],
    summary: 'the broker rejected the order',
  },
  { codes: 202, class: 'ended', appliesTo: ['order', 'modify', 'cancel'], summary: 'the order was canceled' },

  // Orders that go on.
  { codes: 131, class: 'advisory', appliesTo: PLACE, summary: 'the display size is ignored' },
  { codes: [399, 404], class: 'advisory', appliesTo: PLACE, summary: 'a remark on an order that stands' },
  { codes: [10_018, 10_019], class: 'advisory', appliesTo: PLACE, summary: 'an EV rule warning' },
  { codes: 10_233, class: 'advisory', appliesTo: PLACE, summary: 'defaults come from a preset' },
  { codes: 481, class: 'advisory', appliesTo: PLACE, summary: 'the size was reduced' },
  {
    codes: [10_331, 10_332, 10_333, 10_347],
    class: 'advisory',
    appliesTo: PLACE,
    summary: 'a warning about an order of this kind',
  },
  { codes: 10_349, class: 'advisory', appliesTo: PLACE, summary: 'the time in force comes from a preset' },

  // Requests.
  {
    codes: 101,
    class: 'refusal',
    appliesTo: READ,
    summary: 'no market data line is free',
    error: 'ERR_IB_TOO_MANY_LINES',
    hint: 'end subscriptions that are not needed; 100 lines are the usual limit',
  },
  { codes: 102, class: 'refusal', summary: 'the request id is in use', error: 'ERR_IB_DUPLICATE_ID' },
  {
    codes: [162, 420, 10_187, 10_189],
    class: 'refusal',
    text: /different IP/i,
    summary: 'another session of this user takes the data',
    error: 'ERR_IB_NOT_SUBSCRIBED',
    hint: SESSION_HINT,
  },
  { codes: 162, class: 'refusal', summary: 'no history', error: 'ERR_IB_HISTORY' },
  { codes: 165, class: 'notice', appliesTo: ['scanner', 'history'], summary: 'a message about a query' },
  {
    codes: 166,
    class: 'refusal',
    appliesTo: ['history'],
    summary: 'the contract has expired',
    error: 'ERR_IB_HISTORY',
  },
  {
    codes: 200,
    class: 'refusal',
    summary: 'no such contract, or more than one',
    error: 'ERR_IB_NO_CONTRACT',
    hint: 'say more of the contract: secType, exchange, currency, or its conId',
  },
  { codes: [300, 310, 365, 366], class: 'notice', summary: 'there was nothing to cancel' },
  {
    codes: [309, 10_190],
    class: 'refusal',
    summary: 'too many streams of this kind',
    error: 'ERR_IB_TOO_MANY_LINES',
  },
  { codes: [316, 10_092], class: 'refusal', appliesTo: ['depth'], summary: 'no market depth' },
  { codes: 317, class: 'advisory', appliesTo: ['depth', 'market data'], summary: 'the book begins anew' },
  {
    codes: [122, 123, 124, 10_016, 10_017, 10_172],
    class: 'refusal',
    summary: 'there is nothing of that kind',
  },
  {
    codes: [138, 139, 301, 302, 303, 304, 305, 306, 307, 308, 324, 381, 384, 431],
    class: 'refusal',
    summary: 'the gateway could not read the request',
  },
  { codes: 357, class: 'refusal', summary: 'the client is too old for this request' },
  { codes: [319, 323], class: 'refusal', summary: 'the gateway could not process the request' },
  { codes: 320, class: 'refusal', summary: 'the gateway could not read the request' },
  {
    codes: 321,
    class: 'refusal',
    text: /read-only/i,
    summary: 'the API of this gateway is read-only',
    error: 'ERR_IB_READ_ONLY',
    hint: READ_ONLY_HINT,
  },
  {
    // It has no id, and refuses what only advisors send: no other request is meant.
    codes: 321,
    class: 'notice',
    text: /\bFA data operations\b/i,
    summary: 'only for advisor accounts',
  },
  {
    codes: 321,
    class: 'refusal',
    text: /account/i,
    summary: 'the account is missing or not known',
    error: 'ERR_IB_ACCOUNT',
    hint: 'pass one of the accounts that managedAccounts() lists',
  },
  { codes: 321, class: 'refusal', summary: 'the request is not valid', error: 'ERR_IB_REQUEST' },
  {
    codes: 322,
    class: 'refusal',
    summary: 'the request could not be processed',
    error: 'ERR_IB_DUPLICATE_ID',
  },
  { codes: 327, class: 'refusal', appliesTo: ['orders'], summary: 'only client id 0 may do this' },
  {
    codes: [330, 331, 344, 346],
    class: 'refusal',
    summary: 'only for advisor accounts',
    error: 'ERR_IB_ACCOUNT',
  },
  {
    codes: 354,
    class: 'refusal',
    appliesTo: READ,
    summary: 'no subscription to this data',
    error: 'ERR_IB_NOT_SUBSCRIBED',
    hint: DELAYED_HINT,
  },
  { codes: [385, 386], class: 'refusal', summary: 'the request id is in use', error: 'ERR_IB_DUPLICATE_ID' },
  { codes: [414, 420, 430], class: 'refusal', summary: 'the request is not valid' },
  { codes: 492, class: 'advisory', appliesTo: ['scanner'], summary: 'results lack some permissions' },
  {
    codes: [10_089, 10_090, 10_091],
    class: 'advisory',
    appliesTo: SUBSCRIBE,
    summary: 'part of the data needs a subscription',
    error: 'ERR_IB_NOT_SUBSCRIBED',
    hint: DELAYED_HINT,
  },
  {
    codes: 10_167,
    class: 'advisory',
    appliesTo: SUBSCRIBE,
    summary: 'delayed data follows',
    error: 'ERR_IB_NOT_SUBSCRIBED',
  },
  {
    codes: [10_168, 10_186],
    class: 'refusal',
    summary: 'no subscription, and delayed data is not enabled',
    error: 'ERR_IB_NOT_SUBSCRIBED',
    hint: DELAYED_HINT,
  },
  {
    codes: [10_182, 10_187, 10_189, 10_225, 10_295, 10_299, 10_339, 10_346],
    class: 'refusal',
    summary: 'the data cannot be delivered',
  },
  {
    codes: [10_300, 10_301, 10_314, 10_315, 10_330],
    class: 'refusal',
    summary: 'a date or a time is not valid',
    hint: TIME_HINT,
  },
  { codes: 10_285, class: 'advisory', text: /^\s*warning:/i, summary: 'fractions of a size are cut off' },
  { codes: 10_285, class: 'refusal', summary: 'the client is too old for fractional sizes' },
  { codes: [10_309, 10_322, 10_337, 10_338], class: 'refusal', summary: 'the request is not valid' },
  {
    codes: 10_197,
    class: 'advisory',
    appliesTo: ['market data', 'depth', 'history'],
    summary: 'another session of this user takes the data',
    error: 'ERR_IB_NOT_SUBSCRIBED',
    hint: SESSION_HINT,
  },
  { codes: [2150, 2187, 2188], class: 'advisory', summary: 'the answer is not complete' },
  { codes: { from: 10_276, to: 10_284 }, class: 'refusal', summary: 'the calendar is not available' },
  { codes: 10_230, class: 'refusal', appliesTo: ['account'], summary: 'advisor settings are not saved' },

  // The state of links, and the end of connections.
  { codes: [1100, 2110], class: 'connection', summary: 'the gateway lost its connection to IB' },
  { codes: [1101, 1102], class: 'connection', summary: 'the connection to IB is restored' },
  {
    codes: [2103, 2104, 2105, 2106, 2107, 2108, 2119, 2157, 2158],
    class: 'connection',
    summary: 'the state of a data farm',
  },
  {
    codes: 326,
    class: 'fatal',
    appliesTo: ['connection'],
    summary: 'the client id is in use',
    error: 'ERR_IB_CLIENT_ID_IN_USE',
  },
  { codes: 1300, class: 'fatal', appliesTo: ['connection'], summary: 'the gateway moves to another port' },
  { codes: [2100, 2101], class: 'notice', summary: 'account updates changed hands' },
  {
    codes: [2109, 2113, 2129, 2137, 2148, 2168, 2169, 2176],
    class: 'advisory',
    appliesTo: PLACE,
    summary: 'an attribute of the order was changed',
  },

  // Messages of the client library itself about what it did not send.
  { codes: { from: 501, to: 592 }, class: 'refusal', summary: 'the client library did not send the message' },
  // IB's range for warnings.
  { codes: { from: 2100, to: 2199 }, class: 'advisory', summary: 'a warning' },
];
