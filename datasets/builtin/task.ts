import { drawFor } from './draw.ts';
import type { Draw } from './draw.ts';
import { FAMILIES } from './families.ts';
import type { Family, Operation, SlotUse } from './families.ts';
import { isWordSlot, SLOTS } from './slots.ts';
import { diversePool, nounsOf, verbsOf, wordsOf } from './splits.ts';
import type { BuiltinSplit } from './splits.ts';
import { drawValue } from './values.ts';
import type { SlotValue } from './values.ts';

export const LEVELS = [0, 1, 2, 3, 4] as const;
/** 0: one word; 1: up to two slots; 2: values to normalise; 3: two calls; 4: three calls. */
export type Level = (typeof LEVELS)[number];

/** One parameter of a tool, with the value that a request gives it. */
export interface Argument extends SlotValue {
  readonly key: string;
  readonly type: string;
}

/** A tool of the listing; `args` of a tool that is not called are only its signature. */
export interface Tool {
  readonly name: string;
  readonly args: readonly Argument[];
}

/** A task before it is written down. */
export interface Task {
  readonly level: Level;
  /** As listed. */
  readonly tools: readonly Tool[];
  /** Those of the tools that the request asks for, in its order. */
  readonly called: readonly Tool[];
  readonly request: string;
}

/** What the tools of one task share. */
interface Setting {
  readonly level: Level;
  readonly split: BuiltinSplit;
  /** Probability that a noun, verb, key or word is taken from the diverse pool. */
  readonly diversity: number;
  readonly draw: Draw;
}

interface Choice {
  readonly family: Family;
  readonly operation: Operation;
}

const CHOICES: readonly Choice[] = FAMILIES.flatMap((family) =>
  family.operations.map((operation) => ({ family, operation })),
);

const hasWord = (operation: Operation): boolean =>
  operation.slots.some(({ slot }) => isWordSlot(slot));
const canNormalise = (operation: Operation): boolean =>
  operation.slots.some(({ slot }) => !isWordSlot(slot));

const CHOICES_OF_LEVEL: { readonly [level in Level]: readonly Choice[] } = {
  0: CHOICES.filter(({ operation }) => hasWord(operation)),
  1: CHOICES,
  2: CHOICES.filter(({ operation }) => canNormalise(operation)),
  3: CHOICES,
  4: CHOICES,
};

/** Shares of demonstrations whose names and words are the corpus's own, and of other words in the rest. */
const PLAIN_DEMONSTRATIONS = 0.45;
const DIVERSITY = 0.6;

/** How many slots a tool has: a number up to the level's most, or for levels 3 and 4 exactly `wide` ? 2 : 1. */
function numberOfSlots(level: Level, wide: boolean, draw: Draw): number {
  if (level === 0) return 1;
  if (level >= 3) return wide ? 2 : 1;
  return 1 + draw.below(level + 1);
}

/** Levels 3 and 4: how often one of the calls, and each distractor, has two slots. */
const WIDE_CALLS = 0.7;
const WIDE_DISTRACTORS = 0.4;

/** Which slots of an operation a tool has, in the request's order. */
function drawSlots(
  operation: Operation,
  level: Level,
  wide: boolean,
  draw: Draw,
): readonly SlotUse[] {
  const { slots } = operation;
  const size = numberOfSlots(level, wide, draw);
  const first =
    level === 0
      ? slots.filter(({ slot }) => isWordSlot(slot))
      : level === 2
        ? slots.filter(({ slot }) => !isWordSlot(slot))
        : slots;
  const wanted = new Set([draw.pick(first)]);
  for (const slot of draw.shuffle(slots)) if (wanted.size < size) wanted.add(slot);
  return slots.filter((slot) => wanted.has(slot));
}

/** Share of normalised values among those that can be, by level; level 2 has at least one. */
const NORMALISED: { readonly [level in Level]: number } = { 0: 0, 1: 0, 2: 0.6, 3: 0.25, 4: 0.25 };

function drawArgument(use: SlotUse, normalise: boolean, setting: Setting): Argument {
  const { split, diversity, draw } = setting;
  const { type, keys } = SLOTS[use.slot];
  const key = draw.chance(diversity) ? draw.pick(diversePool()) : draw.pick(keys);
  if (isWordSlot(use.slot)) {
    const word = draw.chance(diversity)
      ? draw.pick(diversePool())
      : draw.pick(wordsOf(use.slot, split));
    return { key, type, value: word, spoken: word, raw: word };
  }
  return { key, type, ...drawValue(use.slot, use.unit, normalise, draw) };
}

function drawArguments(slots: readonly SlotUse[], setting: Setting): readonly Argument[] {
  const { level, draw } = setting;
  const sure = level === 2 ? draw.pick(slots.filter(({ slot }) => !isWordSlot(slot))) : undefined;
  const keys = new Set<string>();
  return slots.map((use) => {
    const normalise = use === sure || draw.chance(NORMALISED[level]);
    let argument = drawArgument(use, normalise, setting);
    while (keys.has(argument.key)) argument = drawArgument(use, normalise, setting);
    keys.add(argument.key);
    return argument;
  });
}

interface NamedTool extends Tool, Choice {
  readonly noun: string;
  readonly verb: string;
  readonly slots: readonly SlotUse[];
}

/**
 * A tool of this operation.
 * @param wide it has two slots where the level fixes their number (3 and 4) and the operation has as many
 * @param like gives its noun or its verb, to make two tools hard to tell apart
 */
function drawTool(
  choice: Choice,
  setting: Setting,
  wide: boolean,
  like: { readonly noun?: string; readonly verb?: string } = {},
): NamedTool {
  const { split, diversity, draw } = setting;
  const noun =
    like.noun ??
    (draw.chance(diversity) ? draw.pick(diversePool()) : draw.pick(nounsOf(choice.family, split)));
  const { kind } = choice.operation;
  const verb =
    like.verb ??
    (draw.chance(diversity) ? draw.pick(diversePool()) : draw.pick(verbsOf(noun, kind, split)));
  const slots = drawSlots(choice.operation, setting.level, wide, draw);
  return {
    ...choice,
    noun,
    verb,
    name: `${noun}_${verb}`,
    slots,
    args: drawArguments(slots, setting),
  };
}

/** A distractor from the called tool's own family: its noun with another operation, or its operation with another noun. */
function drawSibling(tool: NamedTool, setting: Setting): NamedTool {
  const { draw, split, level } = setting;
  const { family, operation, noun, verb } = tool;
  const others = CHOICES_OF_LEVEL[level].filter(
    (choice) => choice.family === family && choice.operation !== operation,
  );
  if (others.length > 0 && draw.chance(0.6))
    return drawTool(draw.pick(others), setting, false, { noun });
  const nouns = nounsOf(family, split).filter((other) => other !== noun);
  const other = draw.pick(nouns);
  const shared = verbsOf(other, operation.kind, split).includes(verb);
  return drawTool(
    { family, operation },
    setting,
    false,
    shared ? { noun: other, verb } : { noun: other },
  );
}

function numberOfTools(level: Level, draw: Draw): number {
  if (level === 1) return 2;
  if (level === 4) return 4;
  return Math.max(level, 1) + draw.below(2);
}

/** A part of the request: what is wanted, then each value after its marker. */
function phrase(tool: NamedTool, setting: Setting): string {
  const { draw, split } = setting;
  const known = verbIsKnown(tool, split);
  const template = known && draw.chance(0.5) ? 1 : 0;
  const article = draw.pick(['the', 'the', 'my']);
  const lead =
    template === 1
      ? tool.operation.lead.replace('{noun}', tool.noun)
      : `${tool.verb} ${article} ${tool.noun}`;
  const parts = tool.slots.map((use, i) => {
    const argument = tool.args[i];
    const ownKey = (SLOTS[use.slot].keys as readonly string[]).includes(argument?.key ?? '');
    const marker = ownKey ? use.markers[template] : `with ${argument?.key ?? ''}`;
    return `${marker} ${argument?.spoken ?? ''}`;
  });
  return [lead, ...parts].join(' ');
}

/** Whether the verb need not be said: the policy can have learnt what it means. */
function verbIsKnown(tool: NamedTool, split: BuiltinSplit): boolean {
  const known = verbsOf(tool.noun, tool.operation.kind, 'demonstration');
  return split !== 'unseen' && known.includes(tool.verb);
}

/** Draws the task of a seed; the same parts give the same task. */
export function drawTask(
  level: Level,
  split: BuiltinSplit,
  ...seed: readonly (string | number)[]
): Task {
  const draw = drawFor('task', level, split, ...seed);
  const diverse = split === 'demonstration' && !draw.chance(PLAIN_DEMONSTRATIONS);
  const setting: Setting = { level, split, diversity: diverse ? DIVERSITY : 0, draw };
  const calls = level <= 2 ? 1 : level - 1;

  const tools: NamedTool[] = [];
  const families = new Set<Family>();
  const names = new Set<string>();
  const add = (wide: boolean): void => {
    const fresh = CHOICES_OF_LEVEL[level].filter(({ family }) => !families.has(family));
    const tool = drawTool(draw.pick(fresh), setting, wide);
    if (names.has(tool.name)) return;
    names.add(tool.name);
    families.add(tool.family);
    tools.push(tool);
  };
  // Of several calls one at most is wide, so that completions stay short.
  const wideCall = draw.chance(WIDE_CALLS) ? draw.below(calls) : -1;
  while (tools.length < calls) add(tools.length === wideCall);
  const called = [...tools];

  const size = numberOfTools(level, draw);
  if (size > tools.length && draw.chance(split === 'demonstration' ? 0.3 : 0.15)) {
    const sibling = drawSibling(draw.pick(called), setting);
    if (!names.has(sibling.name)) tools.push(sibling);
    names.add(sibling.name);
  }
  while (tools.length < size) add(draw.chance(WIDE_DISTRACTORS));

  const joins = draw.pick([' and ', ', then ', ' and also ', ' and then ']);
  const body = called.map((tool) => phrase(tool, setting)).join(joins);
  const please = draw.below(8);
  const request = please === 0 ? `please ${body}` : please === 1 ? `${body} please` : body;
  return { level, tools: draw.shuffle(tools), called, request };
}
