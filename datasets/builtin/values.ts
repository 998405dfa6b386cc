import type { Draw } from './draw.ts';
import type { SlotName, WordSlot } from './slots.ts';

/** A parameter's value as the ground truth has it and as the user says it. */
export interface SlotValue {
  readonly value: string | number;
  /** The user's words for it, unit included. */
  readonly spoken: string;
  /** What a careless labeller copies from the request: the user's words, without a unit after a number. */
  readonly raw: string;
}

const ONES =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = ['twenty', 'thirty', 'forty', 'fifty'];
const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');

const twoDigits = (n: number): string => String(n).padStart(2, '0');

/** The values of a kind of number, and what each can be called besides its digits and its number word. */
const NUMBERS: {
  readonly [slot in 'minutes' | 'count' | 'degrees']: {
    readonly values: readonly number[];
    readonly idioms: readonly (readonly [string, number])[];
  };
} = {
  minutes: {
    values: [...range(2, 20), 25, 30, 35, 40, 45, 50, 55, 60, 90, 120],
    idioms: [
      ['half an hour', 30],
      ['an hour', 60],
      ['two hours', 120],
    ],
  },
  count: {
    values: range(2, 20),
    idioms: [
      ['a dozen', 12],
      ['a couple', 2],
    ],
  },
  degrees: { values: range(5, 30), idioms: [] },
};

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

function numberWord(n: number): string | undefined {
  return n < 20 ? ONES[n] : n % 10 === 0 ? TENS[n / 10 - 2] : undefined;
}

function drawNumber(
  slot: keyof typeof NUMBERS,
  unit: string | undefined,
  normalise: boolean,
  draw: Draw,
): SlotValue {
  const { values, idioms } = NUMBERS[slot];
  const suffix = unit === undefined ? '' : ` ${unit}`;
  if (!normalise) {
    const value = draw.pick(values);
    return { value, spoken: `${value}${suffix}`, raw: String(value) };
  }
  if (idioms.length > 0 && draw.chance(0.35)) {
    const [words, value] = draw.pick(idioms);
    return { value, spoken: slot === 'count' ? `${words}${suffix}` : words, raw: words };
  }
  const value = draw.pick(values.filter((n) => numberWord(n) !== undefined));
  const words = numberWord(value) ?? String(value);
  return { value, spoken: `${words}${suffix}`, raw: words };
}

function drawTime(normalise: boolean, draw: Draw): SlotValue {
  if (!normalise) {
    const value = `${twoDigits(draw.below(24))}:${twoDigits(5 * draw.below(12))}`;
    return { value, spoken: value, raw: value };
  }
  const form = draw.below(10);
  if (form === 0) return { value: '12:00', spoken: 'noon', raw: 'noon' };
  const hour = 1 + draw.below(11);
  if (form <= 2) {
    const words = `half past ${ONES[hour]}`;
    return { value: `${twoDigits(hour)}:30`, spoken: words, raw: words };
  }
  const evening = draw.chance(0.6);
  const words = `${hour} ${evening ? 'pm' : 'am'}`;
  return { value: `${twoDigits(evening ? hour + 12 : hour)}:00`, spoken: words, raw: words };
}

function drawDate(normalise: boolean, draw: Draw): SlotValue {
  const month = draw.below(12);
  const day = 1 + draw.below(28);
  const value = `${twoDigits(month + 1)}-${twoDigits(day)}`;
  const spoken = normalise ? `${MONTHS[month]} ${day}` : value;
  return { value, spoken, raw: spoken };
}

/**
 * Draws the value of a slot that is not a word.
 * @param normalise the user says it in words, and the ground truth is its normal form
 */
export function drawValue(
  slot: Exclude<SlotName, WordSlot>,
  unit: string | undefined,
  normalise: boolean,
  draw: Draw,
): SlotValue {
  if (slot === 'time') return drawTime(normalise, draw);
  if (slot === 'date') return drawDate(normalise, draw);
  return drawNumber(slot, unit, normalise, draw);
}
