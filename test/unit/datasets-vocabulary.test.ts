import { Template } from '@huggingface/jinja';
import { Tokenizer } from '@huggingface/tokenizers';
import { assert as assertProperty, property, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BYTE_CHARACTERS, byteLevel, learnMerges } from '../../datasets/builtin/byte-pairs.ts';
import { generateSample } from '../../datasets/builtin/generator.ts';
import { BUILTIN_SPLITS, unseenVocabulary } from '../../datasets/builtin/splits.ts';
import {
  CHAT_TEMPLATE,
  PRE_TOKENS,
  tokenizerFiles,
  VOCABULARY_SIZE,
} from '../../datasets/builtin/vocabulary.ts';
import { KNOWN_PATTERNS } from '../../policy/text/known-patterns.ts';

const files = tokenizerFiles();
const parsed = JSON.parse(files['tokenizer.json']) as {
  model: { vocab: { [token: string]: number } };
};
const tokenizer = new Tokenizer(parsed, JSON.parse(files['tokenizer_config.json']) as object);
const template = new Template(CHAT_TEMPLATE);
const encode = (text: string): number[] =>
  tokenizer.encode(text, { add_special_tokens: false }).ids;
const decode = (ids: number[]): string => tokenizer.decode(ids, { skip_special_tokens: false });

test('the pattern that cuts texts is known to take a time in proportion to the text', () => {
  expect([...KNOWN_PATTERNS]).toEqual([PRE_TOKENS]);
  const began = performance.now();
  for (const part of [' a', ' an to', ': str', 'a', ': ', '_', ' ']) {
    expect([...part.repeat(50_000).matchAll(new RegExp(PRE_TOKENS, 'gu'))].length).toBeGreaterThan(
      0,
    );
  }
  expect(performance.now() - began).toBeLessThan(5000);
});

describe('learnMerges', () => {
  test('takes the most frequent pair first and breaks ties by text', () => {
    const words = new Map([
      ['abab', 2],
      ['abc', 3],
      ['xy', 5],
    ]);
    // ab: 2·2 + 3 = 7, xy: 5, then abc: 3 before abab: 2.
    expect(learnMerges(words, 10)).toEqual([
      ['a', 'b'],
      ['x', 'y'],
      ['ab', 'c'],
      ['ab', 'ab'],
    ]);
    expect(
      learnMerges(
        new Map([
          ['cd', 3],
          ['ab', 3],
        ]),
        1,
      ),
    ).toEqual([['a', 'b']]);
  });

  test('writes every byte as one character', () => {
    expect(new Set(BYTE_CHARACTERS).size).toBe(256);
    expect(byteLevel(' a\né')).toBe('ĠaĊÃ©');
  });
});

describe('tokenizerFiles', () => {
  test('has 1,024 tokens with ids 0 to 1,023', () => {
    const ids = Object.values(parsed.model.vocab).sort((a, b) => a - b);
    expect(ids).toEqual(Array.from({ length: VOCABULARY_SIZE }, (_, i) => i));
  });

  test('gives the same bytes again', () => {
    expect(tokenizerFiles()).toStrictEqual(files);
  });

  test('decodes every generated text to itself', () => {
    for (const split of BUILTIN_SPLITS) {
      for (let index = 0; index < 400; index++) {
        const level = ([0, 1, 2, 3, 4] as const)[index % 5] ?? 0;
        const { messages, groundTruth } = generateSample({ seed: 3, index, level, split });
        const prompt = template.render({
          messages: messages.map(({ role, content }) => ({ role, content })),
          add_generation_prompt: true,
        });
        expect(decode(encode(prompt))).toBe(prompt);
        expect(decode(encode(groundTruth))).toBe(groundTruth);
      }
    }
  });

  test('decodes any text to itself', () => {
    assertProperty(
      property(string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (text) => {
        expect(decode(encode(text))).toBe(text);
      }),
    );
  });

  test('writes a word with the same tokens in a request, a listing and JSON', () => {
    for (const word of ['milk', 'aurora', 'zorbik', ...unseenVocabulary()]) {
      const alone = encode(word).join(' ');
      for (const text of [`add ${word} to it`, `${word}_${word}(x: str)`, `{"k": "${word}"}`]) {
        expect(` ${encode(text).join(' ')} `).toContain(` ${alone} `);
      }
    }
  });

  test('keeps prompts and completions short', () => {
    for (const [level, prompt, completion] of [
      [0, 30, 25],
      [1, 44, 34],
      [2, 58, 40],
      [3, 66, 50],
    ] as const) {
      for (let index = 0; index < 300; index++) {
        const sample = generateSample({ seed: 6, index, level, split: 'heldout' });
        const text = sample.messages.map((m) => m.content).join('\n');
        expect(encode(text).length + 2).toBeLessThanOrEqual(prompt);
        expect(encode(sample.groundTruth).length + 1).toBeLessThanOrEqual(completion);
      }
    }
  });

  test('cuts text without losing any of it', () => {
    const pieces = 'a_b(c: int, d: str)\nset my x at 20:00, then e'.match(
      new RegExp(PRE_TOKENS, 'gu'),
    );
    expect(pieces).toEqual(
      ['a', '_', 'b', '(', 'c', ': int, ', 'd', ': str)\n', 'set', ' my ', 'x', ' at '].concat([
        '2',
        '0',
        ':',
        '0',
        '0',
        ', ',
        'then',
        ' ',
        'e',
      ]),
    );
  });
});
