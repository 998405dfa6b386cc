/** The types that a tool listing shows for its parameters. */
type SlotType = 'str' | 'int' | 'time' | 'date';

/** What a parameter means: its type, and the keys under which tools ask for it. */
export interface SlotKind {
  readonly type: SlotType;
  readonly keys: readonly string[];
}

/** The twelve kinds of slots. */
export const SLOTS = {
  time: { type: 'time', keys: ['time', 'hour', 'clock', 'moment'] },
  date: { type: 'date', keys: ['date', 'day', 'due', 'when'] },
  minutes: { type: 'int', keys: ['minutes', 'mins', 'length', 'span'] },
  count: { type: 'int', keys: ['count', 'number', 'amount', 'size'] },
  degrees: { type: 'int', keys: ['degrees', 'temp', 'level', 'target'] },
  person: { type: 'str', keys: ['person', 'who', 'contact', 'user'] },
  city: { type: 'str', keys: ['city', 'place', 'town', 'location'] },
  item: { type: 'str', keys: ['item', 'product', 'thing', 'good'] },
  label: { type: 'str', keys: ['label', 'title', 'tag', 'topic'] },
  room: { type: 'str', keys: ['room', 'area', 'zone', 'spot'] },
  color: { type: 'str', keys: ['color', 'tone', 'shade', 'hue'] },
  ticker: { type: 'str', keys: ['ticker', 'symbol', 'code', 'paper'] },
} as const satisfies { readonly [name: string]: SlotKind };

export type SlotName = keyof typeof SLOTS;
/** The slots whose values are words. */
export type WordSlot = 'person' | 'city' | 'item' | 'label' | 'room' | 'color' | 'ticker';

/** Whether a slot's values are words. */
export function isWordSlot(slot: SlotName): slot is WordSlot {
  return SLOTS[slot].type === 'str';
}
