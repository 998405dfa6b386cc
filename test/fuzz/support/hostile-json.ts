import * as fc from 'fast-check';

/** Texts that break readers: halves of surrogate pairs, NUL, quotes, names of JavaScript's own properties. */
export const hostileText = (): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.array(fc.nat({ max: 0xffff }), { maxLength: 30 }).map(fromUnits) },
    fc.string({ maxLength: 60 }),
    fc.constantFrom(
      '__proto__',
      'constructor',
      'toString',
      'valueOf',
      'length',
      'then',
      '\0',
      '\ud800',
      '\ufeff',
      '../../etc/passwd',
      'NaN',
      '1e999',
    ),
  );

const fromUnits = (units: readonly number[]): string => String.fromCharCode(...units);

const scalar = (): fc.Arbitrary<unknown> =>
  fc.oneof(
    hostileText(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(null, -1, -0, 0.5, 1e308, 2 ** 53, 2 ** 63, 2 ** 64, Number.MAX_SAFE_INTEGER),
  );

/** A value of JSON's that no one would write, with objects that cannot be turned into texts or numbers among them. */
export const hostileValue = (): fc.Arbitrary<unknown> =>
  fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'value' },
      scalar(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(hostileText(), tie('value'), { maxKeys: 4 }),
      fc.constantFrom<unknown>({ toString: null, valueOf: null }, { toJSON: 1 }, [[[]]], {}),
      fc.constant(nested(3000)),
    ),
  })).value;

/** `[[[…]]]`, deeper than a recursive function can follow when there are some thousands of levels more. */
export function nested(depth: number): unknown {
  return JSON.parse(nestedText(depth));
}

/** The same as text. */
export function nestedText(depth: number, inner = ''): string {
  return '['.repeat(depth) + inner + ']'.repeat(depth);
}

/** A valid value with one or more of its parts replaced, removed or doubled. */
export function broken(valid: unknown): fc.Arbitrary<unknown> {
  const places = pathsOf(valid, [], 4);
  const change = fc.tuple(fc.constantFrom(...places), fc.option(hostileValue(), { nil: REMOVED }));
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce((value, [path, part]) => replaced(value, path, part), valid));
}

const REMOVED = Symbol('removed');

function pathsOf(value: unknown, path: readonly string[], depth: number): (readonly string[])[] {
  if (typeof value !== 'object' || value === null || depth === 0) return [path];
  // Long lists and vocabularies are alike throughout.
  const keys = Object.keys(value).slice(0, 24);
  const inside = keys.flatMap((key) =>
    pathsOf((value as Record<string, unknown>)[key], [...path, key], depth - 1),
  );
  return [path, ...inside];
}

/** A copy: what generators give is shared between cases. */
function replaced(value: unknown, path: readonly string[], part: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return part === REMOVED ? null : part;
  if (typeof value !== 'object' || value === null) return value;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<
    string,
    unknown
  >;
  if (rest.length === 0 && part === REMOVED) delete copy[key];
  else copy[key] = replaced(copy[key], rest, part);
  return copy;
}

/** Bytes of a valid file with some of them changed, cut out, doubled or cut off. */
export function brokenBytes(valid: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.oneof(
    fc.nat({ max: valid.length }),
    // Files tell where things are at their ends.
    fc.nat({ max: Math.min(64, valid.length) }),
    fc.nat({ max: Math.min(400, valid.length) }).map((distance) => valid.length - distance),
  );
  const change = fc.record({
    at,
    bytes: fc.oneof(fc.uint8Array({ maxLength: 9 }), fc.constantFrom(...EXTREMES)),
    cut: fc.oneof(fc.constant(-1), fc.nat({ max: 12 })),
  });
  return fc
    .tuple(fc.array(change, { minLength: 1, maxLength: 4 }), fc.option(at, { freq: 8 }))
    .map(([changes, end]) => {
      const whole = changes.reduce<Uint8Array>(
        (bytes, { at: from, bytes: inserted, cut }) =>
          Buffer.concat([
            bytes.subarray(0, from),
            inserted,
            bytes.subarray(from + (cut < 0 ? inserted.length : cut)),
          ]),
        valid,
      );
      return end === null ? whole : whole.subarray(0, end);
    });
}

const EXTREMES = [
  new Uint8Array(8).fill(0xff),
  new Uint8Array(8),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
  Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x80),
];
