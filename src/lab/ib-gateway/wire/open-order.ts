import type { Field } from './frames.js';
import type { Margins, Order } from './model.js';
import type { Reply } from './replies.js';
import { Since } from './versions.js';

/**
 * An order with its contract, its terms and, for a what-if, its margins: some hundred fields, most of which are empty
 * unless the order is of a kind that the gateway does not simulate.
 *
 * The layout is that of the vendor's clients. @stoqey/ib 1.6.10 does not look for the model code where a server is older
 * than 145 (it asks the message's version instead of the server's), so that at 103 to 144 it is one field out of step.
 */
export function openOrder({ instrument, terms, preview, ...order }: Order, version: number): Reply {
  const since = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version >= gate ? fields : [];
  const until = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version < gate ? fields : [];
  const commission = preview?.commission ?? order.commission ?? '';
  const isPegged = /^PEG ?BENCH$/.test(terms.orderType);
  return [
    5,
    ...until(Since.orderContainer, MESSAGE_VERSION),
    order.id,
    ...[instrument.conId, instrument.symbol, instrument.secType, instrument.expiry, instrument.strike],
    ...[instrument.right, instrument.multiplier, instrument.exchange, instrument.currency],
    ...[instrument.localSymbol, instrument.tradingClass],
    ...[terms.action, order.quantity, terms.orderType, terms.limitPrice, terms.auxPrice, terms.timeInForce],
    ...[terms.ocaGroup, terms.account, terms.openClose, terms.origin || 0, terms.reference],
    ...[order.clientId, order.permId, terms.outsideRth, terms.hidden, terms.discretionaryAmount || 0],
    ...[terms.goodAfterTime, ...named({ sharesAllocation: '' })],
    ...named({ adviserGroup: '', adviserMethod: '', adviserPercentage: '' }),
    ...until(Since.adviserProfilesGone, ''),
    ...since(Since.models, terms.modelCode),
    ...[terms.goodTillDate, terms.rule80A, terms.percentOffset, ...named({ settlingFirm: '' })],
    ...named({ shortSaleSlot: 0, designatedLocation: '', exemptCode: -1, auctionStrategy: 0 }),
    ...named({ startingPrice: '', stockReferencePrice: '', delta: '', rangeLower: '', rangeUpper: '' }),
    ...[terms.displaySize, ...named({ blockOrder: 0, sweepToFill: 0 })],
    ...[terms.allOrNone || 0, terms.minQuantity, terms.ocaType],
    ...named({ eTradeOnly: 0, firmQuoteOnly: 0, nbboPriceCap: '' }),
    ...[order.parentId, terms.triggerMethod || 0, terms.volatility, terms.volatilityType || 0],
    ...named({ deltaNeutralType: '', deltaNeutralPrice: '', continuousUpdate: 0, referencePriceType: 0 }),
    ...[terms.trailStopPrice, terms.trailingPercent],
    ...named({ basisPoints: '', basisPointsType: '', comboLegsText: '', comboLegs: 0, legPrices: 0 }),
    ...named({ routingParams: 0, scaleInitialSize: '', scaleNextSize: '', scaleIncrement: '' }),
    ...named({ hedgeType: '', optOutSmartRouting: 0, clearingAccount: '', clearingIntent: 'IB' }),
    ...named({ notHeld: 0, deltaNeutral: 0, algorithm: '', solicited: 0 }),
    ...[preview !== undefined, order.status],
    ...since(Since.whatIfMargins, ...margins(preview?.before), ...margins(preview?.change)),
    ...margins(preview?.after),
    ...[commission, ...named({ leastCommission: '', mostCommission: '' })],
    commission === '' ? '' : instrument.currency,
    ...since(
      Since.fullOrderPreview,
      ...[preview === undefined ? '' : instrument.currency, ...empty(11)],
      ...named({ allocations: 0 }),
    ),
    ...named({ warning: '', randomizeSize: 0, randomizePrice: 0 }),
    ...(isPegged ? since(Since.peggedToBenchmark, 0, 0, 0, 0, '') : []),
    ...since(Since.peggedToBenchmark, ...named({ conditions: 0, adjustedType: '', triggerPrice: '' })),
    ...since(Since.peggedToBenchmark, ...named({ stopPrice: '', limitOffset: '', adjustedStop: '' })),
    ...since(Since.peggedToBenchmark, ...named({ adjustedLimit: '', adjustedTrail: '', trailUnit: 0 })),
    ...since(Since.softDollarTier, ...named({ tierName: '', tierValue: '', tierShown: '' })),
    ...since(Since.cashQuantity, ''),
    ...since(Since.autoPriceForHedge, 0),
    ...since(Since.orderContainer, 0),
    ...since(Since.discretionaryPegged, 0),
    ...since(Since.priceManagement, 0),
    ...since(Since.orderDuration, ''),
    ...since(Since.postToAts, ''),
    ...since(Since.autoCancelParent, 0),
    ...since(Since.peggedOffsets, ...empty(5)),
    ...since(Since.customerAccount, ''),
    ...since(Since.professionalCustomer, 0),
    ...since(Since.bondAccruedInterest, ''),
    ...since(Since.includeOvernight, 0),
    ...since(Since.cmeTaggingInOpenOrder, ...named({ extOperator: '', manualIndicator: '' })),
    ...since(Since.submitter, ''),
    ...since(Since.imbalanceOnly, 0),
  ];
}

/** Amounts are decimal texts; none is sent where they were not asked for. */
function margins(given: Margins | undefined): readonly Field[] {
  if (given === undefined) return empty(3);
  return [given.initial, given.maintenance, given.equity].map((amount) => amount.toFixed(2));
}

/** Before orders had their container, the message had a version of its own, and this was the last. */
const MESSAGE_VERSION = 34;

/** Fields in the order in which they are written; the names say what they are. */
function named(fields: Readonly<Record<string, Field>>): readonly Field[] {
  return Object.values(fields);
}

function empty(count: number): readonly Field[] {
  return Array.from({ length: count }, () => '');
}
