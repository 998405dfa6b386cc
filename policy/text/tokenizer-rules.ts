/** A rule of `tokenizer.json`: a normaliser, pre-tokeniser or decoder. */
type Rule = Readonly<Record<string, unknown>>;

/** What `ByteLevel` cuts a text into unless told otherwise: GPT-2's words. */
const GPT2_WORDS =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * A `tokenizer.json` whose pre-tokenisers are written such that `@huggingface/tokenizers` cuts texts where the Rust library
 * does. Four rules of it differ; each can be said with others of its rules, which it follows faithfully:
 *
 * - `Digits` knows ASCII digits only, the Rust library all of `\p{N}` (SmolLM2);
 * - `ByteLevel` takes U+FEFF for white space and U+0085 for none (SmolLM2);
 * - in `(?i:…)`, the long s `ſ` is an `s` for Rust's Oniguruma, and the Kelvin sign a `k` (Llama 3, Qwen: `'ſ`);
 * - bytes that no token has are left out before the merges, not after them (SmolLM2 lacks six control characters).
 *
 * The tokens of other texts stay what they are.
 */
export function rustRules(tokenizer: Record<string, unknown>): Record<string, unknown> {
  const rule = tokenizer['pre_tokenizer'];
  if (!isRule(rule)) return tokenizer;
  const rules = [rustRule(rule), ...withoutUnknownBytes(rule, tokenizer['model'])];
  const rewritten = rules.length === 1 ? rules[0] : { type: 'Sequence', pretokenizers: rules };
  return { ...tokenizer, pre_tokenizer: rewritten };
}

function rustRule(rule: Rule): Rule {
  switch (rule['type']) {
    case 'Sequence': {
      const parts: unknown = rule['pretokenizers'];
      if (!Array.isArray(parts)) return rule;
      const rewritten = parts.map((part: unknown) => (isRule(part) ? rustRule(part) : part));
      return { ...rule, pretokenizers: rewritten };
    }
    case 'Digits':
      return pieces(`\\P{N}+|\\p{N}${rule['individual_digits'] === true ? '' : '+'}`);
    case 'ByteLevel': {
      // The space that add_prefix_space puts before a text belongs to the text that is cut.
      if (rule['use_regex'] === false || rule['add_prefix_space'] !== false) return rule;
      const pretokenizers = [pieces(GPT2_WORDS), { ...rule, use_regex: false }];
      return { type: 'Sequence', pretokenizers };
    }
    case 'Split': {
      const pattern = rule['pattern'];
      const regex = isRule(pattern) ? pattern['Regex'] : undefined;
      return typeof regex === 'string' ? { ...rule, pattern: { Regex: foldLetters(regex) } } : rule;
    }
    default:
      return rule;
  }
}

/** Cuts a text into what the pattern matches, which must leave nothing out. Faster than behaviour `Isolated`. */
function pieces(regex: string): Rule {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Removed', invert: true };
}

/** Only groups of plain words are touched, such as English contractions; anything else is left to the library. */
const WORDS_IN_ANY_CASE = /\(\?i:(['A-Za-z|]+)\)/g;

function foldLetters(regex: string): string {
  return regex.replace(WORDS_IN_ANY_CASE, (_group, words: string) => {
    const folded = words.replace(/s/gi, '[sſ]').replace(/k/gi, '[k\u212a]');
    return `(?i:${folded})`;
  });
}

/** Nothing, or a rule that takes the bytes out that the vocabulary lacks; after `ByteLevel`, a byte is a character. */
function withoutUnknownBytes(rule: Rule, model: unknown): Rule[] {
  const last = rule['type'] === 'Sequence' ? [rule['pretokenizers']].flat().at(-1) : rule;
  if (!isRule(last) || last['type'] !== 'ByteLevel') return [];
  if (!isRule(model) || !isRule(model['vocab'])) return [];
  // A token for the unknown, or tokens like <0x0A>, stand for the others.
  if (typeof model['unk_token'] === 'string' || model['byte_fallback'] === true) return [];
  const vocabulary = model['vocab'];
  const unknown = BYTE_CHARACTERS.filter((character) => !Object.hasOwn(vocabulary, character));
  if (unknown.length === 0) return [];
  const codes = unknown.map((character) => `\\x{${character.codePointAt(0)!.toString(16)}}`);
  return [{ type: 'Replace', pattern: { Regex: `[${codes.join('')}]` }, content: '' }];
}

/** The characters that stand for bytes: those that can be seen stand for themselves, the others follow from U+0100 on. */
const BYTE_CHARACTERS: readonly string[] = (() => {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const hidden = bytes.filter((byte) => !isVisible(byte));
  const codes = [...bytes.filter(isVisible), ...hidden.map((_, place) => 0x100 + place)];
  return codes.map((code) => String.fromCodePoint(code));
})();

function isVisible(byte: number): boolean {
  return (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
}

function isRule(value: unknown): value is Rule {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
