import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../contracts/json.ts';
import { BYTE_CHARACTERS, byteLevel, learnMerges } from './byte-pairs.ts';
import { generateSample } from './generator.ts';
import type { BuiltinSplit } from './splits.ts';
import { LEVELS } from './task.ts';

/** Tokens of the shipped policy's vocabulary. */
export const VOCABULARY_SIZE = 1024;

/** Role starts, the end of a turn and padding; left out of decoded text. Their ids are their positions. */
const SPECIAL_TOKENS = [
  '<|pad|>',
  '<|end|>',
  '<|system|>',
  '<|user|>',
  '<|assistant|>',
  '<|tool|>',
] as const;

/** Tags that are one token each, but text like any other. */
const TAG_TOKENS = [
  '<think>',
  '</think>',
  '<tool_call>',
  '</tool_call>',
  '<response>',
  '</response>',
] as const;

/** Tools as the built-in tasks list them, which is all that a system text of theirs is: another one is not shown. */
const LIST_TOOLS =
  "{{ '<|system|>' }}{% for tool in tools %}{% set asked = tool['function']['parameters']['properties'] %}" +
  "{{ tool['function']['name'] + '(' }}{% if asked %}{% for key, schema in asked.items() %}{{ key + ': ' }}" +
  "{% if schema['type'] == 'integer' %}{{ 'int' }}" +
  "{% elif schema['format'] == 'time' or schema['format'] == 'date' %}{{ schema['format'] }}{% else %}{{ 'str' }}{% endif %}" +
  "{% if not loop.last %}{{ ', ' }}{% endif %}{% endfor %}{% endif %}{{ ')' }}" +
  "{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}";

/** Each message starts with its role's token; only an assistant's message has an end. */
export const CHAT_TEMPLATE =
  `{% if tools %}${LIST_TOOLS}{% endif %}` +
  "{% for message in messages %}{% if not tools or message['role'] != 'system' %}" +
  "{{ '<|' + message['role'] + '|>' + message['content'] }}" +
  "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** Little words that a request is full of. */
const LINKS =
  'a an the my to for at in on of by with from and then also about under called named times some';

/**
 * How text is cut before BPE. A word is always a piece of its own, without the space before it, so it has the same tokens
 * in a request and in JSON: copying is then copying tokens. Words that are never copied may be joined with their
 * surroundings, which makes prompts a third shorter: a type with its punctuation, and little words with their spaces.
 */
export const PRE_TOKENS = [
  ': (?:str|int|time|date)(?![a-z0-9_])[^a-z0-9_]*',
  ` (?:(?:${LINKS.split(' ').join('|')}) )*`,
  '[a-z]+',
  '[0-9]',
  '_',
  '[^a-z0-9_]+',
].join('|');

/** Samples that the merges are learnt from, evenly of these splits: the warm start shows the words of all of them. */
const TRAINING_SAMPLES = 8000;
const SHOWN_SPLITS: readonly BuiltinSplit[] = [
  'demonstration',
  'demonstration',
  'train',
  'heldout',
];

function countPreTokens(seed: number): ReadonlyMap<string, number> {
  const tags = new RegExp(TAG_TOKENS.join('|'), 'u');
  const pattern = new RegExp(PRE_TOKENS, 'gu');
  const counts = new Map<string, number>();
  for (let index = 0; index < TRAINING_SAMPLES; index++) {
    const level = LEVELS[index % LEVELS.length] ?? 0;
    const split = SHOWN_SPLITS[index % SHOWN_SPLITS.length] ?? 'train';
    const sample = generateSample({ seed, index, level, split });
    const texts = [...sample.messages.map(({ content }) => content), sample.groundTruth];
    for (const piece of texts.flatMap((text) => text.split(tags))) {
      for (const [preToken] of piece.matchAll(pattern)) {
        const word = byteLevel(preToken);
        counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/**
 * Learns the shipped policy's tokeniser from the generator's own tasks and describes it as a HF folder does.
 * The same seed gives the same bytes. Nothing of the `unseen` split is looked at.
 *
 * @returns the files' texts by name: `tokenizer.json`, `tokenizer_config.json`
 */
export function tokenizerFiles(seed = 0): {
  readonly 'tokenizer.json': string;
  readonly 'tokenizer_config.json': string;
} {
  const fixed = [...SPECIAL_TOKENS, ...TAG_TOKENS];
  const merges = learnMerges(
    countPreTokens(seed),
    VOCABULARY_SIZE - fixed.length - BYTE_CHARACTERS.length,
  );
  const tokens = [...fixed, ...BYTE_CHARACTERS, ...merges.map((pair) => pair.join(''))];
  const tokenizer: JsonObject = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: fixed.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: id < SPECIAL_TOKENS.length,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: PRE_TOKENS }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map(([left, right]) => [left, right]),
    },
  };
  const config: JsonObject = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: 256,
    pad_token: '<|pad|>',
    eos_token: '<|end|>',
    clean_up_tokenization_spaces: false,
    chat_template: CHAT_TEMPLATE,
  };
  return {
    'tokenizer.json': `${JSON.stringify(tokenizer, null, 1)}\n`,
    'tokenizer_config.json': `${JSON.stringify(config, null, 1)}\n`,
  };
}

/** Writes {@link tokenizerFiles} into a folder, which is made if need be. */
export async function writeTokenizerFiles(folder: string, seed = 0): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(tokenizerFiles(seed))) {
    await writeFile(join(folder, name), text);
  }
}
