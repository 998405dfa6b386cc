import type { JsonValue } from '../../contracts/json.ts';

/**
 * What chat templates call, as Python and transformers define it: the library's own versions ignore arguments, strip
 * other characters, write small numbers otherwise or read the clock.
 *
 * A function gets what the template interpreter holds: plain texts, numbers and booleans, undefined also for none; lists and
 * mappings as arrays and maps of wrapped values; keyword arguments as such a map after all others.
 */
export type TemplateFunction = (...parameters: readonly unknown[]) => JsonValue;

/** Functions that a template may call by name. */
export const GLOBAL_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  raise_exception: (message) => {
    throw new Error(pythonText(message));
  },
  strftime_now: (format) => formatTime(pythonText(format)),
  range: (...bounds) => range(bounds.map(Number)),
};

/** Methods of texts, with the text as first parameter. */
export const TEXT_METHODS: Readonly<Record<string, TemplateFunction>> = {
  strip: (text, characters) => strip(text, characters, 'both'),
  lstrip: (text, characters) => strip(text, characters, 'start'),
  rstrip: (text, characters) => strip(text, characters, 'end'),
};

/** Filters, with the filtered value as first parameter. */
export const FILTERS: Readonly<Record<string, TemplateFunction>> = {
  trim: (text, characters) => strip(text, characters, 'both'),
  tojson: (value, ...rest) => toJson(value ?? null, jsonStyle(rest)),
};

const WHITE_SPACE = /\p{White_Space}/u;

/** For Python also the four separators of ASCII are white space. */
function isWhiteSpace(character: string): boolean {
  return WHITE_SPACE.test(character) || (character >= '\u001c' && character <= '\u001f');
}

function strip(value: unknown, characters: unknown, side: 'both' | 'start' | 'end'): string {
  const text = Array.from(pythonText(value));
  const named = characters instanceof Map ? unwrapped(characters.get('chars')) : characters;
  const set = named === undefined || named === null ? null : new Set(pythonText(named));
  const strips = (character: string): boolean =>
    set === null ? isWhiteSpace(character) : set.has(character);
  let start = 0;
  let end = text.length;
  if (side !== 'end') while (start < end && strips(text[start]!)) start++;
  if (side !== 'start') while (end > start && strips(text[end - 1]!)) end--;
  return text.slice(start, end).join('');
}

/** Python's `str()`, for what has the same text in both worlds. */
function pythonText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return pythonNumber(value);
  throw new Error('a text is expected, not none, a list or a mapping');
}

/** As jinja2's sandbox: a longer one is an attack. */
const MAX_RANGE = 100_000;

function range(bounds: readonly number[]): number[] {
  const [start, stop, step] =
    bounds.length === 1 ? [0, bounds[0]!, 1] : [bounds[0]!, bounds[1]!, bounds[2] ?? 1];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (step === 0 || !(length <= MAX_RANGE)) {
    throw new Error(`range(${bounds.join(', ')}) is not a range of at most ${MAX_RANGE} numbers`);
  }
  return Array.from({ length }, (_, i) => start + i * step);
}

/**
 * 26 July 2024, a Friday: the date that Llama's templates state where there is no clock. Today's date would change prompts at
 * midnight, and a run could not be repeated.
 */
const TIME_PARTS: Readonly<Record<string, string>> = {
  Y: '2024',
  y: '24',
  m: '07',
  B: 'July',
  b: 'Jul',
  d: '26',
  A: 'Friday',
  a: 'Fri',
  H: '00',
  M: '00',
  S: '00',
  '%': '%',
};

function formatTime(format: string): string {
  return format.replace(/%(.)/g, (directive, name: string) => TIME_PARTS[name] ?? directive);
}

/** Longer ones would make much out of little. */
const MAX_SEPARATOR = 100;
/** Characters of a value as JSON. */
const MAX_JSON = 1 << 24;

interface JsonStyle {
  readonly ascii: boolean;
  readonly sorted: boolean;
  /** White space of one level; null: everything on one line. */
  readonly indent: string | null;
  readonly comma: string;
  readonly colon: string;
}

/** The parameters of transformers' `tojson` filter, which are those of `json.dumps`. */
function jsonStyle(parameters: readonly unknown[]): JsonStyle {
  const places = ['ensure_ascii', 'indent', 'separators', 'sort_keys'];
  const last = parameters.at(-1);
  const named: ReadonlyMap<unknown, unknown> = last instanceof Map ? last : new Map();
  const ordered = last instanceof Map ? parameters.slice(0, -1) : parameters;
  const [ascii, indent, separators, sorted] = places.map(
    (name, place) => ordered[place] ?? unwrapped(named.get(name)) ?? null,
  );
  const texts = Array.isArray(separators) ? separators.map(unwrapped).map(pythonText) : [];
  if (typeof indent === 'number' && !(indent <= MAX_SEPARATOR)) {
    throw new Error(`indent=${indent} is more than ${MAX_SEPARATOR}`);
  }
  const style = {
    ascii: ascii === true,
    sorted: sorted === true,
    indent:
      indent === null
        ? null
        : typeof indent === 'number'
          ? ' '.repeat(Math.max(0, indent))
          : pythonText(indent),
    comma: texts[0] ?? (indent === null ? ', ' : ','),
    colon: texts[1] ?? ': ',
  };
  if ([style.indent ?? '', style.comma, style.colon].some(({ length }) => length > MAX_SEPARATOR)) {
    throw new Error(`indent and separators have at most ${MAX_SEPARATOR} characters`);
  }
  return style;
}

/** {@link writeJson}, which ends before the text outgrows {@link MAX_JSON}. */
function toJson(value: unknown, style: JsonStyle): string {
  let left = MAX_JSON;
  return writeJson(value, style, '\n', (length) => {
    left -= length;
    if (left < 0) throw new Error(`a value has more than ${MAX_JSON} characters as JSON`);
  });
}

/**
 * @param newLine line feed and the white space of the level that `value` stands on
 * @param spend told how many characters come, before they are put together
 */
function writeJson(
  value: unknown,
  style: JsonStyle,
  newLine: string,
  spend: (length: number) => void,
): string {
  if (typeof value === 'string') {
    spend(value.length);
    return jsonText(value, style);
  }
  if (typeof value === 'number') return pythonNumber(value);
  if (typeof value === 'boolean' || value === null) return String(value);
  const inner = style.indent === null ? '' : newLine + style.indent;
  const outer = style.indent === null ? '' : newLine;
  const item = (part: unknown): string => {
    spend(style.comma.length + inner.length + 1);
    return writeJson(unwrapped(part), style, newLine + (style.indent ?? ''), spend);
  };
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[${inner}${value.map(item).join(style.comma + inner)}${outer}]`;
  }
  if (value instanceof Map) {
    if (value.size === 0) return '{}';
    const entries = [...(value as Map<string, unknown>)];
    if (style.sorted) entries.sort(([a], [b]) => (a < b ? -1 : 1));
    const members = entries.map(([key, part]) => {
      spend(key.length + style.colon.length);
      return jsonText(key, style) + style.colon + item(part);
    });
    return `{${inner}${members.join(style.comma + inner)}${outer}}`;
  }
  throw new Error('only data can be written as JSON, not functions or undefined values');
}

function jsonText(text: string, { ascii }: JsonStyle): string {
  const json = JSON.stringify(text);
  if (!ascii) return json;
  return json.replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Python's `repr` of a number: exponents below 1e−4, and with two digits. A float that is whole (1.0) came here as JSON's number 1
 * and is written as such: JavaScript does not keep the difference.
 */
function pythonNumber(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/-(\d)$/, '-0$1');
}

/** What a list, a mapping or the keyword arguments hold; the interpreter's null holds undefined. */
function unwrapped(wrapped: unknown): unknown {
  if (typeof wrapped !== 'object' || wrapped === null || !('value' in wrapped)) return wrapped;
  return 'type' in wrapped && wrapped.type === 'NullValue' ? null : wrapped.value;
}
