import { Interpreter, type Environment } from '@huggingface/jinja';

/** What one rendering may cost; the unit is one evaluation, a few µs. Real templates take some thousands. */
const MAX_COST = 1_000_000;

/** A value may weigh this much: characters of its texts, and one for each item of its lists and mappings. */
const MAX_WEIGHT = 1 << 24;

/** Statements and expressions within one another; a macro that calls itself adds three. */
const MAX_DEPTH = 400;
const DEPTH_OF_A_UNIT = 4;

/** Units for a character of a text, which may be looked through. */
const CHARACTER_COST = 1 / 32;

/** Units for an item of a list or mapping that is named, made, or looped over. */
const ITEM_COSTS = { named: 1 / 8, made: 4, looped: 32 } as const;

/** Expressions that make nothing new. */
const NAMES: ReadonlySet<string> = new Set(['Identifier', 'MemberExpression']);

/** Methods of Python's mappings that templates call. */
const DICT_METHODS: ReadonlySet<string> = new Set(['get', 'items', 'keys', 'values']);

/** The library does not export it. */
interface MemberExpression {
  readonly computed: boolean;
  readonly object: Statement;
  readonly property: { readonly value?: string };
}

type Statement = Parameters<Interpreter['evaluate']>[0];
type RuntimeValue = ReturnType<Interpreter['evaluate']>;

/**
 * The library's interpreter with an end: a template that loops on and on, or whose values grow without limit, fails after the
 * same evaluation each time. Counted, not timed: a slow machine renders what a fast one does.
 */
export class BoundedInterpreter extends Interpreter {
  #cost = 0;
  #depth = 0;
  /** Weights of values that cannot change any more: a list that holds another one twice is weighed in one step. */
  readonly #weights = new WeakMap<object, number>();

  /** Expressions that a loop goes over. */
  readonly #looped = new WeakSet<object>();

  /** @throws Error beyond {@link MAX_COST}, {@link MAX_DEPTH} or {@link MAX_WEIGHT} */
  override evaluate(statement: Statement, environment: Environment): RuntimeValue {
    // A name is looked for in the scopes of all macros that called one another.
    this.#spend(1 + this.#depth / DEPTH_OF_A_UNIT);
    if (this.#depth > MAX_DEPTH) throw new Error(`it nests deeper than ${MAX_DEPTH} levels`);
    if (statement?.type === 'For') this.#noteLoop(statement);
    this.#depth++;
    let value;
    try {
      value = this.#methodOf(statement, environment) ?? super.evaluate(statement, environment);
    } finally {
      this.#depth--;
    }
    this.#spend(this.#costOf(statement, value));
    if (this.#weigh(value) > MAX_WEIGHT) {
      throw new Error(`a value of it is larger than ${MAX_WEIGHT} characters or items`);
    }
    return value;
  }

  /** `mapping.items` is the method, as in Python, also where the mapping has a key of that name; the library takes the key. */
  #methodOf(statement: Statement, environment: Environment): RuntimeValue | undefined {
    if (statement?.type !== 'MemberExpression') return undefined;
    const { computed, object, property } = statement as Statement & MemberExpression;
    if (computed || !DICT_METHODS.has(property.value ?? '')) return undefined;
    const value = this.evaluate(object, environment);
    if (value.type !== 'ObjectValue') return undefined;
    return value.builtins.get(property.value ?? '');
  }

  #spend(cost: number): void {
    this.#cost += cost;
    if (this.#cost > MAX_COST) throw new Error(`it takes more than ${MAX_COST} steps`);
  }

  /** `for x in list` and `for x in list if condition`. */
  #noteLoop(loop: object): void {
    const iterable = 'iterable' in loop ? loop.iterable : null;
    if (typeof iterable !== 'object' || iterable === null) return;
    const list = 'lhs' in iterable ? iterable.lhs : iterable;
    if (typeof list === 'object' && list !== null) this.#looped.add(list);
  }

  #costOf(statement: Statement, { value }: { readonly value: unknown }): number {
    if (typeof value === 'string') return value.length * CHARACTER_COST;
    const items = Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0;
    if (items === 0 || statement === undefined) return 0;
    if (this.#looped.has(statement)) return items * ITEM_COSTS.looped;
    return items * (NAMES.has(statement.type) ? ITEM_COSTS.named : ITEM_COSTS.made);
  }

  #weigh(wrapped: unknown): number {
    if (typeof wrapped !== 'object' || wrapped === null || !('value' in wrapped)) return 1;
    const known = this.#weights.get(wrapped);
    if (known !== undefined) return known;
    const { value } = wrapped;
    if (typeof value === 'string') return 1 + value.length;
    const parts = partsOf(value);
    if (parts === null) return 1;
    let weight = 1;
    for (const part of parts) weight += this.#weigh(part);
    // A namespace is the one thing that a template can change.
    if (!('type' in wrapped) || wrapped.type !== 'NamespaceValue')
      this.#weights.set(wrapped, weight);
    return weight;
  }
}

function partsOf(value: unknown): Iterable<unknown> | null {
  if (Array.isArray(value)) return value as unknown[];
  return value instanceof Map ? (value as Map<unknown, unknown>).values() : null;
}
