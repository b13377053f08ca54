import type { Field } from './frames.js';
import type { Order } from './model.js';
import type { Reply } from './replies.js';
import { Since } from './versions.js';

/**
 * An order that is open, with its contract and all that was said of it: some hundred fields, most of which are empty
 * unless the order is of a kind that the gateway does not play.
 *
 * The layout is that of the vendor's clients. @stoqey/ib 1.6.10 does not look for the model code where a server is older
 * than 145 (it asks the message's version instead of the server's), so that at 103 to 144 it is one field out of step.
 */
export function openOrder({ instrument, terms, ...order }: Order, version: number): Reply {
  const since = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version >= gate ? fields : [];
  const until = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version < gate ? fields : [];
  const isPegged = /^PEG ?BENCH$/.test(terms.orderType);
  return [
    5,
    ...until(Since.orderContainer, MESSAGE_VERSION),
    order.id,
    ...[instrument.conId, instrument.symbol, instrument.secType, instrument.expiry, instrument.strike],
    ...[instrument.right, instrument.multiplier, instrument.exchange, instrument.currency],
    ...[instrument.localSymbol, instrument.tradingClass],
    ...[terms.action, order.quantity, terms.orderType, terms.limitPrice, terms.auxPrice, terms.timeInForce],
    ...named({ ocaGroup: '' }),
    terms.account,
    ...named({ openClose: '', origin: 0 }),
    terms.reference,
    ...[order.clientId, order.permId],
    ...named({ outsideRth: 0, hidden: 0, discretionaryAmount: 0, goodAfterTime: '', sharesAllocation: '' }),
    ...named({ adviserGroup: '', adviserMethod: '', adviserPercentage: '' }),
    ...until(Since.adviserProfilesGone, ''),
    ...since(Since.models, ''),
    ...named({ goodTillDate: '', rule80A: '', percentOffset: '', settlingFirm: '' }),
    ...named({ shortSaleSlot: 0, designatedLocation: '', exemptCode: -1, auctionStrategy: 0 }),
    ...named({ startingPrice: '', stockReferencePrice: '', delta: '', rangeLower: '', rangeUpper: '' }),
    ...named({ displaySize: '', blockOrder: 0, sweepToFill: 0, allOrNone: 0, minQuantity: '', ocaType: 0 }),
    ...named({ eTradeOnly: 0, firmQuoteOnly: 0, nbboPriceCap: '', parentId: 0, triggerMethod: 0 }),
    ...named({ volatility: '', volatilityType: 0, deltaNeutralType: '', deltaNeutralPrice: '' }),
    ...named({ continuousUpdate: 0, referencePriceType: 0, trailStopPrice: '', trailingPercent: '' }),
    ...named({ basisPoints: '', basisPointsType: '', comboLegsText: '', comboLegs: 0, legPrices: 0 }),
    ...named({ routingParams: 0, scaleInitialSize: '', scaleNextSize: '', scaleIncrement: '' }),
    ...named({ hedgeType: '', optOutSmartRouting: 0, clearingAccount: '', clearingIntent: 'IB' }),
    ...named({ notHeld: 0, deltaNeutral: 0, algorithm: '', solicited: 0, whatIf: 0 }),
    order.status,
    ...since(Since.whatIfMargins, ...empty(6)),
    ...named({ marginAfter: '', maintenanceAfter: '', equityAfter: '' }),
    ...named({ commission: '', leastCommission: '', mostCommission: '', commissionCurrency: '' }),
    ...since(Since.fullOrderPreview, ...empty(12), ...named({ allocations: 0 })),
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

/** Before orders had their container, the message had a version of its own, and this was the last. */
const MESSAGE_VERSION = 34;

/** Fields in the order in which they are written; the names say what they are. */
function named(fields: Readonly<Record<string, Field>>): readonly Field[] {
  return Object.values(fields);
}

function empty(count: number): readonly Field[] {
  return Array.from({ length: count }, () => '');
}
