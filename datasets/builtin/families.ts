import type { SlotName } from './slots.ts';

/** What an operation does; decides its verbs. */
export type OperationKind = 'add' | 'end' | 'ask' | 'send' | 'start' | 'book' | 'buy';

/** Six verbs a kind; no verb belongs to two kinds, so a verb tells sibling tools apart. */
export const VERBS: { readonly [kind in OperationKind]: readonly string[] } = {
  add: ['set', 'add', 'make', 'create', 'plan', 'save'],
  end: ['stop', 'cancel', 'delete', 'remove', 'drop', 'clear'],
  ask: ['check', 'get', 'show', 'read', 'find', 'fetch'],
  send: ['send', 'write', 'post', 'share', 'pass', 'push'],
  start: ['start', 'run', 'play', 'begin', 'open', 'launch'],
  book: ['book', 'reserve', 'order', 'hold', 'request', 'take'],
  buy: ['buy', 'trade', 'acquire', 'collect', 'pick', 'grab'],
};

/** Verbs of the `unseen` split. */
export const UNSEEN_VERBS: { readonly [kind in OperationKind]: readonly string[] } = {
  add: ['insert', 'define', 'put'],
  end: ['abort', 'erase', 'void'],
  ask: ['query', 'view', 'scan'],
  send: ['submit', 'relay', 'deliver'],
  start: ['boot', 'fire', 'ignite'],
  book: ['claim', 'secure', 'lease'],
  buy: ['gain', 'obtain', 'win'],
};

/** A parameter of an operation, the words that lead to it in the two request templates, and the unit after a number. */
export interface SlotUse {
  readonly slot: SlotName;
  readonly markers: readonly [string, string];
  readonly unit?: string;
}

export interface Operation {
  readonly kind: OperationKind;
  /** The second request template, which does not say the verb: only the noun and what is wanted. */
  readonly lead: string;
  /** In the order in which a request says them. */
  readonly slots: readonly SlotUse[];
}

export interface Family {
  readonly nouns: readonly [string, string];
  readonly unseenNouns: readonly [string, string];
  readonly operations: readonly Operation[];
}

const use = (slot: SlotName, first: string, second: string, unit?: string): SlotUse =>
  unit === undefined
    ? { slot, markers: [first, second] }
    : { slot, markers: [first, second], unit };

/** The sixteen families. `{noun}` in a lead stands for the tool's noun. */
export const FAMILIES: readonly Family[] = [
  {
    nouns: ['alarm', 'bell'],
    unseenNouns: ['siren', 'gong'],
    operations: [
      {
        kind: 'add',
        lead: 'wake me with the {noun}',
        slots: [use('time', 'at', 'for'), use('label', 'called', 'named')],
      },
      {
        kind: 'end',
        lead: 'no more {noun}',
        slots: [use('time', 'at', 'for'), use('label', 'called', 'named')],
      },
    ],
  },
  {
    nouns: ['timer', 'watch'],
    unseenNouns: ['dial', 'pacer'],
    operations: [
      {
        kind: 'start',
        lead: 'let the {noun} go',
        slots: [use('minutes', 'for', 'with', 'minutes'), use('label', 'called', 'named')],
      },
      { kind: 'end', lead: 'no more {noun}', slots: [use('label', 'called', 'named')] },
    ],
  },
  {
    nouns: ['event', 'meeting'],
    unseenNouns: ['gala', 'seminar'],
    operations: [
      {
        kind: 'add',
        lead: 'i have a new {noun}',
        slots: [use('person', 'with', 'for'), use('date', 'on', 'for'), use('time', 'at', 'from')],
      },
      {
        kind: 'end',
        lead: 'i cannot make the {noun}',
        slots: [use('person', 'with', 'for'), use('date', 'on', 'from')],
      },
    ],
  },
  {
    nouns: ['weather', 'forecast'],
    unseenNouns: ['climate', 'outlook'],
    operations: [
      {
        kind: 'ask',
        lead: 'how is the {noun}',
        slots: [use('city', 'in', 'for'), use('date', 'on', 'for')],
      },
    ],
  },
  {
    nouns: ['cart', 'basket'],
    unseenNouns: ['crate', 'tote'],
    operations: [
      {
        kind: 'add',
        lead: 'fill the {noun}',
        slots: [use('item', 'with', 'with'), use('count', 'times', 'times')],
      },
      { kind: 'end', lead: 'empty the {noun}', slots: [use('item', 'of', 'from')] },
    ],
  },
  {
    nouns: ['mail', 'letter'],
    unseenNouns: ['telegram', 'parcel'],
    operations: [
      {
        kind: 'send',
        lead: 'a {noun} must go',
        slots: [use('person', 'to', 'for'), use('label', 'about', 'on')],
      },
      {
        kind: 'ask',
        lead: 'is there any {noun}',
        slots: [use('person', 'from', 'by'), use('date', 'on', 'of')],
      },
    ],
  },
  {
    nouns: ['heat', 'boiler'],
    unseenNouns: ['furnace', 'stove'],
    operations: [
      {
        kind: 'add',
        lead: 'turn the {noun}',
        slots: [use('room', 'in', 'for'), use('degrees', 'to', 'at', 'degrees')],
      },
      { kind: 'end', lead: 'no more {noun}', slots: [use('room', 'in', 'for')] },
    ],
  },
  {
    nouns: ['light', 'lamp'],
    unseenNouns: ['bulb', 'torch'],
    operations: [
      {
        kind: 'start',
        lead: 'i want {noun}',
        slots: [
          use('room', 'in', 'for'),
          use('color', 'with', 'with'),
          use('minutes', 'for', 'after', 'minutes'),
        ],
      },
      { kind: 'end', lead: 'no more {noun}', slots: [use('room', 'in', 'for')] },
    ],
  },
  {
    nouns: ['song', 'track'],
    unseenNouns: ['ballad', 'tune'],
    operations: [
      {
        kind: 'start',
        lead: 'i want to hear the {noun}',
        slots: [use('label', 'called', 'named'), use('person', 'by', 'from')],
      },
    ],
  },
  {
    nouns: ['note', 'memo'],
    unseenNouns: ['diary', 'log'],
    operations: [
      {
        kind: 'send',
        lead: 'i want a new {noun}',
        slots: [use('label', 'about', 'on'), use('date', 'for', 'of')],
      },
      {
        kind: 'ask',
        lead: 'where is the {noun}',
        slots: [use('label', 'about', 'on'), use('date', 'from', 'of')],
      },
    ],
  },
  {
    nouns: ['taxi', 'ride'],
    unseenNouns: ['limo', 'tram'],
    operations: [
      {
        kind: 'book',
        lead: 'i need a {noun}',
        slots: [
          use('city', 'to', 'in'),
          use('time', 'at', 'for'),
          use('count', 'for', 'with', 'people'),
        ],
      },
    ],
  },
  {
    nouns: ['hotel', 'hostel'],
    unseenNouns: ['motel', 'lodge'],
    operations: [
      {
        kind: 'book',
        lead: 'i need a {noun}',
        slots: [
          use('city', 'in', 'at'),
          use('date', 'from', 'on'),
          use('count', 'for', 'with', 'people'),
        ],
      },
      {
        kind: 'end',
        lead: 'i cannot use the {noun}',
        slots: [use('city', 'in', 'at'), use('date', 'from', 'on')],
      },
    ],
  },
  {
    nouns: ['call', 'phone'],
    unseenNouns: ['pager', 'buzz'],
    operations: [
      {
        kind: 'start',
        lead: 'i want a {noun}',
        slots: [use('person', 'to', 'with'), use('time', 'at', 'from')],
      },
    ],
  },
  {
    nouns: ['stock', 'bond'],
    unseenNouns: ['fund', 'asset'],
    operations: [
      {
        kind: 'buy',
        lead: 'i want some {noun}',
        slots: [use('ticker', 'of', 'from'), use('count', 'times', 'times')],
      },
      {
        kind: 'ask',
        lead: 'how is the {noun}',
        slots: [use('ticker', 'of', 'from'), use('date', 'on', 'at')],
      },
    ],
  },
  {
    nouns: ['table', 'seat'],
    unseenNouns: ['booth', 'stool'],
    operations: [
      {
        kind: 'book',
        lead: 'i need a {noun}',
        slots: [
          use('count', 'for', 'with', 'people'),
          use('time', 'at', 'from'),
          use('person', 'under', 'by'),
        ],
      },
      {
        kind: 'end',
        lead: 'i cannot use the {noun}',
        slots: [use('person', 'under', 'by'), use('time', 'at', 'from')],
      },
    ],
  },
  {
    nouns: ['task', 'chore'],
    unseenNouns: ['errand', 'duty'],
    operations: [
      {
        kind: 'add',
        lead: 'i have a new {noun}',
        slots: [use('label', 'called', 'named'), use('date', 'by', 'for')],
      },
      { kind: 'end', lead: 'i am done with the {noun}', slots: [use('label', 'called', 'named')] },
    ],
  },
];
