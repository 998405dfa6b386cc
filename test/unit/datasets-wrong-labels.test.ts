import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Sample } from '../../contracts/sample.ts';
import { builtinCorpus } from '../../datasets/builtin/corpus.ts';
import { ownsCombination } from '../../datasets/builtin/splits.ts';
import { NAMED_CORPORA } from '../../services/experiments/named-corpora.ts';

const MIX = [0.3, 0.3, 0.25, 0.15];
const corpus = (wrongLabels: number, size = 400): Sample[] => [
  ...builtinCorpus({ seed: 5, size, levelMix: MIX, wrongLabels }),
];
const right = corpus(0);
const tenth = corpus(0.1);
const changed = (samples: readonly Sample[]): number[] =>
  samples.flatMap(({ groundTruth }, i) => (groundTruth === right[i]?.groundTruth ? [] : [i]));

describe('wrong labels of the built-in corpus', () => {
  it('are about the share that was asked for, and the same every time', () => {
    expect(changed(tenth).length).toBeGreaterThan(24);
    expect(changed(tenth).length).toBeLessThan(60);
    expect(corpus(0.1)).toStrictEqual(tenth);
    expect(changed(corpus(1))).toHaveLength(400);
  });

  it('change no prompt, no id and no other sample; a larger share holds the smaller one', () => {
    for (const [i, sample] of tenth.entries()) {
      expect(sample.id).toBe(right[i]?.id);
      expect(sample.messages).toStrictEqual(right[i]?.messages);
    }
    const wrong = new Set(changed(tenth));
    for (const [i, sample] of tenth.entries())
      if (!wrong.has(i)) expect(sample).toStrictEqual(right[i]);
    const more = new Set(changed(corpus(0.3)));
    for (const i of wrong) expect(more).toContain(i);
  });

  it('name another tool of the listing, or ask for a value that the prompt does not have', () => {
    const kinds = { tool: 0, value: 0 };
    for (const i of changed(tenth)) {
      const [wrong, truth] = [tenth[i]?.calls ?? [], right[i]?.calls ?? []];
      expect(wrong).toHaveLength(truth.length);
      const names = (calls: typeof truth) => calls.map(({ name }) => name);
      if (names(wrong).join() !== names(truth).join()) {
        kinds.tool++;
        for (const name of names(wrong))
          expect(tenth[i]?.messages[0]?.content).toContain(`${name}(`);
      } else {
        kinds.value++;
        const values = wrong.flatMap(({ parameters }) => Object.values(parameters));
        const prompt = tenth[i]?.messages.map(({ content }) => content).join('\n') ?? '';
        const made = values.filter((value) => typeof value === 'string' && !prompt.includes(value));
        expect(made.length).toBeGreaterThan(0);
      }
      expect(ownsCombination(tenth[i]?.groundTruth ?? '', 'train')).toBe(true);
    }
    expect(kinds.tool).toBeGreaterThan(5);
    expect(kinds.value).toBeGreaterThan(5);
  });

  it('leave the default corpus as it is, byte for byte', () => {
    const sample = [...builtinCorpus({ seed: 0, size: 256, levelMix: MIX })];
    const digest = createHash('sha256').update(JSON.stringify(sample)).digest('hex');
    expect(digest).toBe(DEFAULT_CORPUS);
  });
});

/** SHA-256 of the 256 samples of `npm start`, as the version without wrong labels made them. */
const DEFAULT_CORPUS = 'a702af6d2fc72d643ac21e50e9480b70eea6f42eec8930224dd53c986b6221ef';

describe('the corpora of experiments', () => {
  it('skewed: three quarters are easy', () => {
    const { corpusSize, levelMix } = NAMED_CORPORA.skewed;
    const levels = [...builtinCorpus({ seed: 1, size: corpusSize, levelMix })].map(
      ({ level }) => level,
    );
    const easy = levels.filter((level) => level === 0).length / corpusSize;
    expect(Math.abs(easy - 0.75)).toBeLessThan(0.05);
  });
});
